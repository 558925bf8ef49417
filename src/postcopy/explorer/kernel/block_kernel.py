"""A kernel's machine code as Python calls it, for a block of states at a time.

The compiled loop calls the same functions by their addresses; here `ctypes` does, without Numba.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.calling_convention import BLOCK, STAYS, is_bad, successors_of
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.machine_code import MachineCode

_NUMBER, _ARRAY, _COLUMNS = (ctypes.c_int64,), (ctypes.c_void_p,), (ctypes.c_void_p, ctypes.c_int64)


class Steps(NamedTuple):
    """The steps from a block of states that change something, in the order in which a search enters them.

    Attributes:
        after: the states after the steps, before a renaming; uint64[words, steps].
        stored: those that are stored for them.
        origin: which state of the block each step leaves; int64[steps].
        action: the index of its action; int16[steps].
        fired: for each leaf, how often it was taken, and behind that how often that changed something;
            uint64[2 * leaves].
        stuck: the states of the block in which nothing but the environment can move.
    """

    after: npt.NDArray[np.uint64]
    stored: list[Words]
    origin: npt.NDArray[np.int64]
    action: npt.NDArray[np.int16]
    fired: npt.NDArray[np.uint64]
    stuck: list[int]


class BlockKernel:
    """A kernel's machine code as Python calls it, with memory for a block of states and its successors.

    Args:
        code: the machine code.
        action_of: for each leaf, the index of its action.
    """

    def __init__(self, code: MachineCode, action_of: Sequence[int]) -> None:
        self._code, most, rows = code, code.most, code.rows * code.row_length
        self._action_of = np.array(action_of, dtype=np.int16)
        self._block = np.zeros((code.words, BLOCK), dtype=np.uint64)
        self._out = np.zeros((code.words, most), dtype=np.uint64)
        self._origin, self._label = np.zeros(most, dtype=np.uint32), np.zeros(most, dtype=np.int64)
        self._fired, self._moved = np.zeros(2 * code.leaves, dtype=np.uint64), np.zeros(BLOCK, dtype=np.uint64)
        self._found = np.zeros(BLOCK, dtype=np.int64)
        self._scratch: list[npt.NDArray[Any]] = [
            np.zeros(length, dtype=kind)
            for length, kind in ((rows, np.uint32), (code.row_length, np.uint32), (rows, np.int64))
        ]
        made: tuple[npt.NDArray[Any], ...] = (self._origin, self._label, self._fired, self._moved, *self._scratch)
        self._states, self._successors = (self._block.ctypes.data, BLOCK), (self._out.ctypes.data, most)
        self._places = tuple(array.ctypes.data for array in made)
        self._call_expand, self._call_canonical, self._call_examine = (
            ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(address)
            for address, kinds in zip(
                code.native.addresses,
                (
                    _COLUMNS + 2 * _NUMBER + _COLUMNS + len(made) * _ARRAY,
                    _COLUMNS + _NUMBER,
                    _COLUMNS + 2 * _NUMBER + _ARRAY,
                ),
                strict=True,
            )
        )

    def expand(self, states: Sequence[Words]) -> Steps | None:
        """The steps from at most `BLOCK` states; None where one of them is bad."""
        n, out = self._take(states), self._out
        self._fired[:] = self._moved[:] = 0
        found = self._call_expand(*self._states, 0, n, *self._successors, *self._places)
        if is_bad(found):
            return None
        count = successors_of(found)
        origin, label = self._origin[:count], self._label[:count]
        some = np.flatnonzero((out[:, :count] != self._block[:, origin]).any(axis=0) & (label & STAYS == 0))
        after = out[:, some]
        out[:, : len(some)] = after
        self._call_canonical(*self._successors, len(some))
        return Steps(
            after,
            list(zip(*out[:, : len(some)].tolist(), strict=True)),
            origin[some].astype(np.int64),
            self._action_of[label[some] & STAYS - 1],
            self._fired,
            np.flatnonzero(self._moved[:n] == 0).tolist(),
        )

    def canonical(self, state: Words) -> Words:
        """The state that is stored for one."""
        self._out[:, 0] = state
        self._call_canonical(*self._successors, 1)
        return tuple(self._out[:, 0].tolist())

    def examine(self, states: Sequence[Words]) -> list[int]:
        """What `examine` says of each of some states."""
        said: list[int] = []
        for begin in range(0, len(states), BLOCK):
            n = self._take(states[begin : begin + BLOCK])
            self._call_examine(*self._states, 0, n, self._found.ctypes.data)
            said += self._found[:n].tolist()
        return said

    def _take(self, states: Sequence[Words]) -> int:
        """Put states into the block; returns how many."""
        self._block[:, : len(states)] = np.array(states, dtype=np.uint64).T
        return len(states)
