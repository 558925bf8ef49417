"""Runs as files in the Informal Trace Format of Apalache: JSON that viewers of TLA+ and Quint traces open.

A file holds every state in full, but none is trusted: the steps are taken again, and each state has to be
what they give. So a damaged file, or one of another model, is found out; and what was read is a real run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from postcopy.catalogue.properties import all_asked
from postcopy.errors import PostcopyError, TraceError, UsageError
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.input_files import read_input
from postcopy.language.actions import PageChoice, numbers_of
from postcopy.language.instance import Instance, State
from postcopy.language.trace import Trace, follow, rebase
from postcopy.language.variables import Sort, Variable
from postcopy.report.story.contradiction import judge, violated_property
from postcopy.report.story.story_format import Kept, StoryFormat
from postcopy.report.story.words import members
from postcopy.surface import MARKS, command

F = TypeVar("F")

ITF = "ITF"
DESCRIPTION = "https://apalache-mc.org/docs/adr/015adr-trace.html"
VERSION = 1
MAX_BYTES = 64 * 2**20
"""The largest file that is read at all."""
MAX_VALUES = 1_000_000
"""The most values in a file: small ones cost far more memory than bytes."""


class _Postcopy(msgspec.Struct, forbid_unknown_fields=True):
    """What this package needs to take the steps again."""

    version: int
    protocol: str
    fingerprint: str
    pages: int
    in_flight: int
    group: int
    violated: str | None


class _Versioned(msgspec.Struct):
    version: int


class _Meta(msgspec.Struct):
    format: str
    postcopy: msgspec.Raw = msgspec.Raw()
    format_description: str = msgspec.field(default="", name="format-description")
    description: str = ""


class _File(msgspec.Struct):
    meta: _Meta = msgspec.field(name="#meta")
    vars: list[str]
    states: list[dict[str, Any]]
    params: list[str] = []
    loop: int | msgspec.UnsetType = msgspec.UNSET
    """For a run that goes on for ever, the index of the state that the last state is equal to."""


class _StateMeta(msgspec.Struct):
    index: int
    action: str | None = None
    page: int | None = None
    other: int | msgspec.UnsetType = msgspec.UNSET
    """The second page of a step that is about two."""

    @classmethod
    def of(cls, index: int, action: str, choice: PageChoice) -> _StateMeta:
        """What is said of a step."""
        if isinstance(choice, tuple):
            return cls(index, action, *choice)
        return cls(index, action, choice)

    @property
    def choice(self) -> PageChoice:
        """The step's page, or pages."""
        if self.other is msgspec.UNSET:
            return self.page
        return (-1 if self.page is None else self.page, self.other)


def to_itf(trace: Trace, protocol: str, model: str) -> bytes:
    """A run as ITF.

    Args:
        trace: the run.
        protocol: the name by which a reader finds the protocol again.
        model: the fingerprint of the model, by which a reader knows that it is still the same.
    """
    instance = trace.instance
    about = _Postcopy(VERSION, protocol, model, instance.pages, instance.in_flight, instance.group, trace.violated)
    what = f"violates {trace.violated}" if trace.violated is not None else "a witness"
    summary = f"{protocol}, {instance.size}: {what}"
    meta = _Meta(ITF, msgspec.Raw(msgspec.json.encode(about)), DESCRIPTION, summary)
    labels = [_StateMeta(0)]
    labels += [_StateMeta.of(i, step.action.name, step.page) for i, step in enumerate(trace.steps, start=1)]
    states = [
        {"#meta": msgspec.to_builtins(label), **state_values(instance, state)}
        for label, state in zip(labels, trace.states, strict=True)
    ]
    variables = [name for name in states[0] if name != "#meta"]
    loop = msgspec.UNSET if trace.loop is None else trace.loop
    return msgspec.json.format(msgspec.json.encode(_File(meta, variables, states, loop=loop)), indent=1) + b"\n"


def state_values(instance: Instance, state: State) -> dict[str, Any]:
    """A state as ITF: each variable by its name, and each channel as a list of messages, oldest first."""
    values: dict[str, Any] = {}
    slots: set[Variable] = set()
    for name, channel in instance.channels.items():
        values[name] = []
        for slot in channel.slots:
            fields = {"kind": slot.kind, "pages": slot.pages, **slot.marks, **slot.fields}
            slots.update(fields.values())
            if state[instance.index[slot.kind]]:
                values[name].append({k: _value(v, state[instance.index[v]]) for k, v in fields.items()})
    values |= {v.name: _value(v, state[i]) for i, v in enumerate(instance.variables) if v not in slots}
    return values


