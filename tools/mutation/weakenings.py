"""Edited properties, most of them weakened: each with one small edit that lets more pass as a rule.

Whether an edited property is weaker is looked for in the states and steps of the document's protocol and of the faults.
A weaker one is killed where a fault that names the property no longer breaks it. One that asks for more is killed where
the document's protocol violates it: a false alarm.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import FunctionType, ModuleType

from mutation.edits import Edit, Kind, Vocabulary
from mutation.faults import breaks, named_by_faults, size_of
from mutation.model import ENUMS, distinct
from mutation.relation import Size, difference
from mutation.results import Fate, Judgement, digest
from postcopy.catalogue.properties import BY_NAME
from postcopy.errors import PostcopyError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance
from postcopy.model.fault import name_of
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties import liveness, safety

KINDS = frozenset((Kind.PART, Kind.COMPARES, Kind.MEMBER, Kind.SETS, Kind.BRANCH, Kind.ANSWER))
"""Kinds of edits that let more pass, as a rule."""

MODULES: tuple[ModuleType, ...] = (safety, liveness)
FALSE_ALARM: tuple[Size, ...] = ((2, 1, 1), (4, 1, 2))
"""Sizes at which the document's protocol is asked for an edited property that may ask for more."""

WHOLE: tuple[Size, ...] = ((2, 1, 1), (2, 1, 2))
"""Sizes at which an edited property is compared with the original on the document's protocol."""


@dataclass(frozen=True)
class Weakening:
    """One edit of a property, or of a function or monitor that properties use.

    Attributes:
        module: the name of the module that it is in.
        function: the function or class.
        edit: the edit.
        nth: 1 for the first edit of the function with these words, 2 for the second.
        text: the module's text with the edit.
        of: a digest of the function or class without the edit.
    """

    module: str
    function: str
    edit: Edit
    nth: int
    text: str
    of: str

    @property
    def name(self) -> str:
        """What tells it from all others, whatever its line is."""
        change = f"`{self.edit.was}`" + (f" -> `{self.edit.now}`" if self.edit.now else "")
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.function} {self.edit.kind}: {change}{again}"

    def properties(self) -> dict[str, Property]:
        """The properties of the edited module that differ from those of the catalogue, by name."""
        file = f"{self.module} with {self.edit.kind} in {self.function}, line {self.edit.line}"
        monitors = {p.monitor.__name__ for p in BY_NAME.values() if p.monitor is not None}
        edited = f"Edited{self.function}" if self.function in monitors else self.function
        text = re.sub(rf"\b{self.function}\b", edited, self.text) if edited != self.function else self.text
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        names: dict[str, object] = {"__name__": self.module}
        exec(compile(text, file, "exec"), names)
        made = [value for value in names.values() if isinstance(value, Property)]
        concerned = {p.name: p for p in made if edited in _functions(p)}
        if edited != self.function:
            return concerned
        return {name: replace(p, monitor=BY_NAME[name].monitor) for name, p in concerned.items()}


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
                    yield Weakening(module.__name__, node.name, edit, nth, whole, digest(pieces[at]))


def judge(weakening: Weakening) -> Judgement:
    """Say whether an edited property is weaker, and look for what notices: a fault that names it and no longer breaks
    it, or the protocol itself."""
    try:
        return _judge(weakening, weakening.properties())
    except PostcopyError as error:
        return Judgement(weakening.name, Fate.KILLED, f"error: {str(error)[:100]}", weaker=False)


def _judge(weakening: Weakening, edited: Mapping[str, Property]) -> Judgement:
    less, more, lost = "", "", Judgement("", Fate.SURVIVES, "")
    for protocol, name, size in _looked_at(edited):
        found = difference(protocol, size, BY_NAME[name], edited[name])
        where = name_of(protocol)
        less, more = less or (where if found.less else ""), more or (where if found.more else "")
        named = where in FAULTS and name in FAULTS[where].breaks
        if found.less and named and not lost.by and not breaks(protocol, edited[name], *size[:2]):
            lost = Judgement(weakening.name, Fate.KILLED, f"{where} no longer breaks {name}", size[:2])
    if not (less or more):
        less, more = _elsewhere(edited)
    weaker = bool(less and not more)
    if lost.by:
        return replace(lost, weaker=weaker)
    if more or _about_host_pages(weakening):
        for size in FALSE_ALARM:
            verdict = explore(
                Instance(Postcopy, *size[:2], tuple(edited.values()), size[2]), Options(engine=Engine.INTERPRETED)
            )
            if verdict.violated is not None:
                by = f"false alarm of {verdict.violated.name}"
                return Judgement(weakening.name, Fate.KILLED, by, size, weaker=False)
    if more:
        return Judgement(weakening.name, Fate.OTHER, f"asks for more: {more} violates it alone", weaker=False)
    if less:
        return Judgement(weakening.name, Fate.SURVIVES, f"weaker under {less}, and no fault notices", weaker=True)
    return Judgement(weakening.name, Fate.SURVIVES, "the same answers under every fault", weaker=False)


def _looked_at(edited: Mapping[str, Property]) -> Iterator[tuple[type[Protocol], str, Size]]:
    """The protocol, and the faults that name an edited property, with the size at which they break it."""
    for name in edited:
        for fault, broken in named_by_faults(name):
            size = size_of(fault, broken)
            if size is not None:
                yield FAULTS[fault], name, (*size, FAULTS[fault].group)
        for whole in WHOLE:
            yield Postcopy, name, whole


def _elsewhere(edited: Mapping[str, Property]) -> tuple[str, str]:
    """Faults that do not name an edited property, and under which it is violated by less or by more."""
    less, more = "", ""
    for fault, protocol in FAULTS.items():
        size = size_of(fault, protocol.breaks[0])
        if size is None:
            continue
        for name in edited:
            found = difference(protocol, (*size, protocol.group), BY_NAME[name], edited[name])
            less, more = less or (fault if found.less else ""), more or (fault if found.more else "")
    return less, more


def _about_host_pages(weakening: Weakening) -> bool:
    return re.search("host_pages|assembling|sending", weakening.edit.was + weakening.edit.now) is not None
