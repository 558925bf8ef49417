"""Whether the engine's cores refine the model: every interleaving of their threads, at small sizes.

Each move of the controlled world is some model actions in a row, or none. Search goes through all pairs of a world and
the model state that its moves have led to. Two things can be wrong: the model cannot take the step, or it can and the
two do not agree afterwards. As the model's properties hold in all of its states, they hold of all of the engine's then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial

from postcopy.conformance.steps import ACTIONS, BREAKS, CPU_TOUCHES, DEVICE_TOUCH
from postcopy.conformance.world import CPUS, STALE, StaleRead, World
from postcopy.engine.destination import State
from postcopy.engine.errors import EngineError
from postcopy.engine.log import Record, Step
from postcopy.engine.messages import (
    Advise,
    Device,
    Discard,
    Eof,
    Message,
    OpenReturnPath,
    Packaged,
    Page,
    Ping,
    Pong,
    Request,
)
from postcopy.engine.source import Phase
from postcopy.language.concrete import ConcreteInterpretation, take
from postcopy.language.instance import Instance
from postcopy.language.instance import State as ModelState
from postcopy.language.single_run import SingleRun
from postcopy.language.values import ConcretePages
from postcopy.model.postcopy import Postcopy

ENVIRONMENT = ("operator", "network", "source guest", "vCPU", "device load", "source host", "destination host")
"""Who may act and never has to."""


@dataclass(frozen=True)
class Failure:
    """A shortest run of the engine that is none of the model's.

    Attributes:
        moves: what happened, in order.
        why: what is wrong with the last.
        rule: the rule of the action that could not be taken, if that is what is wrong.
    """

    moves: tuple[str, ...]
    why: str
    rule: str = ""


@dataclass
class Refinement:
    """What the search found.

    Attributes:
        states: pairs of a world and a model state.
        failure: a shortest run that is none of the model's, or None.
        actions: how often each model action was taken.
    """

    states: int = 0
    transitions: int = 0
    failure: Failure | None = None
    actions: dict[str, int] = field(default_factory=dict)
    complete: bool = False


def refine(
    start: World, *, limit: int | None = None, progress: Callable[[int, int], None] = lambda _states, _frontier: None
) -> Refinement:
    """Search all interleavings from a world in which nothing has happened.

    Args:
        start: the world.
        limit: stop after so many states; the result is then not complete.
    """
    return _Search(start, limit, progress).run()


class _Search:
    def __init__(self, start: World, limit: int | None, progress: Callable[[int, int], None]) -> None:
        self.instance = Instance(Postcopy, start.geometry.pages, start.capacity, group=start.geometry.group)
        self.actions = {action.name: action for action in self.instance.actions}
        self.take = cache(self._take)
        self.expected = cache(partial(expected_of, self.instance))
        self.start, self.limit, self.progress = start, limit, progress
        self.result = Refinement()
        self.parents: dict[object, tuple[object, str]] = {}

    def run(self) -> Refinement:
        wanted = {
            "source.postcopy_capability": self.start.source.capability,
            "destination.postcopy_capability": self.start.destination.capability,
            "destination.host_support": self.start.destination.host_support,
        }
        (first,) = (s for s in self.instance.initial_states() if self._has(s, wanted))
        key = (self.start.key(), first)
        self.parents[key] = (None, "")
        frontier = deque([(self.start, first, key)])
        while frontier:
            world, model, key = frontier.popleft()
            moved = False
            for name, move in world.moves():
                moved = moved or not name.startswith(ENVIRONMENT)
                after = world.copy()
                try:
                    move(after)
                except StaleRead as error:
                    return self._fail(key, name, str(error))
                except EngineError as error:
                    return self._fail(key, name, f"{type(error).__name__}: {error}")
                reached = self._follow(key, name, world, after, model)
                if reached is None:
                    return self.result
                self.result.transitions += 1
                node = (after.key(), reached)
                if node not in self.parents:
                    self.parents[node] = (key, name)
                    frontier.append((after, reached, node))
            if not moved and not _may_rest(world):
                return self._fail(key, "", "deadlock: no thread can move, and the migration is not over")
            self.result.states += 1
            if self.result.states % 1000 == 0:
                self.progress(self.result.states, len(frontier))
            if self.limit and self.result.states >= self.limit:
                return self.result
        self.result.complete = True
        return self.result

    def _has(self, state: ModelState, wanted: dict[str, bool]) -> bool:
        index = self.instance.index
        return all(state[index[self.instance.variable[name]]] == value for name, value in wanted.items())

    def _follow(self, key: object, name: str, world: World, after: World, model: ModelState) -> ModelState | None:
        """Take the model along; None where it cannot come."""
        for action, page in actions_of(name, world, after.records):
            following = self.take(model, action, page)
            if following is None:
                guard = self._why_not(model, action, page)
                self._fail(key, name, f"{action} is not possible: {guard}", self.actions[action].info.rule)
                return None
            self.result.actions[action] = self.result.actions.get(action, 0) + 1
            model = following
        different = differences(after, self.expected(model))
        if different:
            self._fail(key, name, "afterwards engine and model differ in " + "; ".join(different))
            return None
        return model

    def _take(self, model: ModelState, action: str, page: int | None) -> ModelState | None:
        step = take(self.instance, model, self.actions[action], page)
        return None if step is None else step.state

    def _why_not(self, model: ModelState, action: str, page: int | None) -> str:
        interpretation = SingleRun(self.instance, self.instance.pages, self.instance.group, {})
        interpretation.become(ConcreteInterpretation(self.instance, model))
        forbidden = interpretation.take(self.actions[action], 1 << page if page is not None else 0)
        return f"{forbidden.guard} ({forbidden.where}) does not hold" if forbidden else "the channel is full"

    def _fail(self, key: object, name: str, why: str, rule: str = "") -> Refinement:
        moves = [name] if name else []
        while key is not None:
            key, move = self.parents[key]
            if move:
                moves.append(move)
        self.result.failure = Failure(tuple(reversed(moves)), why, rule)
        return self.result


def differences(world: World, expected: dict[str, object]) -> list[str]:
    """What an engine and a state of the model do not agree on, each time the engine's value first."""
    return [
        f"{name}: {_told(ours)} and {_told(expected[name])}"
        for name, ours in _observed(world).items()
        if ours != expected[name]
    ]