def _value(variable: Variable, stored: int) -> object:
    if variable.sort is Sort.PAGES:
        return {"#set": members(stored)}
    value = variable.decode(stored)
    return value.name if isinstance(value, Enum) else value


def read_itf(
    path: Path, make: Callable[[str, int, int, int], Instance], fingerprint_of: Callable[[Instance], str]
) -> Trace:
    """Read a run from a file by taking its steps again.

    Args:
        path: the file.
        make: gives the instance for a protocol's name, pages, messages in flight and target pages of a host
            page; raises a `PostcopyError` where there is none.
        fingerprint_of: gives the hash of an instance's model as it is now.

    Raises:
        TraceError: the file cannot be read, is no such file, or does not belong to this model.
    """
    text = read_text(path)
    try:
        return from_itf(text, make, fingerprint_of)
    except TraceError as error:
        raise TraceError(f"{path}: {error.marked}") from None


def read_text(path: Path) -> bytes:
    """The contents of a file.

    Raises:
        TraceError: it cannot be read, or is too large.
    """
    try:
        return read_input(path, MAX_BYTES)
    except UsageError as error:
        raise TraceError(error.marked) from None


def from_itf(
    text: bytes, make: Callable[[str, int, int, int], Instance], fingerprint_of: Callable[[Instance], str]
) -> Trace:
    """Read a run from the contents of a file (see `read_itf`).

    Raises:
        TraceError: it is no such file, or does not belong to this model.
    """
    file = decode(text, _File)
    about = _about(file.meta)
    try:
        instance = make(about.protocol, about.pages, about.in_flight, about.group)
    except PostcopyError as error:
        raise TraceError(f"cannot be replayed: {_clean(error.marked, MARKS)}") from None
    if fingerprint_of(instance) != about.fingerprint:
        raise TraceError("was made with another version of the model: regenerate it")
    trace = _replay(instance, file, about.violated)
    _check_claim(trace)
    return trace


def decode(text: bytes, kind: type[F]) -> F:
    """The contents of a file.

    Args:
        text: what stands in it.
        kind: the record that it holds.

    Raises:
        TraceError: it is too large, or no JSON, or not such a record.
    """
    if len(text) > MAX_BYTES:
        raise TraceError(f"is larger than {MAX_BYTES // 2**20} MiB: too large for a trace; regenerate it")
    if text.count(b",") > MAX_VALUES:
        raise TraceError(f"holds more than {MAX_VALUES} values: too large for a trace; regenerate it")
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        # the first value that is not of the trace's kind ends the decoding: what follows need not be JSON
        what = f"is JSON but not a trace in ITF ({error})" if _is_json(text) else "is not JSON"
        raise TraceError(f"{what}: give a file that was written as ITF") from None
    except RecursionError:
        raise TraceError("is nested too deeply for a trace: regenerate it") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not text.strip():
            raise TraceError("is empty: write the trace again") from None
        if "truncated" in str(error):
            raise TraceError("is truncated: copy it again, or regenerate it") from None
        raise TraceError("is not JSON: give a file that was written as ITF") from None


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _about(meta: _Meta) -> _Postcopy:
    if meta.format != ITF:
        raise TraceError(f"is in the format {shown(meta.format)}, not {ITF}: give a file that was written as ITF")
    if not bytes(meta.postcopy):
        raise TraceError(
            "is ITF but not of a postcopy model (#meta has no postcopy): "
            f"{command('trace')} reads one of an exported model"
        )
    try:
        version = msgspec.json.decode(meta.postcopy, type=_Versioned).version
        if version != VERSION:
            raise TraceError(f"has format version {version}, and this reads version {VERSION}: regenerate it")
        return msgspec.json.decode(meta.postcopy, type=_Postcopy)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TraceError(f"has a damaged #meta.postcopy ({error}): regenerate it") from None


def _replay(instance: Instance, file: _File, violated: str | None) -> Trace:
    if not file.states:
        raise TraceError("has no states: regenerate it")
    labels = []
    for number, state in enumerate(file.states):
        try:
            label = msgspec.convert(state.pop("#meta", None), _StateMeta)
        except msgspec.ValidationError as error:
            raise TraceError(f"step {number} has a damaged #meta ({error}): regenerate it") from None
        if label.index != number:
            raise TraceError(
                f"step {number} is numbered {label.index}: states are missing or out of order; regenerate it"
            )
        if number:
            labels.append((label.action or "", label.choice))
    names = list(state_values(instance, instance.initial_states()[0]))
    if sorted(file.vars) != sorted(names):
        raise TraceError("does not list the model's variables under vars: regenerate it")
    initial = _initial(instance, file.states[0])
    for number, (name, page) in enumerate(labels, start=1):
        _check_page(instance, number, name, page)
    try:
        trace = follow(instance, initial, labels, violated)
    except PostcopyError as error:
        raise TraceError(f"cannot be replayed: {_clean(error.marked, MARKS)}: regenerate it") from None
    for number, (given, reached) in enumerate(zip(file.states, trace.states, strict=True)):
        _compare(number, given, state_values(instance, reached))
    if file.loop is msgspec.UNSET:
        return trace
    if not 0 <= file.loop < len(trace.states) or trace.states[file.loop] != trace.states[-1]:
        raise TraceError(f"goes back to state {file.loop}, which is not the one that it ends in: regenerate it")
    return replace(trace, loop=file.loop)


