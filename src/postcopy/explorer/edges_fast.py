"""The graph of a search in Numba: see `postcopy.explorer.edges`, whose plain Python it has to agree with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from postcopy.explorer.compiled import Machine
from postcopy.explorer.lasso import Graph
from postcopy.explorer.search import Question
from postcopy.explorer.shard import Shard
from postcopy.explorer.writing import BLOCK, STAYS

_U = np.uint64


@njit("uint64(int64[:, ::1], int64, int64[:, ::1], int32[::1])", cache=True, nogil=True)
def _find(keys: Any, at: int, states: Any, table: Any) -> Any:
    """The slot of a key: where its state's number plus 1 stands, or an empty one."""
    mixed = _U(0x9E3779B97F4A7C15)
    for k in range(len(keys)):
        mixed = (mixed ^ _U(keys[k, at])) * _U(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> _U(32)
    mask = _U(len(table) - 1)
    slot = mixed & mask
    while table[slot] != 0:
        same = True
        for k in range(len(keys)):
            same &= states[k, table[slot] - 1] == keys[k, at]
        if same:
            return slot
        slot = (slot + _U(1)) & mask
    return slot


@njit("int32[::1](int64[:, ::1])", cache=True, nogil=True)
def _index(states: Any) -> Any:
    """A hash table of the states' numbers plus 1, at most half full."""
    count = states.shape[1]
    size = 1024
    while size < 2 * count:
        size *= 2
    table = np.zeros(size, dtype=np.int32)
    for at in range(count):
        table[_find(states, at, states, table)] = at + 1
    return table


@njit(
    "void(int64[:, ::1], int64, int64[:, ::1], int64, uint32[::1], int64[::1], int64[::1], boolean[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def _compare(states, begin, out, count, origin, label, history, changes, moves):
    """Say of each successor whether its state changes, and whether more than an observer's knowledge does."""
    for j in range(count):
        changed = more = False
        for k in range(len(states)):
            difference = out[k, j] ^ states[k, begin + origin[j]]
            changed |= difference != 0
            more |= difference & ~history[k] != 0
        changes[j] = changed and label[j] & STAYS == 0
        moves[j] = more


@njit(
    "void(int64[:, ::1], int64[:, ::1], int64, int64, uint32[::1], int64[::1], boolean[::1], boolean[::1],"
    "int16[::1], int32[::1], int64[::1], int32[::1], int16[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def _place(
    states, out, count, begin, origin, label, changes, moved, action_of, table, free, target, action, moves
):  # fmt: skip
    """Write the edges of a block to where `free` says that each state's next edge goes."""
    for j in range(count):
        if changes[j]:
            edge = free[begin + origin[j]]
            free[begin + origin[j]] += 1
            target[edge] = table[_find(out, j, states, table)] - 1
            action[edge] = action_of[label[j] & (STAYS - 1)]
            moves[edge] = moved[j]


def expand_all(
    states: npt.NDArray[np.int64], history: list[int], machine: Machine, question: Question, most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """As `edges.expand_interpreted`, of states as one array; int64[states, words]."""
    columns = np.ascontiguousarray(states.T)
    count = len(states)
    shard = Shard(machine, question, 0, 1, 0)  # for its scratch memory
    changes, moved = (np.empty(len(shard.origin), dtype=np.bool_) for _ in range(2))
    masks = np.array(history, dtype=np.uint64).view(np.int64)
    action_of = np.array(question.numbering.action_of, dtype=np.int16)

    def block(begin: int) -> int:
        made = shard.expand(columns, begin, min(begin + BLOCK, count))
        _compare(columns, begin, shard.out, made, shard.origin, shard.label, masks, changes, moved)
        return made

    first = np.zeros(count + 1, dtype=np.int64)
    for begin in range(0, count, BLOCK):
        made = block(begin)
        origins = shard.origin[:made][changes[:made]]
        first[begin + 1 : begin + 1 + BLOCK] = np.bincount(origins, minlength=min(BLOCK, count - begin))
    np.cumsum(first, out=first)
    total = int(first[-1])
    if total > most:
        raise MemoryError
    target, action = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int16)
    moves, found = np.empty(total, dtype=np.bool_), np.empty(count, dtype=np.int64)
    table, free = _index(columns), first.copy()
    for begin in range(0, count, BLOCK):
        made = block(begin)
        machine.loop.canonical(machine.code, shard.out, np.uint64(made))
        _place(
            columns, shard.out, made, begin, shard.origin, shard.label, changes, moved, action_of, table, free, target,
            action, moves,
        )  # fmt: skip
    machine.loop.examine(machine.code, columns, found)
    return Graph(first, target, action, moves), found