def expected_of(instance: Instance, model: ModelState) -> dict[str, object]:
    """A state of the model in the values that `_observed` has; sets of pages as bits."""
    interpretation = ConcreteInterpretation(instance, model)
    found: dict[str, object] = {}
    for variable in instance.variables:
        value = interpretation.load(variable)
        found[variable.name] = value.bits if isinstance(value, ConcretePages) else getattr(value, "name", value)
    for name, channel in instance.channels.items():
        found[_ON[name]] = [
            (kind, found[slot.pages.name], any(found[mark.name] for mark in slot.marks.values()))
            for slot in channel.slots
            if (kind := found[slot.kind.name]) is not None
        ]
    return found


_ON = {"stream": "what is on the stream", "return_path": "what is on the return path"}


def _observed(world: World) -> dict[str, object]:
    """The model's variables as they are in the engine; sets of pages as bits."""
    source, destination, group = world.source, world.destination, world.geometry.group
    waits = world.waiting[CPUS]
    return {
        "source.phase": "DEAD" if world.source_dead else source.phase.name,
        "source.running": source.guest_may_run,
        "source.start_postcopy": source.switch_asked,
        "source.dirty": int(source.dirty) | (world.dirty_log if source.phase <= Phase.PRECOPY else 0),
        "source.sent": sum(map(_bits, source.discards)) or int(source.sent),
        "source.requests": sum(_bits(range(first, first + group)) for first in source.requests),
        "source.sending": sum(1 << page for page in source.rest_of_host_page),
        "destination.state": destination.state.name,
        "destination.main": destination.main.name,
        "destination.running": destination.guest_runs,
        "destination.owes_shut": destination.owes_shut,
        "destination.present": int(destination.received),
        "destination.assembly": sum(1 << page for page in destination.assembly),
        "destination.faulted": world.faults,
        "destination.device_waiting": 0 if waits is None else 1 << waits,
        **{f"destination.waiting[{n}]": 0 if w is None else 1 << w for n, w in enumerate(world.waiting[:CPUS])},
        _ON["stream"]: _on_stream(world),
        _ON["return_path"]: _on_return_path(world),
        "guest.stale_at_source": world.stale_at_source,
        "guest.stale_at_destination": world.stale,
    }


