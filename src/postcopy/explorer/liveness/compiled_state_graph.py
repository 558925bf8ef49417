"""The graph of a search in Numba. It has to agree with the plain Python of `postcopy.explorer.liveness.state_graph`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from postcopy.explorer.kernel.compiled import Machine
from postcopy.explorer.kernel.expression_code import BLOCK, STAYS
from postcopy.explorer.liveness.lasso import Graph
from postcopy.explorer.search.interpreted import Question
from postcopy.explorer.search.shard import Hand, table_of


@njit(
    "void(int64[:, ::1], int64, int64[:, ::1], int64, uint32[::1], int64[::1], int64[::1], boolean[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def _compare(states, begin, out, count, origin, label, history, changes, moves):
    """Say of each successor whether its state changes, and whether more than an observer's knowledge does."""
    for j in range(count):
        changed = more = False
        for k in range(len(out)):
            difference = out[k, j] ^ states[begin + origin[j], k]
            changed |= difference != 0
            more |= difference & ~history[k] != 0
        changes[j] = changed and label[j] & STAYS == 0
        moves[j] = more


@njit(
    "void(int64[::1], int64, int64, uint32[::1], int64[::1], boolean[::1], boolean[::1], int16[::1], int64[::1],"
    "int32[::1], int16[::1], boolean[::1])",
    cache=True,
    nogil=True,
)
def _place(numbers, count, begin, origin, label, changes, moved, action_of, free, target, action, moves):
    """Write the edges of a block to where `free` says that each state's next edge goes."""
    for j in range(count):
        if changes[j]:
            edge = free[begin + origin[j]]
            free[begin + origin[j]] += 1
            target[edge] = numbers[j]
            action[edge] = action_of[label[j] & (STAYS - 1)]
            moves[edge] = moved[j]


def expand_all(
    states: npt.NDArray[np.int64], history: list[int], machine: Machine, question: Question, most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """As `edges.expand_interpreted`, of states as one array; int64[states, words]."""
    count, loop = len(states), machine.loop
    hand = Hand(machine, question)
    changes, moved = (np.empty(len(hand.origin), dtype=np.bool_) for _ in range(2))
    numbers = np.empty(len(hand.origin), dtype=np.int64)
    masks = np.array(history, dtype=np.uint64).view(np.int64)
    action_of = np.array(question.numbering.action_of, dtype=np.int16)

    def block(begin: int) -> int:
        made = hand.expand(states, begin, min(begin + BLOCK, count))
        _compare(states, begin, hand.out, made, hand.origin, hand.label, masks, changes, moved)
        return made

    first = np.zeros(count + 1, dtype=np.int64)
    for begin in range(0, count, BLOCK):
        made = block(begin)
        origins = hand.origin[:made][changes[:made]]
        first[begin + 1 : begin + 1 + BLOCK] = np.bincount(origins, minlength=min(BLOCK, count - begin))
    np.cumsum(first, out=first)
    total = int(first[-1])
    if total > most:
        raise MemoryError
    target, action = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int16)
    moves, found = np.empty(total, dtype=np.bool_), np.empty(count, dtype=np.int64)
    table, bits = table_of(machine, states)
    free = first.copy()
    for begin in range(0, count, BLOCK):
        made = block(begin)
        loop.canonical(machine.code, hand.out, np.uint64(made))
        loop.find(table, bits, states, hand.out, made, numbers)
        assert made == 0 or numbers[:made].min() >= 0, "a successor is not among the states"
        _place(
            numbers, made, begin, hand.origin, hand.label, changes, moved, action_of, free, target, action, moves
        )  # fmt: skip
    loop.examine(machine.code, states, hand.block, found)
    return Graph(first, target, action, moves), found
