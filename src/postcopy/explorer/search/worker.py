"""What one worker of a compiled search has to itself: memory for a block, and notes of what it has found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.calling_convention import BLOCK, REST_BIT
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.records import Notes, Scratch
from postcopy.explorer.search.status import STATUS, WITNESSES, Status

ALONE_UNTIL = 20_000
"""Number of states up to which one worker is as fast as several."""

LINE = 64
"""Bytes of a line of the processor's cache."""


class Worker:
    """One worker.

    Attributes:
        machine: what it runs on.
        scratch: its memory for one block.
        notes: what it has found.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, code = machine, machine.code
        words, most = code.words, code.most
        self.scratch = Scratch(
            block=np.zeros((words, BLOCK), dtype=np.int64),
            out=np.zeros((words, most), dtype=np.int64),
            origin=np.zeros(most, dtype=np.uint32),
            label=np.zeros(most, dtype=np.int64),
            moved=np.zeros(BLOCK, dtype=np.uint64),
            hashes=np.zeros(most, dtype=np.uint64),
            every=np.arange(most, dtype=np.uint32),
            own=np.zeros(most, dtype=np.uint32),
            others=np.zeros(most, dtype=np.uint32),
            new=np.zeros(most, dtype=np.uint32),
            new_of=np.zeros(most, dtype=np.uint32),
            seen=np.zeros(most, dtype=np.int64),
            lists=np.zeros(code.rows * code.row_length, dtype=np.uint32),
            items=np.zeros(code.row_length, dtype=np.uint32),
            picks=np.zeros(code.rows * code.row_length, dtype=np.int64),
        )
        self.notes = Notes(
            control=lines(8 * (WITNESSES + 1)).view(np.int64),
            numbers=lines(8 * 2).view(np.int64),
            fired=lines(8 * 2 * code.leaves).view(np.uint64),
            first=lines(8 * REST_BIT).view(np.int64),
        )
        self.notes.first[:] = -1

    @property
    def status(self) -> Status:
        """How it stands."""
        return Status(int(self.notes.control[STATUS]))

    def expand(self, states: npt.NDArray[np.int64], begin: int, end: int) -> int:
        """Make the successors of states and count them; those of one block are left in its scratch memory."""
        fired = self.notes.fired.copy()
        code, loop = self.machine
        return int(loop.expand(code.addresses, states, begin, end, self.scratch, fired))

    def successors(self, states: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The successors of some states, as they are stored, and which state each is of.

        Args:
            states: int64[count, words].
        """
        found, origins = [], []
        states = np.ascontiguousarray(states)
        code, loop = self.machine
        for begin in range(0, len(states), BLOCK):
            count = self.expand(states, begin, min(begin + BLOCK, len(states)))
            loop.canonical(code.addresses, self.scratch.out, np.uint64(count))
            found.append(self.scratch.out[:, :count].T.copy())
            origins.append(self.scratch.origin[:count].astype(np.int64) + begin)
        return np.concatenate(found), np.concatenate(origins)


def lines(count: int) -> npt.NDArray[np.uint8]:
    """So many bytes, all zero, on lines of the processor's cache that hold nothing else; uint8[count]."""
    whole = np.zeros((count // LINE + 2) * LINE, dtype=np.uint8)
    skip = -whole.ctypes.data % LINE
    return whole[skip : skip + count]
