"""The graph of a compiled search without its edges: the steps are made again whenever they are needed.

Beside its states and its table a search needs seven bytes for each state here, and sixteen more for each that may lie
on a cycle. Where there is room for more, the steps are kept, from the first states on: eight bytes a state and six a
step. `component_loop` has the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.kernel.numba_archive import inner
from postcopy.explorer.liveness.records import MOVES, Whole, Work
from postcopy.explorer.search import loops
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.records import Store
from postcopy.explorer.search.worker import Worker

BYTES_PER_STATE = 7
"""What is kept of each state while components are looked for: three sets of eight promises, or flags, and a number."""

BYTES_PER_CANDIDATE = 16
"""And of each state that may lie on a cycle, at most."""

BYTES_PER_STEP, BYTES_PER_KEPT_STATE = 6, 8
"""What is kept of a step, and of each state beside its steps, where there is room for them."""

TOGETHER = 8
"""Promises that are looked at together."""

LEAST_ROOM = 1 << 16
"""Places for what is still to be visited: with fewer, states are expanded too often."""

MOST_ROOM = 1 << 26

PIECE = 1 << 20
"""States that are gone through between two looks at the time."""

_HERE = Path(__file__).parent
_TEXTS = tuple(_HERE / name for name in ("records.py", "by_address.py", "successor_loop.py", "component_loop.py"))


_STEPS, _COMPONENTS = ("steps", "record"), ("spread", "count_steps", "remove", "components")
"""The compiled functions of the two modules, in the order in which a check needs them."""


def _texts_of(words: int) -> tuple[str, ...]:
    return (*loops.texts_of(words), *(path.read_text() for path in _TEXTS))


def is_compiled(words: int) -> bool:
    """Whether the compiled functions are in the cache, for states of so many words."""
    texts = _texts_of(words)
    steps, components = loops.functions_kept(texts[:-1]), loops.functions_kept(texts)
    return steps >= len(_STEPS) and components >= len(_COMPONENTS)


def compile_all(words: int) -> None:
    """Compile what is not in the cache of them, and keep it there."""
    module = load(words)
    for name in _STEPS + _COMPONENTS:
        getattr(module, name).compile()


@cache
def load(words: int) -> ModuleType:
    """The compiled functions for states of so many words; from the cache where they have been compiled."""
    loop, texts = loops.load(words), _texts_of(words)
    needed = {name: getattr(loop, name) for name in ("hash_of", "ask", "look_up", "number_in")}
    below = loops.module_of(_TEXTS[-2], texts[:-1], WORDS=words, **needed)
    passed = {name: getattr(below, name) for name in ("steps", "record", "successors")}
    return loops.module_of(_TEXTS[-1], texts, njit=inner, **passed)


@dataclass(frozen=True)
class Promised:
    """Which promises are made and kept in some states.

    Attributes:
        opens: the promises that are made and not kept at once, as bits; uint8[states].
        kept: the promises that are kept, as bits; uint8[states].
    """

    opens: npt.NDArray[np.uint8]
    kept: npt.NDArray[np.uint8]


class Recomputed:
    """The states of a search that is over, and the steps between them as they are needed.

    Args:
        loop: the compiled functions.
        whole: the states, for them.
        parents: for each state in the order of discovery its parent, or -1; int32[states].
        promised: what is promised in states from one to before another, of the eight promises from one on.
        units: how many units of fairness there are.
        strong: those that have to move if they can move again and again, as bits.
    """

    def __init__(
        self,
        loop: ModuleType,
        whole: Whole,
        parents: npt.NDArray[np.int32],
        promised: Callable[[int, int, int], Promised],
        units: int,
        strong: int,
    ) -> None:
        self.loop, self.whole, self.parents, self.promised = loop, whole, parents, promised
        self.space = whole.space
        """Where the steps of some states are made."""
        self.whole_with_kept, self.kept = whole, self.space
        """The same with the steps that are kept."""
        self.units, self.strong = (1 << units) - 1, strong
        self.count = len(parents)

    def expand(self, ids: npt.NDArray[np.int64]) -> int:
        """Make the steps from at most `BLOCK` states; how many there are. They lie in `space`, leaf by leaf."""
        self.space.ids[: len(ids)] = ids
        return int(self.loop.steps(self.space, len(ids)))

    def keep_steps(self, steps: int, max_bytes: int, pause: Callable[[], None]) -> int:
        """Keep the steps of as many states as half of the memory holds that is left over; how many bytes that takes.

        Args:
            steps: how many there are.
            max_bytes: what may be taken, for these and all that is to come.
            pause: is called between two pieces of work.
        """
        over = max_bytes - (BYTES_PER_STATE + BYTES_PER_CANDIDATE) * self.count - 4 * LEAST_ROOM
        room = min((over // 2 - BYTES_PER_KEPT_STATE * (self.count + 1)) // BYTES_PER_STEP, steps)
        if room <= 0:
            return 0
        first = np.zeros(self.count + 1, dtype=np.int64)
        targets, leaves = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.uint16)
        end = 0
        for begin, piece_end in pieces(self.count):
            end = int(self.loop.record(self.space, first, targets, leaves, begin, piece_end))
            pause()
            if end < piece_end:
                break
        self.whole_with_kept = self.whole._replace(first=first[: end + 1], targets=targets, leaves=leaves)
        self.kept = self.whole_with_kept.space
        return first.nbytes + targets.nbytes + leaves.nbytes


class OpenPromises:
    """For eight promises, in which states they can be open, and which of these lie in fair components.

    Args:
        graph: the states.
        first: the number of the first promise.
        max_bytes: what all this may take.
        pause: is called between two pieces of work.

    Attributes:
        max_bytes: what may be taken beside that which is kept of each state.
        opened: in which states promises can be open, as bits; uint8[states].
        kept: in which they are kept, as bits; uint8[states].
        flags: what is known of each state (see `component_loop`); uint8[states].
        number: the number of its component; uint32[states].

    Raises:
        MemoryError: it would take more; with the bytes that are missing.
    """

    def __init__(self, graph: Recomputed, first: int, max_bytes: int, pause: Callable[[], None]) -> None:
        self.graph, self.first, self._pause = graph, first, pause
        self.max_bytes = max_bytes - BYTES_PER_STATE * graph.count
        self._require(0)
        self.opened, self.kept, self.flags = (np.zeros(graph.count, dtype=np.uint8) for _ in range(3))
        self.number = np.zeros(graph.count, dtype=np.uint32)
        for begin, end in pieces(graph.count):
            found = graph.promised(first, begin, end)
            self.opened[begin:end], self.kept[begin:end] = found.opens, found.kept
        self._sweep(graph.loop.spread, self.opened, self.kept, self.flags)

    def _each(self, do: Callable[..., int], *arguments: object) -> int:
        """Go through all states once."""
        total = 0
        for begin, end in pieces(self.graph.count):
            total += do(self.graph.kept, *arguments, begin, end)
            self._pause()
        return total

    def _sweep(self, do: Callable[..., int], *arguments: object) -> int:
        """Go through all states until there is nothing more to do."""
        total = some = self._each(do, *arguments)
        while some:
            some = self._each(do, *arguments)
            total += some
        return total

    def open(self, promise: int) -> int:
        """In how many states a promise can be open."""
        return int(np.count_nonzero(self.opened & self.bit(promise)))

    def bit(self, promise: int) -> int:
        """The bit of a promise."""
        return 1 << promise - self.first

    def find_fair(self, promise: int) -> bool:
        """Whether a state of a fair component has a promise open; `flags` says which.

        Raises:
            MemoryError: it would take more than is allowed.
        """
        loop, flags, number = self.graph.loop, self.flags, self.number
        flags[:], number[:] = 0, 0
        left = self._each(loop.count_steps, self.opened, flags, self.bit(promise), number)
        if left:
            left -= self._sweep(loop.remove, flags, number, np.empty(LEAST_ROOM, dtype=np.int32))
        if not left:
            return False
        work = self._work(left)
        self._components(work)
        while work.control[loop.REPEAT]:
            again = flags & loop.AGAIN != 0
            flags &= loop.FAIR
            flags[again] |= loop.CANDIDATE
            self._components(work)
        return bool((flags & loop.FAIR).any())

    def component_of(self, state: int) -> npt.NDArray[np.int64]:
        """The states of the fair component of a state, in order; int64[states]."""
        loop, flags = self.graph.loop, self.flags
        flags &= loop.FAIR
        flags[flags != 0] |= loop.CANDIDATE
        work = self._work(int(np.count_nonzero(flags)))
        self._components(work, state, state + 1)
        return np.flatnonzero(self.number == self.number[state])

    def _work(self, candidates: int) -> Work:
        room = self._require(candidates)
        return Work(
            flags=self.flags,
            number=self.number,
            stack=np.empty(candidates + 1, dtype=np.int32),
            frames=np.empty(candidates, dtype=np.int32),
            places=np.empty(candidates, dtype=np.int64),
            lists=np.empty(min(room, MOST_ROOM), dtype=np.int32),
            control=np.zeros(self.graph.loop.REPEAT + 1, dtype=np.int64),
        )

    def _require(self, candidates: int) -> int:
        """How many places there is room for in lists, beside what so many candidates take.

        Raises:
            MemoryError: too few; with the bytes that are missing.
        """
        room = (self.max_bytes - BYTES_PER_CANDIDATE * candidates) // 4
        if room < LEAST_ROOM:
            raise MemoryError(4 * (LEAST_ROOM - room))
        return room

    def _components(self, work: Work, begin: int = 0, end: int | None = None) -> None:
        loop, graph = self.graph.loop, self.graph
        work.number[:], work.control[:] = 0, 0
        work.control[loop.ROOT], work.control[loop.END] = begin, graph.count if end is None else end
        work.control[loop.INDEX], work.control[loop.COMPONENT] = 1, loop.LAST_COMPONENT
        while not loop.components(graph.kept, work, graph.units, graph.strong, PIECE):
            self._pause()


def pieces(count: int) -> list[tuple[int, int]]:
    """Where so many states are cut into pieces: where each begins and ends."""
    return [(begin, min(begin + PIECE, count)) for begin in range(0, count, PIECE)]


def recomputed(
    machine: Machine,
    store: Store,
    history: list[int],
    own: npt.NDArray[np.bool_],
    action_of: Sequence[int],
    strong: npt.NDArray[np.bool_],
    asked: int,
) -> Recomputed:
    """The graph of a compiled search that has seen all states.

    Args:
        machine: what it ran on; each two witnesses of its protocol are one promise: it is made, it is kept.
        store: its states, which are as many as there are rows, and what finds them.
        history: see `state_graph.history_masks`.
        own: for each action and unit, whether it is a step of the unit; bool[actions, units].
        action_of: for each leaf, the index of its action.
        strong: whether a unit is strongly fair; bool[units].
        asked: how many promises there are.

    Raises:
        UsageError: there are more units than bits.
    """
    units = own.shape[1]
    if units >= MOVES.bit_length() - 1:
        raise UsageError(f"{units} threads and fair actions are too many to check what must happen in the end")
    code, worker, loop = machine.code, Worker(machine), load(machine.code.words)
    most = code.most
    mask = [MOVES | sum(1 << unit for unit in np.flatnonzero(own[action]).tolist()) for action in action_of]
    whole = Whole(
        code=np.append(code.addresses, loop.steps.address),
        states=store.states,
        table=store.table,
        bits=store.bits,
        scratch=worker.scratch,
        fired=np.zeros(2 * code.leaves, dtype=np.uint64),
        history=np.array(history, dtype=np.uint64).view(np.int64),
        own=np.array(mask, dtype=np.int64),
        ids=np.zeros(BLOCK, dtype=np.int64),
        able=np.zeros(BLOCK, dtype=np.int64),
        origin=np.zeros(most, dtype=np.int64),
        target=np.zeros(most, dtype=np.int64),
        leaf=np.zeros(most, dtype=np.int64),
        moves=np.zeros(most, dtype=np.int64),
        first=np.zeros(1, dtype=np.int64),
        targets=np.zeros(0, dtype=np.int32),
        leaves=np.zeros(0, dtype=np.uint16),
    )

    def promised(first: int, begin: int, end: int) -> Promised:
        said = np.zeros(end - begin, dtype=np.int64)
        machine.loop.examine(code.addresses, whole.states[begin:end], worker.scratch.block, said)
        opens, kept = (np.zeros(end - begin, dtype=np.uint8) for _ in range(2))
        for bit in range(min(TOGETHER, asked - first)):
            when, then = (said >> 2 * (first + bit) + half & 1 for half in range(2))
            opens |= (when & ~then).astype(np.uint8) << bit
            kept |= then.astype(np.uint8) << bit
        return Promised(opens, kept)

    strongly = sum(1 << unit for unit in np.flatnonzero(strong).tolist())
    return Recomputed(loop, whole, store.parents, promised, units, strongly)
