"""A fair lasso in a graph whose steps are made again: the nearest fair component, a way to it, and a round in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.liveness.history_bits import history_masks
from postcopy.explorer.liveness.lasso import Lasso
from postcopy.explorer.liveness.lasso_run import Found, StoredStep
from postcopy.explorer.liveness.recomputed import TOGETHER, OpenPromises, recomputed
from postcopy.explorer.liveness.records import MOVES
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.findings import Space
from postcopy.explorer.search.shard import words_of

Ids = npt.NDArray[np.int64]

BYTES_PER_STEM_STATE = 8
"""What is kept of each state that a search for the stem comes to: its number, and that of the state before it."""

_PROMISE = -1
"""In the place of a state before: the search began in this one."""


@dataclass(frozen=True)
class Hop:
    """A step between two stored states.

    Attributes:
        target: the number of the state that it leads to.
        leaf: its leaf.
        moves: whether it changes more than history.
    """

    target: int
    leaf: int
    moves: bool


@dataclass
class _Level:
    """States that a search breadth first comes to after as many steps, in order, and one before each; int32[states]."""

    ids: npt.NDArray[np.int32]
    parents: npt.NDArray[np.int32]

    @classmethod
    def joined(cls, parts: list[_Level]) -> _Level:
        """Those of some parts, which all differ."""
        ids = np.concatenate([part.ids for part in parts])
        order = np.argsort(ids)
        return cls(ids[order], np.concatenate([part.parents for part in parts])[order])

    @classmethod
    def of(cls, ids: Ids, parents: Ids) -> _Level:
        """Some states in order, and one before each."""
        return cls(ids.astype(np.int32), parents.astype(np.int32))


@dataclass(frozen=True)
class _Steps:
    """Steps from a few states: origin, target, leaf and moving units of each; and the units able in each state."""

    origin: Ids
    target: Ids
    leaf: Ids
    moves: Ids
    able: Ids


def _back(levels: list[_Level], state: int) -> list[int]:
    """The states on the way to one of the last level, the first one included."""
    way = []
    for level in reversed(levels):
        at = int(np.searchsorted(level.ids, state))
        way.append(state)
        state = int(level.parents[at])
        if state == _PROMISE:
            break
    return way[::-1]


class LassoSearch:
    """Looks for a run once it is known which states lie in fair components.

    Args:
        promises: what is known of the states; `flags` has the fair ones.
        promise: the number of the promise that is to be broken.
    """

    def __init__(self, promises: OpenPromises, promise: int) -> None:
        self.promises, self.graph, self.bit = promises, promises.graph, promises.bit(promise)
        self.flags, self.loop = promises.flags, promises.graph.loop

    def find(self) -> Lasso[int, Hop]:
        """A fair lasso with a stem as short as any.

        Raises:
            MemoryError: it would take more than is allowed.
        """
        way = self._way()
        members = self.promises.component_of(way[-1])
        stem = tuple(self._hop(a, b)[0] for a, b in pairwise(way))
        return Lasso(way[0], stem, self._round(way[-1], members))

    # -- the stem -----------------------------------------------------------------------------------------------------

    def _way(self) -> list[int]:
        """The states from an initial one to the nearest one in a fair component, by steps after the promise.

        Raises:
            MemoryError: it would take more than is allowed; with the bytes that are missing at least.
        """
        levels: list[_Level] = []
        grown: list[_Level] = []
        kept = 0
        for begin, end in self._levels():
            starts = self._promising(begin, end)
            levels.append(_Level.joined([*grown, _Level.of(starts, np.full(len(starts), _PROMISE))]))
            kept += BYTES_PER_STEM_STATE * len(levels[-1].ids)
            if kept > self.promises.max_bytes:
                raise MemoryError(kept - self.promises.max_bytes)
            fair = levels[-1].ids[self.flags[levels[-1].ids] & self.loop.FAIR != 0]
            if len(fair):
                after = _back(levels, int(fair[0]))
                return [*self._before(after[0]), *after]
            grown = self._grow(levels[-1].ids)
        raise AssertionError("no state of a fair component is reached with the promise open")

    def _levels(self) -> Iterator[tuple[int, int]]:
        """Where the states after 0, 1, 2, … steps begin and end; for ever empty behind the last ones."""
        parents, begin, end = self.graph.parents, 0, _first(self.graph.parents, 0)
        while True:
            yield begin, end
            begin, end = end, _first(parents, end)

    def _promising(self, begin: int, end: int) -> Ids:
        """The states of a level of the search in which the promise is made, and that were not come to with it open."""
        if begin == end:
            return np.zeros(0, dtype=np.int64)
        made = self.graph.promised(self.promises.first, begin, end).opens & self.bit
        starts = begin + np.flatnonzero((made != 0) & (self.flags[begin:end] & self.loop.SEEN == 0))
        self.flags[starts] |= self.loop.SEEN
        return starts

    def _before(self, state: int) -> list[int]:
        """The states before one on a shortest run to it."""
        way: list[int] = []
        while (state := int(self.graph.parents[state])) >= 0:
            way.append(state)
        return way[::-1]

    def _grow(self, ids: npt.NDArray[np.int32]) -> list[_Level]:
        """Go one step from some states, with the promise open, to others that were not come to before."""
        found = []
        for some in _blocks(ids):
            steps = self._steps(some)
            found.append(self._fresh(steps, self.promises.opened[steps.target] & self.bit != 0))
        return found

    def _steps(self, ids: Ids) -> _Steps:
        """The steps from at most `BLOCK` states."""
        count, space = self.graph.expand(ids), self.graph.space
        return _Steps(
            ids[space.origin[:count]], space.target[:count].copy(), space.leaf[:count].copy(),
            space.moves[:count].copy(), space.able[: len(ids)].copy(),
        )  # fmt: skip

    def _fresh(self, steps: _Steps, allowed: npt.NDArray[np.bool_]) -> _Level:
        """Where allowed steps lead that no earlier one has led to."""
        fresh = allowed & (self.flags[steps.target] & self.loop.SEEN == 0)
        found, where = np.unique(steps.target[fresh], return_index=True)
        self.flags[found] |= self.loop.SEEN
        return _Level.of(found, steps.origin[fresh][where])

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _round(self, home: int, members: Ids) -> tuple[Hop, ...]:
        """A way from a state of a fair component back to it on which no unit is neglected; empty where it can idle."""
        graph, possible = self.graph, 0
        for some in _blocks(members):
            possible |= int(np.bitwise_or.reduce(self._steps(some).able))
        excused = graph.units & ~(graph.strong & possible)
        missing = graph.units & ~(excused & ~self._able(home))
        here, hops = home, list[Hop]()
        while missing:
            way = self._search(here, missing, excused)
            for a, b in pairwise(way):
                hop, moved = self._hop(a, b, missing)
                hops.append(hop)
                missing &= ~(moved | excused & ~self._able(b))
            here = way[-1]
        if here != home:
            way = self._search(here, 0, 0, home)
            hops += [self._hop(a, b)[0] for a, b in pairwise(way)]
        return tuple(hops)

    def _search(self, here: int, missing: int, excused: int, home: int | None = None) -> list[int]:
        """A short way, of at least one step, within the component of a state.

        Args:
            here: the state.
            missing: the way ends where one of these units moves, or cannot move and is excused.
            excused: those that are excused where they cannot move.
            home: the way ends in this state instead.
        """
        number = self.promises.number
        self.flags &= 255 - self.loop.SEEN
        self.flags[here] |= self.loop.SEEN
        levels = [_Level.of(np.array([here]), np.array([_PROMISE]))]
        while len(levels[-1].ids):
            grown = []
            for some in _blocks(levels[-1].ids):
                steps = self._steps(some)
                ends = np.flatnonzero(missing & excused & ~steps.able)
                if len(ends) and len(levels) > 1:
                    return _back(levels, int(some[ends[0]]))
                inside = number[steps.target] == number[here]
                last = np.flatnonzero(inside & (steps.moves & missing != 0 if home is None else steps.target == home))
                if len(last):
                    return [*_back(levels, int(steps.origin[last[0]])), int(steps.target[last[0]])]
                grown.append(self._fresh(steps, inside))
            levels.append(_Level.joined(grown))
        raise AssertionError("a strongly connected component is not connected")

    def _able(self, state: int) -> int:
        """The units that can move in a state."""
        return int(self._steps(np.array([state])).able[0])

    def _hop(self, state: int, target: int, missing: int = 0) -> tuple[Hop, int]:
        """A step from a state to another, if possible one of missing units; and the units whose move it is."""
        steps = self._steps(np.array([state]))
        there = np.flatnonzero(steps.target == target)
        best = max(there.tolist(), key=lambda j: int(steps.moves[j] & missing).bit_count())
        moved = int(steps.moves[best])
        return Hop(target, int(steps.leaf[best]), bool(moved & MOVES)), moved


def _blocks(ids: Ids | npt.NDArray[np.int32]) -> Iterator[Ids]:
    """At most `BLOCK` states at a time."""
    for begin in range(0, len(ids), BLOCK):
        yield ids[begin : begin + BLOCK].astype(np.int64)


def _first(parents: npt.NDArray[np.int32], least: int) -> int:
    """The first state whose parent has at least this number: parents of a level lie in the level before it."""
    low, high = 0, len(parents)
    while low < high:
        middle = (low + high) // 2
        if parents[middle] >= least:
            high = middle
        else:
            low = middle + 1
    return low


def recomputed_answers(
    space: Space,
    own: npt.NDArray[np.bool_],
    strong: npt.NDArray[np.bool_],
    asked: int,
    max_bytes: int,
    pause: Callable[[], None],
) -> Iterator[Found]:
    """What is found of each promise in the graph of a compiled search, whose steps are made again.

    Args:
        space: the search, of which each two witnesses are one promise: it is made, it is kept.
        own: for each action and unit, whether it is a step of the unit; bool[actions, units].
        strong: whether a unit is strongly fair; bool[units].
        asked: how many promises there are.
        max_bytes: what may be taken beside the search.
        pause: is called now and then.

    Raises:
        MemoryError: it would take more.
        UsageError: there are too many units.
    """
    kernel, search = space.kernel, space.search
    assert isinstance(search, Compiled)
    action_of = kernel.labels.action_of
    store, count = search.shard.store, space.findings.states
    seen = store._replace(states=store.states[:count], parents=store.parents[:count])
    graph = recomputed(search.machine, seen, history_masks(kernel.layout), own, action_of, strong, asked)

    max_bytes -= graph.keep_steps(sum(space.findings.changed), max_bytes, pause)

    def words(state: int) -> Words:
        return words_of(graph.whole.states[state])

    def step(hop: Hop) -> StoredStep:
        return StoredStep(action_of[hop.leaf], words(hop.target), hop.moves)

    for first in range(0, asked, TOGETHER):
        promises = OpenPromises(graph, first, max_bytes, pause)
        for promise in range(first, min(first + TOGETHER, asked)):
            lasso = None
            if promises.find_fair(promise):
                lasso = LassoSearch(promises, promise).find().told(words, step)
            yield Found(promises.open(promise), lasso)
        del promises  # before the next ones take their memory
