"""What the model's variables are in the engine: values of a world, values of a state of the model, and the differences.

Every variable of the model is compared, but for those in `NOT_COMPARED`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from postcopy.conformance.steps import command_of, reply_of
from postcopy.conformance.world import CPUS, STALE, World
from postcopy.engine.arrived_pages import pages_in
from postcopy.engine.destination_steps import State as DestinationState
from postcopy.engine.messages import Device, Discard, Page, ReceivedBitmap, Request, StreamMessage
from postcopy.engine.source import BROKEN_OFF, Phase
from postcopy.language.concrete import ConcreteInterpretation
from postcopy.language.instance import Instance, State
from postcopy.language.values import ConcretePages
from postcopy.model.changes.preempt import Fast
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.network import Command

NOT_COMPARED = {
    "guest.given_up": "the guest of the engine has no balloon: no page is ever given back",
}
"""Variables of the model that nothing in the engine stands for, and why."""


class InFlight(NamedTuple):
    """A message of the model on its way: its kind, its pages as bits, and whether its copy of them is stale."""

    kind: str
    pages: int
    stale: bool

    def __str__(self) -> str:
        return f"{self.kind}{f' {self.pages:b}' if self.pages else ''}{' (stale)' * self.stale}"


Value = bool | int | str | tuple[InFlight, ...]
"""Of a variable: sets of pages as bits, members of enumerations by name, all that is on a channel as one."""

_ON = {
    "stream": "what is on the stream",
    "return_path": "what is on the return path",
    "fast": "what is on the connection for urgent pages",
}


def _bits(pages: range) -> int:
    return sum(1 << page for page in pages)


def _waits(slot: int) -> Callable[[World], Value]:
    def value(world: World) -> Value:
        page = world.waiting[slot]
        return 0 if page is None else 1 << page

    return value


def _guest_runs(world: World) -> Value:
    """Whether the guest was started, as long as its core says the same."""
    if world.guest_started != world.destination.guest_runs:
        return "started, not by its core" if world.guest_started else "not started, and its core says that it runs"
    return world.guest_started


def _requests(world: World) -> int:
    group = world.geometry.group
    return sum(_bits(range(first, first + group)) for first in world.source.requests)


def _dirty(world: World) -> int:
    """What the log has is dirty as well, as long as it is read."""
    return int(world.source.dirty) | (world.dirty_log if world.source.phase <= Phase.PRECOPY else 0)


def _sent(world: World) -> int:
    """Between the switch and the sending of the discards the sent map holds these. With a QEMU there is no sent map."""
    discards = 0 if world.source.qemu else sum(map(_bits, world.source.discards))
    return discards or int(world.source.sent)


def _on_stream(world: World) -> tuple[InFlight, ...]:
    """An end that was read and not yet acted on still counts as on its way."""
    held = world.destination.end_seen and world.destination.listening
    found = [InFlight(Command.EOF.name, 0, False)] if held else []
    for unit in world.stream:
        for command in dict.fromkeys(command for m in unit if (command := command_of(m)) is not None):
            ends_precopy = command is Command.EOF and any(isinstance(m, Device) for m in unit)
            kind = Command.PRECOPY_END if ends_precopy else command
            pages = sum(_bits(part) for m in unit if command_of(m) is command for part in _pages(world, m))
            stale = any(isinstance(m, Page) and m.data == STALE for m in unit)
            found.append(InFlight(kind.name, pages, stale))
    return tuple(found)


def _pages(world: World, message: StreamMessage) -> Iterator[range]:
    if isinstance(message, Page):
        page = world.geometry.page(message.block, message.offset)
        yield range(page, page + 1)
    elif isinstance(message, Discard):
        for part in message.ranges:
            yield world.geometry.range(message.block, *part)


def _on_return_path(world: World) -> tuple[InFlight, ...]:
    found = []
    for reply in world.replies:
        pages = range(0)
        if isinstance(reply, Request):
            pages = world.geometry.range(reply.block, reply.offset, reply.length)
        bits = pages_in(world.geometry, reply) if isinstance(reply, ReceivedBitmap) else _bits(pages)
        if (kind := reply_of(reply)) is not None:
            found.append(InFlight(kind.name, bits, False))
    return tuple(found)


def _on_urgent(world: World) -> tuple[InFlight, ...]:
    """A host page is one message there."""
    found = []
    for unit in world.urgent:
        pages = sum(_bits(part) for message in unit for part in _pages(world, message))
        stale = any(isinstance(m, Page) and m.data == STALE for m in unit)
        found.append(InFlight(Command.PAGE.name if unit else Fast.HELLO.name, pages, stale))
    return tuple(found)


def _source_phase(world: World) -> str:
    """The model has recovery beside the phase, which stays as it was until it is known what has arrived."""
    phase = world.source.phase
    if world.source_dead:
        return "DEAD"
    if phase in (Phase.RELOADED, Phase.RESUMING):
        return Phase.POSTCOPY.name
    return (world.paused_in if phase in BROKEN_OFF else phase).name


_AT_SOURCE = {
    Phase.PAUSED: Recovering.PAUSED,
    Phase.RECONNECTED: Recovering.RECOVER,
    Phase.ASKED: Recovering.ASKED,
    Phase.RELOADED: Recovering.RELOADED,
    Phase.RESUMING: Recovering.RESUMING,
}
_AT_DESTINATION = {
    DestinationState.PAUSED: Recovering.PAUSED,
    DestinationState.WAITING: Recovering.LISTENING,
    DestinationState.RECOVERING: Recovering.RECOVER,
}


def _destination_state(world: World) -> str:
    state = world.destination.state
    return (DestinationState.RUNNING if state in _AT_DESTINATION else state).name


def _faulted(world: World) -> int:
    """Those that the kernel has, and those that the core has read and may not ask for yet."""
    return world.faults | sum(1 << page for page in world.destination.unread)


COMPARED: dict[str, Callable[[World], Value]] = {
    "source.phase": _source_phase,
    "source.running": lambda w: w.source.guest_may_run,
    "source.postcopy_capability": lambda w: w.source.capability,
    "source.start_postcopy": lambda w: w.source.switch_asked,
    "source.dirty": _dirty,
    "source.sent": _sent,
    "source.requests": _requests,
    "source.sending": lambda w: sum(1 << page for page in w.source.rest_of_host_page),
    "destination.state": _destination_state,
    "destination.main": lambda w: w.destination.main.name,
    "destination.running": _guest_runs,
    "destination.postcopy_capability": lambda w: w.destination.capability,
    "destination.host_support": lambda w: w.destination.host_support,
    "destination.return_path_open": lambda w: w.destination.return_path_open,
    "destination.locked": lambda w: w.locked,
    "destination.sensitive": lambda w: w.sensitive,
    "destination.devices_loaded": lambda w: w.devices_loaded,
    "destination.owes_shut": lambda w: w.destination.owes_shut,
    "destination.present": lambda w: int(w.destination.received),
    "destination.assembling": lambda w: sum(1 << page for page in w.destination.assembly),
    "destination.faulted": _faulted,
    "destination.device_waiting": _waits(CPUS),
    **{f"destination.waiting[{cpu}]": _waits(cpu) for cpu in range(CPUS)},
    "stream.up": lambda w: not w.broken,
    _ON["stream"]: _on_stream,
    "return_path.up": lambda w: not w.broken and w.accepted,
    _ON["return_path"]: _on_return_path,
    "wire.failed": lambda w: w.failed,
    "guest.stale_at_source": lambda w: w.stale_at_source,
    "guest.stale_at_destination": lambda w: w.stale,
    "guest.stale_in_assembly": lambda w: sum(1 << n for n, data in w.destination.assembly.items() if data == STALE),
}
"""What is compared, by the name of the model's variable; the places of a channel are compared as one."""

