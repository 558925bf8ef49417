"""The arrays that the compiled search for fair components works on, in records that Numba takes as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from postcopy.explorer.search.block import I64S, ROWS, SCRATCH, U32S, U64, U64S
from postcopy.explorer.search.records import Scratch

I64 = npt.NDArray[np.int64]

MOVES = 1 << 62
"""The bit of a step's units that says that it changes more than history; the units have the bits below."""


class Space(NamedTuple):
    """Room for the steps that leave some states of a search, and where that lies which makes them.

    What a compiled function is given is copied for each function that it calls, array by array. So those that only
    need steps have no more arrays than these.

    Attributes: as of `Whole`, and
        whole: where all that the whole has lies (see `by_address.record_at`); int64[values].
    """

    code: I64
    whole: I64
    ids: I64
    able: I64
    origin: I64
    target: I64
    leaf: I64
    moves: I64


class Whole(NamedTuple):
    """The states of a search, and room for the steps that leave some of them.

    Attributes:
        code: the addresses of the kernel's functions, and of `successor_loop.steps`; int64[4].
        states: the packed states; int64[states, words].
        table: what finds their numbers; uint32[entries].
        bits: bits of an entry's place in it.
        scratch: a worker's memory for one block.
        fired: counters that the kernel counts up, and nothing reads; uint64[2 * leaves].
        history: for each word, the bits of history; int64[words].
        own: for each leaf, the units whose step it is, as bits, and `MOVES`; int64[leaves].
        ids: the states to be expanded, by number; int64[BLOCK].
        able: for each of them, the units that can move in it, as bits, and `MOVES`; int64[BLOCK].
        origin: for each step, which of them it leaves; int64[most].
        target: the number of the state that it leads to; int64[most].
        leaf: its leaf; int64[most].
        moves: the units whose move it is, as bits, and `MOVES`; 0 where it changes history alone; int64[most].
        first: for each of the first states whose steps are kept the number of its first step, and at the end how many
            steps are kept; int64[states kept + 1].
        targets: for each kept step the number of the state that it leads to; int32[steps].
        leaves: its leaf, with `STAYS` where it changes history alone; uint16[steps].
    """

    code: I64
    states: I64
    table: npt.NDArray[np.uint32]
    bits: np.uint64
    scratch: Scratch
    fired: npt.NDArray[np.uint64]
    history: I64
    own: I64
    ids: I64
    able: I64
    origin: I64
    target: I64
    leaf: I64
    moves: I64
    first: I64
    targets: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.uint16]

    @property
    def space(self) -> Space:
        """The part that most functions need. It lives no longer than this."""
        whole = np.array(list(_values(self)), dtype=np.uint64).view(np.int64)
        return Space(self.code, whole, self.ids, self.able, self.origin, self.target, self.leaf, self.moves)


def _values(record: tuple[object, ...]) -> Iterator[int]:
    """The numbers that say what a record has: of an array where it is, its shape, and how far apart its items are."""
    for part in record:
        if isinstance(part, np.ndarray):
            yield from (part.ctypes.data, *part.shape, *part.strides)
        elif isinstance(part, tuple):
            yield from _values(part)
        else:
            assert isinstance(part, np.uint64)
            yield int(part)


SPACE = types.NamedUniTuple(I64S, len(Space._fields), Space)
WHOLE_FIELDS = (
    I64S, ROWS, U32S, U64, SCRATCH, U64S, I64S, I64S, I64S, I64S, I64S, I64S, I64S, I64S, I64S, types.int32[::1],
    types.uint16[::1],
)  # fmt: skip


class Work(NamedTuple):
    """Memory of the search for strongly connected components.

    Attributes:
        flags: what is known of each state (see `component_loop`); uint8[states].
        number: for each state its number in the search, or its component's; uint32[states].
        stack: states whose component is not complete; int32[candidates + 1].
        frames: the states on the way from a root to the state at hand; int32[candidates].
        places: where the list of what is still to be visited from each of them begins; int64[candidates].
        lists: these lists one behind the other, of which the oldest may be lost; int32[room].
        control: where it stands (see `component_loop`); int64[9].
    """

    flags: npt.NDArray[np.uint8]
    number: npt.NDArray[np.uint32]
    stack: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]
    places: I64
    lists: npt.NDArray[np.int32]
    control: I64


WORK_TYPE = types.NamedTuple(
    (types.uint8[::1], U32S, types.int32[::1], types.int32[::1], I64S, types.int32[::1], I64S), Work
)
