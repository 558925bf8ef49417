"""Weakened properties: each with one small edit that lets more pass. A fault that names the property has to notice.

An edit of a property is judged by what it changes: the document's protocol violates the edited property (a false
alarm), or a fault that names the property no longer breaks it. If neither is so, nothing shows what was edited for.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType

from mutation.edits import Edit, Kind, Vocabulary
from mutation.faults import breaks, named_by_faults, size_of
from mutation.model import ENUMS, distinct
from mutation.results import Fate, Judgement
from postcopy.errors import PostcopyError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import Property
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties import liveness, safety

KINDS = frozenset((Kind.PART, Kind.COMPARES, Kind.MEMBER, Kind.SETS, Kind.BRANCH, Kind.ANSWER))
"""Kinds of edits that let more pass, as a rule."""

MODULES: tuple[ModuleType, ...] = (safety, liveness)
FALSE_ALARM = ((2, 1, 1), (4, 1, 2))
"""Sizes at which the document's protocol is asked for the edited property."""


@dataclass(frozen=True)
class Weakening:
    """One edit of a property, or of a function or monitor that properties use.

    Attributes:
        module: the name of the module that it is in.
        function: the function or class.
        edit: the edit.
        nth: 1 for the first edit of the function with these words, 2 for the second.
        text: the module's text with the edit.
    """

    module: str
    function: str
    edit: Edit
    nth: int
    text: str

    @property
    def name(self) -> str:
        """What tells it from all others, whatever its line is."""
        change = f"`{self.edit.was}`" + (f" -> `{self.edit.now}`" if self.edit.now else "")
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.function} {self.edit.kind}: {change}{again}"

    def properties(self) -> dict[str, Property]:
        """The properties of the edited module that differ from those of the catalogue."""
        file = f"{self.module} with {self.edit.kind} in {self.function}, line {self.edit.line}"
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        names: dict[str, object] = {"__name__": self.module}
        exec(compile(self.text, file, "exec"), names)
        made = {value.name: value for value in names.values() if isinstance(value, Property)}
        return {name: p for name, p in made.items() if self.function in _functions(p)}


def _functions(prop: Property) -> set[str]:
    """The functions and monitors that a property's answer depends on, by name."""
    todo: list[object] = [prop.holds, getattr(prop.monitor, "watch", None)]
    found = {prop.monitor.__name__} if prop.monitor is not None else set()
    while todo:
        function = todo.pop()
        if isinstance(function, FunctionType) and function.__name__ not in found:
            found.add(function.__name__)
            todo += [function.__globals__.get(name) for name in function.__code__.co_names]
    return found


def weakenings() -> Iterator[Weakening]:
    """All edits of all properties, in the order of their files."""
    words = Vocabulary(ENUMS)
    for module in MODULES:
        tree = ast.parse(inspect.getsource(module))
        pieces = [ast.unparse(node) for node in tree.body]
        for at, node in enumerate(tree.body):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                for edit, nth, text in distinct(node, words, KINDS):
                    whole = "\n".join([*pieces[:at], text, *pieces[at + 1 :]])
                    yield Weakening(module.__name__, node.name, edit, nth, whole)


def judge(weakening: Weakening) -> Judgement:
    """Look for what notices an edit: the protocol itself, or a fault that names the property."""
    try:
        edited = weakening.properties()
        for name, prop in edited.items():
            for fault, broken in named_by_faults(name):
                size = size_of(fault, broken)
                if size is not None and not breaks(FAULTS[fault], prop, *size):
                    return Judgement(weakening.name, Fate.KILLED, f"{fault} no longer breaks {name}", size)
        for pages, in_flight, group in FALSE_ALARM:
            verdict = explore(
                Instance(Postcopy, pages, in_flight, tuple(edited.values()), group), Options(engine=Engine.INTERPRETED)
            )
            if verdict.violated is not None:
                return Judgement(
                    weakening.name, Fate.KILLED, f"false alarm of {verdict.violated.name}", (pages, in_flight, group)
                )
    except PostcopyError as error:
        return Judgement(weakening.name, Fate.KILLED, f"error: {str(error)[:100]}")
    return Judgement(weakening.name, Fate.SURVIVES, "no fault that names it notices")
