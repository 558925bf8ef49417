"""The faults of the catalogue on a changed base: do they still break what they name?

A mutant of what is observed (an event, or the ghost's history) makes properties blind. The protocol itself does not
show it, because it violates nothing. Its faults do.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import FunctionType

from mutation.edits import Kind
from mutation.model import Mutant
from mutation.wider import Wider
from postcopy.catalogue.properties import BY_NAME
from postcopy.errors import PostcopyError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import Property, Protocol, View
from postcopy.language.instance import Instance
from postcopy.language.properties import Kind as PropertyKind
from postcopy.model import faults, faults_ends, faults_liveness, faults_omissions
from postcopy.model.fault import Fault, name_of
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy

SIZES = ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1))
"""Pages and messages in flight: a fault is tried at the first of these at which it breaks a property."""


def breaks(fault: type[Protocol], prop: Property, pages: int, in_flight: int) -> bool:
    """Whether a fault breaks a property at a size. An error of the specification counts as such."""
    try:
        instance = Instance(fault, pages, in_flight, [prop], fault.group)
        return explore(instance, Options(engine=Engine.INTERPRETED)).violated is prop
    except PostcopyError:
        return True


@cache
def size_of(name: str, prop: str) -> tuple[int, int] | None:
    """The smallest size at which a fault of the catalogue breaks a property."""
    fault = FAULTS[name]
    return next((s for s in SIZES if s[0] % fault.group == 0 and breaks(fault, BY_NAME[prop], *s)), None)


def named_by_faults(prop: str | None = None) -> Iterator[tuple[str, str]]:
    """The faults by name with each property that they name, or with this one alone."""
    for name, fault in FAULTS.items():
        for broken in fault.breaks:
            if prop in (None, broken):
                yield name, broken


def unnoticed_faults(mutant: Mutant) -> str:
    """A fault that, on the mutant in the place of the protocol, no longer breaks a property that it names and that
    reads what the mutant changes."""
    changed = set(re.findall(r"(?:Memory|Mishap|Role)\.(\w+)", mutant.edit.was + mutant.edit.now))
    changed |= touched_in(mutant)
    if "waits=" in mutant.edit.was:
        changed.add(View.waited_for.__name__)
    based = on(mutant)
    of_fairness = mutant.edit.kind in (Kind.ACTION, Wider.THREAD)
    if mutant.edit.kind is Wider.THREAD:
        changed.add("thread")
    for name, broken in named_by_faults():
        prop = BY_NAME[broken]
        promises = prop.of_runs or prop.kind is PropertyKind.NO_DEADLOCK
        concerned = (of_fairness and promises) or changed & names_read(prop)
        size = size_of(name, broken) if concerned else None
        if size is not None and not breaks(based[name], BY_NAME[broken], *size):
            return f"{name} no longer breaks {broken}"
    return ""


def touched_in(mutant: Mutant) -> set[str]:
    """What the guest does to memory in the step that is changed: where it does less, properties see less."""
    steps = (node for node in ast.walk(ast.parse(mutant.text)) if isinstance(node, ast.FunctionDef))
    [step] = [ast.unparse(node) for node in steps if node.name == mutant.method] or [""]
    return set(re.findall(r"observe\(Memory\.(\w+)", step)) if "environment=True)" in step else set()


def names_read(prop: Property) -> set[str]:
    """The names in the text of a property, of its monitor, and of the functions that they call."""
    todo: list[object] = [prop.holds, getattr(prop.monitor, "watch", None)]
    names: set[str] = set()
    while todo:
        function = todo.pop()
        if isinstance(function, FunctionType):
            fresh = set(function.__code__.co_names) - names
            names |= fresh
            todo += [function.__globals__.get(name) for name in fresh]
    return names


def on(mutant: Mutant) -> dict[str, type[Protocol]]:
    """The faults of the catalogue, made of the mutant in the place of the document's protocol."""
    machine = mutant.machine()
    base = type("Base", (Fault,), {mutant.part: machine})
    made: dict[str, type[Protocol]] = {}
    for module in (faults, faults_liveness, faults_omissions, faults_ends):
        classes = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
        names = {**vars(module), "Fault": base, machine.__name__: machine}
        exec(compile(ast.Module([*classes], []), inspect.getfile(module), "exec"), names)
        for node in classes:
            made[name_of(names[node.name])] = names[node.name]
    return made


assert issubclass(Fault, Postcopy)
