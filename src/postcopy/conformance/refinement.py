"""Whether the engine's cores refine the model: every interleaving of their threads, at small sizes.

Each move of the controlled world is some model actions in a row, or none. Search goes through all pairs of a world and
the model state that its moves have led to. Two things can be wrong: the model cannot take the step, or it can and the
two do not agree afterwards. As the model's properties hold in all of its states, they hold of all of the engine's then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial

from postcopy.catalogue.composition import compose
from postcopy.conformance.comparison import differences, expected_of
from postcopy.conformance.moves import Move, moves
from postcopy.conformance.world import StaleRead, World
from postcopy.engine.destination_steps import State
from postcopy.engine.errors import EngineError
from postcopy.engine.log import Thread
from postcopy.engine.source import Phase
from postcopy.language.concrete import ConcreteInterpretation, take
from postcopy.language.instance import Instance
from postcopy.language.instance import State as ModelState
from postcopy.language.protocol import Protocol
from postcopy.language.single_run import SingleRun
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.recovery import Recovery
from postcopy.model.changes.recovery_with_preempt import RecoveryWithPreempt
from postcopy.model.changes.whole_bitmap import WholeBitmapDiscard
from postcopy.model.postcopy import Postcopy


@dataclass(frozen=True)
class Failure:
    """A shortest run of the engine that is none of the model's.

    Attributes:
        moves: all moves in order, in words.
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
        self.instance = Instance(_protocol(start), start.geometry.pages, start.capacity, group=start.geometry.group)
        self.actions = {action.name: action for action in self.instance.actions}
        self.take = cache(self._take)
        self.expected = cache(partial(expected_of, self.instance))
        self.start, self.limit, self.progress = start, limit, progress
        self.result = Refinement()
        self.parents: dict[object, tuple[object, Move | None]] = {}

    def run(self) -> Refinement:
        wanted = {
            "source.postcopy_capability": self.start.source.capability,
            "destination.postcopy_capability": self.start.destination.capability,
            "destination.host_support": self.start.destination.host_support,
        }
        (first,) = (s for s in self.instance.initial_states() if self._has(s, wanted))
        key = (self.start.key(), first)
        self.parents[key] = (None, None)
        frontier = deque([(self.start, first, key)])
        while frontier:
            world, model, key = frontier.popleft()
            moved = False
            for move in moves(world):
                after = world.copy()
                try:
                    move.do(after)
                except StaleRead as error:
                    return self._fail(key, move, str(error))
                except EngineError as error:
                    return self._fail(key, move, f"{type(error).__name__}: {error}")
                reached = self._follow(key, move, world, after, model)
                if reached is None:
                    return self.result
                self.result.transitions += 1
                node = (after.key(), reached)
                moved = moved or (not move.environment and node != key)  # a step that changes nothing leads nowhere
                if node not in self.parents:
                    self.parents[node] = (key, move)
                    frontier.append((after, reached, node))
            if not moved and not _may_rest(world):
                return self._fail(key, None, "deadlock: no thread can move, and the migration is not over")
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

    def _follow(self, key: object, move: Move, world: World, after: World, model: ModelState) -> ModelState | None:
        """The state of the model after the same move; None where the model has no such step, which is a failure, as is
        a step that the log has from another thread."""
        for record in after.records:
            if isinstance(move.who, Thread) and record.thread is not move.who:
                self._fail(key, move, f"the log has {record.step.value!r} from the {record.thread}")
                return None
        for action, page in move.actions(world, after.records):
            following = self.take(model, action, page)
            if following is None:
                guard = self._why_not(model, action, page)
                self._fail(key, move, f"{action} is not possible: {guard}", self.actions[action].info.rule)
                return None
            self.result.actions[action] = self.result.actions.get(action, 0) + 1
            model = following
        different = differences(after, self.expected(model))
        if different:
            self._fail(key, move, "afterwards engine and model differ in " + "; ".join(different))
            return None
        return model

    def _take(self, model: ModelState, action: str, page: int | None) -> ModelState | None:
        step = take(self.instance, model, self.actions[action], page)
        if step is not None and step.error is not None:
            raise step.error
        return None if step is None else step.state

    def _why_not(self, model: ModelState, action: str, page: int | None) -> str:
        interpretation = SingleRun(self.instance, self.instance.pages, self.instance.group, {})
        interpretation.become(ConcreteInterpretation(self.instance, model))
        forbidden = interpretation.take(self.actions[action], 1 << page if page is not None else 0)
        return f"{forbidden.guard} ({forbidden.where}) does not hold" if forbidden else "the channel is full"

    def _fail(self, key: object, last: Move | None, why: str, rule: str = "") -> Refinement:
        made = [] if last is None else [last]
        while key is not None:
            key, move = self.parents[key]
            if move is not None:
                made.append(move)
        self.result.failure = Failure(tuple(str(move) for move in reversed(made)), why, rule)
        return self.result


OF_CORES: dict[tuple[bool, bool], type[Postcopy]] = {
    (False, False): Postcopy,
    (True, False): Recovery,
    (False, True): Preempt,
    (True, True): RecoveryWithPreempt,
}
"""What cores are held against, with recovery or without, and with a connection for urgent pages or without."""


def _protocol(start: World) -> type[Protocol]:
    """The model of these cores."""
    core = start.source
    more = OF_CORES[core.recovery, core.preempt]
    if not core.qemu:
        return more
    whole = ("whole-bitmap", WholeBitmapDiscard)
    return WholeBitmapDiscard if more is Postcopy else compose([whole, (more.__name__, more)])


def _may_rest(world: World) -> bool:
    """Not started; or over, or waiting for the operators, at both hosts."""
    phase, state = world.source.phase, world.destination.state
    if phase == Phase.IDLE:
        return True
    if state in (State.PAUSED, State.WAITING):
        return (world.source.over or phase is Phase.PAUSED) and (state is State.PAUSED or world.awaited)
    rests = world.source.over or (phase is Phase.PAUSED and state >= State.END)
    return rests and state >= State.END and not any(w is not None for w in world.waiting)
