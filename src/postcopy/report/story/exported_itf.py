"""Runs of the exported model in the Informal Trace Format, as Apalache and Quint write them.

Such a file holds states under the names that `postcopy export tla` gives to the variables, and no steps: a step is an
action of the model that leads from one state to the next. What cannot be matched is refused with its place. The format:
https://apalache-mc.org/docs/adr/015adr-trace.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

import msgspec

from postcopy.errors import TraceError
from postcopy.export.printer import TRUTHS
from postcopy.export.tla import variable_names
from postcopy.language.concrete import Transition, is_deadlock, successors, violated_by
from postcopy.language.instance import Instance, State
from postcopy.language.program import read
from postcopy.language.properties import NO_DEADLOCK
from postcopy.language.trace import Trace, rebase
from postcopy.language.variables import Sort, Variable
from postcopy.report.story.itf import ITF, decode, shown
from postcopy.suggestions import did_you_mean

BOOKKEEPING = ("mbt::", "_")
"""How names begin that tools add to the variables of a model: no exported name does."""

ACTION_TAKEN = "mbt::actionTaken"
"""Where Quint says which action it took."""

UNITS: tuple[object, ...] = ("U_OF_UNIT", None, {}, {"#tup": []}, {"tag": "UNIT", "value": "U_OF_UNIT"})
"""What stands in a variant that carries nothing: Apalache, older and newer versions of Quint, older Apalache."""

NO_MESSAGE = frozenset({"", "Nothing"})
"""What stands for no message in a slot of a channel."""


class _Meta(msgspec.Struct):
    format: str = ITF
    postcopy: msgspec.Raw = msgspec.Raw()


class _File(msgspec.Struct):
    vars: list[str]
    states: list[dict[str, Any]]
    meta: _Meta = msgspec.field(name="#meta", default_factory=_Meta)
    params: list[str] = []
    loop: int | msgspec.UnsetType | None = msgspec.UNSET


def is_exported(text: bytes) -> bool:
    """Whether a file is in this format and was not written by this package.

    Raises:
        TraceError: it is no such file at all.
    """
    meta = decode(text, _File).meta
    return meta.format == ITF and not bytes(meta.postcopy)


def from_exported_itf(text: bytes, instance: Instance, whole: Instance) -> Trace:
    """The run that a file holds.

    Args:
        text: the contents of the file.
        instance: the protocol at its size, with the properties with which it was exported.
        whole: the same with all that can be asked of it: the run is told with its history.

    Raises:
        TraceError: a variable, a value, a state or a step is none of the model's; the message has its place.
    """
    file = decode(text, _File)
    if not file.states:
        raise TraceError("has no states: there is nothing to show")
    reader = _Reader(instance, file)
    states = [reader.state(number, values) for number, values in enumerate(file.states)]
    if states[0] not in instance.initial_states():
        raise TraceError(f"state 0: the model does not start like this: {reader.least_wrong_start(states[0])}")
    taken = [values.get(ACTION_TAKEN) for values in file.states]
    steps = [reader.step(n, states[n - 1], states[n], taken[n]) for n in range(1, len(states))]
    trace = Trace(instance, states[0], tuple(steps), None, _loop(file, states))
    return _judged(rebase(trace, whole))


def _loop(file: _File, states: list[State]) -> int | None:
    if file.loop is msgspec.UNSET or file.loop is None:
        return None
    if not 0 <= file.loop < len(states):
        raise TraceError(f"loop: goes back to state {file.loop}, and there are states 0 to {len(states) - 1}")
    if states[file.loop] == states[-1]:
        return file.loop
    raise TraceError(f"loop: goes back to state {file.loop}, which is not the one that it ends in")


def _judged(trace: Trace) -> Trace:
    """The run with what its end violates, if it does."""
    end = trace.states[-1]
    of_step = trace.steps[-1].violated if trace.steps else ()
    stuck = (NO_DEADLOCK.name,) if trace.loop is None and is_deadlock(trace.instance, end) else ()
    found = next(iter((*of_step, *violated_by(trace.instance, end), *stuck)), None)
    return replace(trace, violated=found)


class _Reader:
    """Reads values under the exported names.

    Args:
        instance: see `from_exported_itf`.
        file: the file, of which the lists of names are looked at.

    Raises:
        TraceError: the variables are not those of the export.
    """

    def __init__(self, instance: Instance, file: _File) -> None:
        self.instance = instance
        program = read(instance)
        self.names = variable_names(program)
        self.variable = {name: v for v, name in self.names.items()}
        start = instance.initial_states()[0]
        self.constant = {v: start[instance.index[v]] for v in program.constants}
        self.params = frozenset(file.params)
        self._check({_plain(name) for name in file.vars if not _is_bookkeeping(name)} - self.params)

    def _check(self, listed: set[str]) -> None:
        known = self.variable
        for name in sorted(listed - set(known)):
            raise TraceError(f"vars: {self._of} has no variable {shown(name)}{did_you_mean(name, known)}")
        for name in known:
            if name not in listed:
                raise TraceError(
                    f"vars: {name} of {self._of} is missing: name the protocol, size and properties of the export"
                )

    @property
    def _of(self) -> str:
        return f"the export of {self.instance.protocol.__name__} at {self.instance.size}"

    def state(self, number: int, given: Mapping[str, Any]) -> State:
        """A state of the file as one of the model."""
        values: dict[Variable, int] = dict(self.constant)
        for full, value in given.items():
            name = _plain(full)
            if name in self.params:
                self._check_pages(number, name, value)
            elif name in self.variable:
                v = self.variable[name]
                values[v] = self._stored(f"state {number}: {name}", v, value)
            elif full != "#meta" and not _is_bookkeeping(full):
                raise TraceError(f"state {number}: {self._of} has no variable {shown(name)}")
        for name, v in self.variable.items():
            if v not in values:
                raise TraceError(f"state {number}: {name} is missing")
        return tuple(values[v] for v in self.instance.variables)

    def _check_pages(self, number: int, name: str, value: object) -> None:
        place = f"state {number}: {name}"
        if name == "Pages" and _pages(place, value, self.instance.pages) != (1 << self.instance.pages) - 1:
            raise TraceError(f"{place} are {shown(value)}, and the model has {self.instance.size}")

    def _stored(self, place: str, v: Variable, value: object) -> int:
        if v.sort is Sort.PAGES:
            return _pages(place, value, self.instance.pages)
        if v.values == TRUTHS:
            if type(value) is bool:
                return int(value)
            raise TraceError(f"{place} is {shown(value)}, and it is true or false")
        if v.values:
            return _member(place, v, value)
        number = _number(value)
        if number is None or not 0 <= number < v.size:
            raise TraceError(f"{place} is {shown(value)}, and it is a number from 0 to {v.size - 1}")
        return number

    def step(self, number: int, before: State, after: State, taken: object) -> Transition:
        """The step that leads to a state of the file.

        Args:
            number: of the state.
            before, after: the states.
            taken: the action's name in the file, if it is there: it decides where several lead to the state. Without
                it, a step that violates something is taken for the one that was meant.
        """
        found = [step for step in successors(self.instance, before) if step.state == after]
        if found:
            named = [step for step in found if re.sub(r"\W+", "_", step.action.name).strip("_") == taken]
            return max(named or found, key=lambda step: bool(step.violated))
        if before == after:
            raise TraceError(f"state {number}: it is state {number - 1} again, and no action leads from it to itself")
        nearest = min(
            successors(self.instance, before), key=lambda step: len(self._apart(step.state, after)), default=None
        )
        if nearest is None:
            raise TraceError(f"state {number}: no action can be taken in state {number - 1}")
        apart = self._apart(nearest.state, after)
        raise TraceError(
            f"state {number}: no action leads from state {number - 1} to it; the nearest, {nearest.action.name}, "
            f"does not have this {', '.join(self.names.get(v, v.name) for v in apart[:3])}"
        )

    def least_wrong_start(self, state: State) -> str:
        """What is odd in a first state, compared with the start that is most like it."""
        nearest = min(self.instance.initial_states(), key=lambda start: len(self._apart(start, state)))
        return ", ".join(self.names.get(v, v.name) for v in self._apart(nearest, state)[:3])

    def _apart(self, one: State, other: State) -> list[Variable]:
        return [v for v, mine, its in zip(self.instance.variables, one, other, strict=True) if mine != its]


def _is_bookkeeping(name: str) -> bool:
    return name.startswith(BOOKKEEPING)


def _plain(name: str) -> str:
    """A name without the modules that Quint puts before it."""
    return name.rpartition("::")[2]


def _pages(place: str, value: object, pages: int) -> int:
    """A set of pages, one bit a page."""
    listed = value.get("#set") if isinstance(value, dict) and list(value) == ["#set"] else None
    if not isinstance(listed, list):
        raise TraceError(f"{place} is {shown(value)}, and it is a set of pages")
    bits = 0
    for each in listed:
        page = _number(each)
        if page is None or not 0 <= page < pages:
            raise TraceError(f"{place} has {shown(each)}, and pages are 0 to {pages - 1}")
        bits |= 1 << page
    return bits


def _number(value: object) -> int | None:
    """A whole number, as JSON has it or as a decimal text."""
    if type(value) is int:
        return value
    text = value.get("#bigint") if isinstance(value, dict) and list(value) == ["#bigint"] else None
    return int(text) if isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def _member(place: str, v: Variable, value: object) -> int:
    """A member of an enumeration: a text, or a variant that carries nothing."""
    name = value
    if isinstance(value, dict) and set(value) == {"tag", "value"} and value["value"] in UNITS:
        name = value["tag"]
    members = [each.name if isinstance(each, Enum) else "" if each is None else str(each) for each in v.values]
    if isinstance(name, str):
        if name in NO_MESSAGE and "" in members:
            return members.index("")
        if name in members:
            return members.index(name)
    words = ", ".join(member or '""' for member in members)
    raise TraceError(
        f"{place} is {shown(value)}, and it is one of {words if len(words) < 200 else words[:200] + '...'}"
    )