OnTheWay = tuple[str, int, bool]
"""A message of the model: its kind, its pages as bits, and whether it is marked stale."""


def _on_stream(world: World) -> list[OnTheWay]:
    """What is on the stream, in the model's words; an end that was read and not yet acted on still counts as there."""
    held = world.destination.end_seen and world.destination.listening
    found: list[OnTheWay] = [("EOF", 0, False)] if held else []
    for unit in world.stream:
        pages = [m for m in unit if isinstance(m, Page)]
        if pages:
            found.append(("PAGE", 1 << world.geometry.page(pages[0].block, pages[0].offset), pages[0].data == STALE))
        elif isinstance(unit[0], Discard):
            discards = [world.geometry.range(m.block, *r) for m in unit if isinstance(m, Discard) for r in m.ranges]
            found.append(("DISCARD", sum(map(_bits, discards)), False))
        elif isinstance(unit[-1], Eof):
            found.append(("PRECOPY_END" if any(isinstance(m, Device) for m in unit) else "EOF", 0, False))
        else:
            names = [_COMMANDS[type(m)] for m in unit if type(m) in _COMMANDS]
            found += [(name, 0, False) for name in names]
    return found


_COMMANDS: dict[type[Message], str] = {
    OpenReturnPath: "OPEN_RETURN_PATH",
    Ping: "PING",
    Advise: "ADVISE",
    Packaged: "PACKAGED",
}


def _on_return_path(world: World) -> list[OnTheWay]:
    found: list[OnTheWay] = []
    for reply in world.replies:
        if isinstance(reply, Request):
            found.append(("REQ_PAGES", _bits(world.geometry.range(reply.block, reply.offset, reply.length)), False))
        else:
            name = "PONG" if isinstance(reply, Pong) else "SHUT_ERROR" if reply.status else "SHUT_OK"
            found.append((name, 0, False))
    return found


def _told(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    words = [f"{name}{f' {pages:b}' if pages else ''}{' (stale)' * stale}" for name, pages, stale in value]
    return ", ".join(words) or "nothing"


def _bits(pages: range) -> int:
    return sum(1 << page for page in pages)


def _may_rest(world: World) -> bool:
    if world.source.phase == Phase.IDLE:
        return True
    return world.source.over and world.destination.state >= State.END and not any(w is not None for w in world.waiting)


def actions_of(name: str, world: World, records: list[Record]) -> Iterator[tuple[str, int | None]]:
    """The model actions of a move, each with its page."""
    who, _, what = name.partition(": ")
    page = int(what.rsplit(" ", 1)[1]) if what[-1:].isdigit() else None
    if who == "network":
        yield (
            {
                "loses the connection": BREAKS,
                "loses the newest on the stream": "wire.loses_newest_on_stream",
                "loses the newest on the return path": "wire.loses_newest_on_return_path",
            }[what],
            None,
        )
    elif what == "dies":
        yield f"{who.removesuffix(' host')}.host_dies", None
        return
    elif who == "source guest":
        yield "source.guest_writes", page
    elif what.startswith("writes"):
        yield "destination.cpu_writes[0]", page
    elif what.startswith("touches"):
        assert page is not None
        if not world.present >> page & 1:
            yield DEVICE_TOUCH if who == "device load" else CPU_TOUCHES[int(who.removeprefix("vCPU "))], page
    for record in (step for made in records for step in made.steps):
        if record.step is not Step.DIRTIED:
            yield ACTIONS[record.step], page if record.step is Step.REQUESTED else record.page
        if record.step is Step.SENT_PRECOPY and world.dirty_log >> (record.page or 0) & 1:
            yield ACTIONS[Step.DIRTIED], record.page  # written before it was sent, and logged: as if written again