COMPARED_IN_RECOVERY: dict[str, Callable[[World], Value]] = {
    "source.recovery": lambda w: _AT_SOURCE.get(w.source.phase, Recovering.NO).name,
    "source.switched": lambda w: w.source.recoverable and w.source.phase <= Phase.COMPLETED,
    "destination.recovery": lambda w: _AT_DESTINATION.get(w.destination.state, Recovering.NO).name,
    "stream.listening": lambda w: w.awaited,
    "return_path.listening": lambda w: not w.accepted,
}
"""What is compared in addition where the cores recover the migration after a break."""


COMPARED_WITH_PREEMPT: dict[str, Callable[[World], Value]] = {
    "source.answered": lambda w: w.source.answered,
    "source.fast_open": lambda w: w.source.urgent_open,
    "destination.fast_ready": lambda w: w.destination.urgent_ready,
    "destination.assembling_urgent": lambda w: sum(1 << page for page in w.destination.urgent_assembly),
    "fast.up": lambda w: not w.broken,
    _ON["fast"]: _on_urgent,
}
"""What is compared in addition where the cores have a connection for urgent pages."""

COMPARED_WITH_BOTH: dict[str, Callable[[World], Value]] = {"fast.listening": lambda w: w.awaited}
"""What is compared in addition where the cores have both: in the model both connections are made by one step."""


def variables_of_channels(instance: Instance) -> dict[str, tuple[str, ...]]:
    """The variables of the model that one entry of `COMPARED` stands for, by the entry: the places of a channel."""
    return {
        _ON[name]: tuple(variable.name for slot in channel.slots for variable in slot.variables)
        for name, channel in instance.channels.items()
    }


def differences(world: World, expected: dict[str, Value]) -> list[str]:
    """What an engine and a state of the model do not agree on, each time the engine's value first."""
    compared = COMPARED
    if world.source.recovery:
        compared = compared | COMPARED_IN_RECOVERY
    if world.source.preempt:
        compared = compared | COMPARED_WITH_PREEMPT
    if world.source.recovery and world.source.preempt:
        compared = compared | COMPARED_WITH_BOTH
    return [
        f"{name}: {_words(ours)} and {_words(expected[name])}"
        for name, value in compared.items()
        if (ours := value(world)) != expected[name]
    ]


def expected_of(instance: Instance, model: State) -> dict[str, Value]:
    """The values of a state of the model."""
    interpretation = ConcreteInterpretation(instance, model)
    loaded = {variable.name: interpretation.load(variable) for variable in instance.variables}
    found: dict[str, Value] = {name: _value(value) for name, value in loaded.items() if value is not None}
    for name, channel in instance.channels.items():
        found[_ON[name]] = tuple(
            InFlight(
                str(_value(loaded[slot.kind.name])),
                int(_value(loaded[slot.pages.name])),
                any(loaded[mark.name] for mark in slot.marks.values()),
            )
            for slot in channel.slots
            if loaded[slot.kind.name] is not None
        )
    return found


def _value(value: object) -> bool | int | str:
    match value:
        case ConcretePages():
            return value.bits
        case Enum():
            return value.name
        case bool() | int():
            return value
    raise TypeError(f"{value!r} is no value of a variable")


def _words(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)
