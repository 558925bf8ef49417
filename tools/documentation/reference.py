"""The reference of the command line and of the Python names, as Markdown and as autodoc's directives, from the code."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from inspect import getsource, isclass, isroutine
from itertools import pairwise
from types import ModuleType

import typer
from typer.core import TyperCommand, TyperGroup

from documentation.markdown import table
from postcopy.cli.commands import COMMANDS
from postcopy.cli.lazy import load
from postcopy.errors import UsageError


def plain(text: str) -> str:
    """A text of the command line with nothing in it that Markdown would read as markup."""
    return re.sub(r"([\\*_<>\[\]`|])", r"\\\1", " ".join(text.split()))


def commands() -> str:
    """A section for each command: what it does, how it is called, and each of its options with its words."""
    panels = dict.fromkeys(entry.panel for entry in COMMANDS)
    lines = []
    for panel in panels:
        lines += [f"## {panel}", ""]
        for entry in COMMANDS:
            if entry.panel == panel:
                lines += [f"### postcopy {entry.name}", "", plain(entry.help), "", *parameters(load(entry)), ""]
    return "\n".join(lines)


def parameters(command: TyperCommand | TyperGroup) -> list[str]:
    """The usage of a command, and a table for each group of its parameters."""
    context = typer.Context(command, info_name=f"postcopy {command.name}")
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in command.get_params(context):
        record = each.get_help_record(context)
        if record is not None:
            panel = "Arguments" if each.param_type_name == "argument" else "Options"
            spelling, meaning = record
            groups.setdefault(getattr(each, "rich_help_panel", None) or panel, []).append(
                (f"`{spelling}`", plain(meaning))
            )
    nested = [(f"`{name}`", plain(inner.help or "")) for name, inner in getattr(command, "commands", {}).items()]
    if nested:
        groups["Commands"] = nested
    usage = " ".join([context.info_name or "", *command.collect_usage_pieces(context)])
    lines = ["```text", usage, "```"]
    for panel, rows in groups.items():
        lines += ["", table([panel, "meaning"], rows)]
    return lines


def names(module: str, leave_out: tuple[str, ...] = ()) -> str:
    """The directives for all names that a module gives, as reStructuredText: functions, then classes, then values."""
    found: ModuleType = import_module(module)
    kinds: dict[str, list[str]] = {"function": [], "class": [], "data": []}
    for name in found.__all__:
        if name not in leave_out:
            kinds[kind(getattr(found, name))].append(name)
    lines = []
    for name in kinds["function"]:
        lines += [f".. autofunction:: {module}.{name}", ""]
    for name in kinds["class"]:
        lines += [f".. autoclass:: {module}.{name}", "   :members:", ""]
    for name in kinds["data"]:
        lines += [f".. py:data:: {module}.{name}", "", f"   {words_about(found, name)}", ""]
    return "\n".join(lines)


def kind(thing: object) -> str:
    """What a name is: a function, a class, or data."""
    return "class" if isclass(thing) else "function" if isroutine(thing) else "data"


def words_about(module: ModuleType, name: str) -> str:
    """The text behind the assignment of a value, in the file that a module has it from.

    Raises:
        UsageError: there is none.
    """
    imports = [each for each in ast.walk(ast.parse(getsource(module))) if isinstance(each, ast.ImportFrom)]
    (origin,) = [each.module for each in imports if each.module and name in [alias.name for alias in each.names]]
    body = ast.parse(getsource(import_module(origin))).body
    for statement, text in pairwise(body):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        named = name in [target.id for target in targets if isinstance(target, ast.Name)]
        if named and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            return " ".join(str(text.value.value).split())
    raise UsageError(f"{origin}: {name} has no words behind its assignment")
