"""A stored counterexample of a faulty protocol, tried on the sound engine: it has to refuse somewhere; this says where.

The engine is driven move by move so that its steps are those of the run. As pages have no names in the model, every
naming of them is tried, and the one that comes furthest counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from postcopy.conformance.comparison import differences, expected_of
from postcopy.conformance.moves import TOUCHERS, Kind, Move, Outside, moves
from postcopy.conformance.steps import CPU_READS, CPU_TOUCHES, DEVICE_TOUCH
from postcopy.conformance.world import StaleRead, World
from postcopy.engine.errors import EngineError
from postcopy.engine.log import Thread
from postcopy.errors import UsageError
from postcopy.language.channels import Channel
from postcopy.language.instance import Instance, State
from postcopy.language.trace import Trace
from postcopy.model.fault import Fault
from postcopy.model.postcopy import Postcopy

BEYOND_THE_CORES = ("destination.balloon_takes",)
"""Actions of the model that no core decides on."""


@dataclass(frozen=True)
class Refusal:
    """Where the engine does not go along.

    Attributes:
        number: which step of the run, from 1; one more than there are where the engine went along to the end.
        action: that step.
        how: in words.
        rule: the rule that the run's protocol lacks, and the engine has.
        could: what the engine could do instead.
    """

    number: int
    action: str
    how: str
    rule: str
    could: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """The engine refused."""
        return self.how != ""


def replay(run: Trace) -> Refusal:
    """Drive the engine along a run.

    Raises:
        UsageError: the run's protocol is not the document's, or lacks a part of it, or has a connection that the engine
            does not have.
    """
    instance = run.instance
    _check_fits(instance)
    group = instance.group
    hosts = range(instance.pages // group)
    best: Refusal | None = None
    for order in permutations(hosts):
        names = [order[page // group] * group + page % group for page in range(instance.pages)]
        found = _Replay(run, names).result()
        if best is None or found.number > best.number:
            best = found
    assert best is not None
    return best


def _check_fits(instance: Instance) -> None:
    name, ours = instance.protocol.__name__, "the engine is one of the document's protocol"
    if not issubclass(instance.protocol, Postcopy):
        raise UsageError(f"{name} is not derived from Postcopy, so no engine can be driven along its runs: {ours}")
    if strange := [channel for channel in instance.channels if channel not in Postcopy.parts(Channel)]:
        raise UsageError(f"{name} has a channel {strange[0]}, which the engine does not have: {ours}")
    whole = Instance(Postcopy, instance.pages, instance.in_flight, group=instance.group)
    if lacking := [v.name for v in whole.variables if v.name not in instance.variable]:
        raise UsageError(f"{name} has no {lacking[0]}, which the engine has: {ours}")


class _Replay:
    def __init__(self, run: Trace, names: list[int]) -> None:
        self.run, self.names = run, names
        instance = run.instance
        self.rule = run.instance.protocol.rule if issubclass(run.instance.protocol, Fault) else ""
        self.threads = {action.name: action.thread for action in Instance(Postcopy, instance.pages, 1).actions}
        self.world = World.new(instance.pages, instance.in_flight, instance.group)
        initial = {v.name: bool(value) for v, value in zip(instance.variables, run.initial, strict=True)}
        self.world.source.capability = initial["source.postcopy_capability"]
        self.world.destination.capability = initial["destination.postcopy_capability"]
        self.world.destination.host_support = initial["destination.host_support"]

    def result(self) -> Refusal:
        for number, step in enumerate(self.run.steps, start=1):
            name, page = step.action.name, self.names[step.page] if isinstance(step.page, int) else None
            if isinstance(step.page, tuple):
                return self._refusal(number, name, "the engine has no step of two pages")
            if name in BEYOND_THE_CORES:
                return self._refusal(number, name, f"the cores do not decide on {name}")
            if step.action.thread != self.threads.get(name, step.action.thread):
                return self._refusal(number, name, f"the engine leaves this to the {self.threads[name]}")
            try:
                following = _reach(self.world, name, page)
            except (EngineError, StaleRead) as error:
                return self._refusal(number, name, str(error))
            if following is None:
                return self._refusal(number, name, "the engine does not do this here")
            different = differences(following, expected_of(self.run.instance, self._renamed(step.state)))
            if different:
                return self._refusal(number, name, "the engine does this differently: " + "; ".join(different))
            self.world = following
        if self.run.violated == "no-deadlock" and self._could():
            number = len(self.run.steps) + 1
            return self._refusal(number, "", "where the run stands still for ever, the engine goes on")
        return Refusal(len(self.run.steps) + 1, "", "", self.rule, self._could())

    def _refusal(self, number: int, name: str, how: str) -> Refusal:
        return Refusal(number, name, how, self.rule, self._could())

    def _could(self) -> tuple[str, ...]:
        return tuple(str(move) for move in moves(self.world) if not move.environment)

    def _renamed(self, state: State) -> State:
        return renamed(self.run.instance, state, self.names)


def renamed(instance: Instance, state: State, names: list[int]) -> State:
    """The same state with other names for its pages."""

    def bits(value: int) -> int:
        return sum(1 << names[page] for page in range(len(names)) if value >> page & 1)

    pages = [variable.sort.name == "PAGES" for variable in instance.variables]
    return tuple(bits(value) if is_set else value for is_set, value in zip(pages, state, strict=True))


def _reach(world: World, action: str, page: int | None) -> World | None:
    """The world after a move that is this action, and perhaps after some before it that are none in the model."""
    waiting = [world]
    seen = {world.key()}
    while waiting:
        here = waiting.pop(0)
        for move in moves(here):
            after = here.copy()
            if _is_look(move, action, page):
                move.do(after)
                return after
            try:
                move.do(after)
            except (EngineError, StaleRead):
                continue
            done = list(move.actions(here, after.records))
            if [what for what, _ in done] == [action] and (page is None or done[0][1] == page):
                return after
            if not done and _is_quiet(move) and after.key() not in seen:
                seen.add(after.key())
                waiting.append(after)
    return None


def _is_quiet(move: Move) -> bool:
    """A move that may be no action of the model: of the migration thread, or reading what the model does not have."""
    return move.who is Thread.MIGRATION or (
        move.who is Thread.MAIN and move.kind in (Kind.RECEIVES, Kind.RECEIVES_PAGES)
    )


def _is_look(move: Move, action: str, page: int | None) -> bool:
    """A touch of a page that is there is a step of the model too, but changes nothing."""
    if move.kind is not Kind.TOUCHES or move.page != page or not isinstance(move.who, Outside):
        return False
    slot = TOUCHERS.index(move.who)
    return action in ((*CPU_TOUCHES, DEVICE_TOUCH)[slot], (*CPU_READS, DEVICE_TOUCH)[slot])