def _initial(instance: Instance, given: dict[str, Any]) -> State:
    """The initial state that the file starts in."""
    starts = instance.initial_states()
    values = [state_values(instance, start) for start in starts]
    for start, value in zip(starts, values, strict=True):
        if _same(given, value):
            return start
    # no start is the file's: compare with the one that is most like it, so that the message names what is odd
    closest = max(range(len(starts)), key=lambda i: sum(_same(given.get(k), v) for k, v in values[i].items()))
    _compare(0, given, values[closest])
    return starts[closest]


def _check_page(instance: Instance, number: int, name: str, choice: PageChoice) -> None:
    """Refuse a page where the action takes none, and the other way round: `take` trusts its caller."""
    action = next((action for action in instance.actions if action.name == name), None)
    if action is None:
        raise TraceError(f"step {number}: the model has no action {shown(name)}: regenerate it")
    pages = numbers_of(choice)
    if len(pages) != len(action.page_names) or not all(0 <= page < instance.pages for page in pages):
        wanted = ("no page", "a page", "two pages")[len(action.page_names)]
        wanted += f" from 0 to {instance.pages - 1}" if action.page_names else ""
        found = " and ".join(map(str, pages)) or "None"
        raise TraceError(f"step {number}: {name} takes {wanted}, not {found}: regenerate it")


def _compare(number: int, given: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if name not in given:
            raise TraceError(f"step {number}: {name} is missing: regenerate it")
        if not _same(given[name], value):
            found, right = shown(given[name]), shown(value)
            raise TraceError(f"step {number}: {name} is {found}, but the model gives {right}: regenerate it")
    for name in given:
        if name not in wanted:
            raise TraceError(f"step {number}: the model has no variable {shown(name)}: regenerate it")


def _same(given: object, wanted: object) -> bool:
    """Whether a value of a file is the wanted one: sets in any order, and no number for a truth value."""
    if type(given) is not type(wanted):
        return False
    if isinstance(wanted, dict) and isinstance(given, dict):
        if list(wanted) == ["#set"] == list(given) and isinstance(given["#set"], list):
            pages = given["#set"]
            return all(type(page) is int for page in pages) and sorted(pages) == wanted["#set"]
        return given.keys() == wanted.keys() and all(_same(given[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(given, list):
        return len(given) == len(wanted) and all(map(_same, given, wanted))
    return bool(given == wanted)


def _check_claim(trace: Trace) -> None:
    """Refuse a file that claims a violation that its run does not end in."""
    if trace.violated is None:
        return
    prop = violated_property(trace)
    if prop is None:
        raise TraceError(f"speaks of a property {shown(trace.violated)} that the model does not have: regenerate it")
    if prop.is_witness:
        raise TraceError(f"claims to violate {prop.name}, a situation that some run has to reach: regenerate it")
    if judge(trace, prop).holds:
        why = "which its run keeps, or breaks by neglecting a thread" if prop.of_runs else "which holds at its end"
        raise TraceError(f"claims to violate {prop.name}, {why}: regenerate it")


def shown(value: object) -> str:
    """A value from a file, on one line, short and free of control characters."""
    try:
        text = _clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    except RecursionError:
        text = "nested without end"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _clean(text: str, keep: str = "") -> str:
    """The text in one line without control characters, but for those that are to be kept."""
    spaces = "".join(" " if c.isspace() and c not in keep else c for c in text)
    return "".join(c if c.isprintable() or c in keep else "?" for c in re.sub(" +", " ", spaces).strip(" "))


def _file(kept: Kept) -> bytes:
    of = kept.run.instance
    whole = rebase(kept.run, all_asked(of.protocol, of.pages, of.in_flight, of.group))
    return to_itf(whole, kept.protocol, fingerprint(of))


FORMAT = StoryFormat((".itf.json", ".json"), "a trace", begins='{\n "#meta"', media="application/json", write=_file)
