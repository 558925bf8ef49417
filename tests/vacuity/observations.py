"""Mutants of the model: each drops one `self.observe(...)`."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path
from textwrap import indent
from typing import NamedTuple, cast

from postcopy.language import Machine
from postcopy.model.destination import Destination
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source

TEXT = '''"""A mutant: it does not observe {what}."""

from postcopy.model.{host} import *
from postcopy.model.postcopy import Postcopy


class Mutant(Postcopy):
    """Forgets an observation."""

    class {host}({machine}):
        """Forgets it."""

{method}
'''


class Site(NamedTuple):
    """A statement of the model that observes something.

    Attributes:
        host: the machine's name in the protocol.
        method: the method that it stands in.
        what: the event.
    """

    host: str
    method: str
    what: str

    def __str__(self) -> str:
        return ":".join(self)


HOSTS: dict[str, type[Machine]] = {"source": Source, "destination": Destination}


def _observed(statement: ast.stmt) -> str | None:
    """The event that a statement observes."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    call = statement.value
    return ast.unparse(call.args[0]) if ast.unparse(call.func) == "self.observe" else None


def _methods(host: str) -> list[ast.FunctionDef]:
    (machine,) = ast.parse(inspect.getsource(HOSTS[host])).body
    assert isinstance(machine, ast.ClassDef)
    return [statement for statement in machine.body if isinstance(statement, ast.FunctionDef)]


def sites() -> list[Site]:
    """Every `self.observe(...)` of the two hosts."""
    return [
        Site(host, method.name, what)
        for host in HOSTS
        for method in _methods(host)
        for statement in ast.walk(method)
        if isinstance(statement, ast.stmt) and (what := _observed(statement)) is not None
    ]


class _Dropped(ast.NodeTransformer):
    def __init__(self, what: str) -> None:
        self.what = what

    def visit_Expr(self, statement: ast.Expr) -> ast.stmt:
        return ast.Pass() if _observed(statement) == self.what else statement


def mutant(site: Site, directory: Path) -> type[Postcopy]:
    """The protocol without that statement, from a file of its own. An override keeps the thread of the original."""
    method = next(method for method in _methods(site.host) if method.name == site.method)
    method.decorator_list = []
    changed = indent(ast.unparse(_Dropped(site.what).visit(method)), " " * 8)
    path = directory / "mutant.py"
    machine = HOSTS[site.host].__name__
    path.write_text(TEXT.format(what=site.what, host=site.host, machine=machine, method=changed))
    spec = importlib.util.spec_from_file_location("mutant", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(type[Postcopy], module.Mutant)
