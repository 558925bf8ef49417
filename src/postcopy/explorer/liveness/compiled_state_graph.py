"""The graph of a compiled search: every stored state is expanded once more, and its successors are looked up."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from postcopy.cache import user_cache
from postcopy.explorer.kernel import calling_convention as convention
from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.kernel.numba_archive import NumbaArchive
from postcopy.explorer.liveness.lasso import Graph
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.shard import table_of
from postcopy.explorer.search.worker import Worker

COMPARE = (
    "void(int64[:, ::1], int64, int64[:, ::1], int64, uint32[::1], int64[::1], int64[::1], boolean[::1], boolean[::1])"
)
PLACE = (
    "void(int64[::1], int64, int64, uint32[::1], int64[::1], boolean[::1], boolean[::1], int16[::1], int64[::1],"
    "int32[::1], int16[::1], boolean[::1])"
)

stays, leaf_number = njit(convention.stays), njit(convention.leaf_number)


def _compare(states, begin, out, count, origin, label, history, changes, moves):
    """Say of each successor whether its state changes, and whether more than history does."""
    for j in range(count):
        changed = more = False
        for k in range(len(out)):
            difference = out[k, j] ^ states[begin + origin[j], k]
            changed |= difference != 0
            more |= difference & ~history[k] != 0
        changes[j] = changed and not stays(label[j])
        moves[j] = more


def _place(numbers, count, begin, origin, label, changes, moved, action_of, free, target, action, moves):
    """Write the edges of a block to where `free` says that each state's next edge goes."""
    for j in range(count):
        if changes[j]:
            edge = free[begin + origin[j]]
            free[begin + origin[j]] += 1
            target[edge] = numbers[j]
            action[edge] = action_of[leaf_number(label[j])]
            moves[edge] = moved[j]


@cache
def _compiled() -> tuple[Any, Any]:
    """`_compare` and `_place` as machine code."""
    archive = NumbaArchive(
        user_cache(), "graph.pickle", Path(__file__).read_text(), Path(convention.__file__).read_text()
    )
    functions = archive.compiled(COMPARE)(_compare), archive.compiled(PLACE)(_place)
    archive.keep()
    return functions


def expand_all(
    states: npt.NDArray[np.int64], history: list[int], machine: Machine, actions: list[int], most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """The graph, and what `examine` says of each state.

    Args:
        states: the packed states, closed under successors; int64[states, words].
        history: see `state_graph.history_masks`.
        machine: what they are expanded with.
        actions: for each leaf, the index of its action.
        most: edges that there is room for.

    Raises:
        MemoryError: there are more.
    """
    count, (code, loop) = len(states), machine
    compare, place = _compiled()
    action_of = np.array(actions, dtype=np.int16)
    worker = Worker(machine)
    out, origin, label = worker.scratch.out, worker.scratch.origin, worker.scratch.label
    changes, moved = (np.empty(len(origin), dtype=np.bool_) for _ in range(2))
    numbers = np.empty(len(origin), dtype=np.int64)
    masks = np.array(history, dtype=np.uint64).view(np.int64)

    def block(begin: int) -> int:
        made = worker.expand(states, begin, min(begin + BLOCK, count))
        compare(states, begin, out, made, origin, label, masks, changes, moved)
        return made

    first = np.zeros(count + 1, dtype=np.int64)
    for begin in range(0, count, BLOCK):
        made = block(begin)
        origins = origin[:made][changes[:made]]
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
        loop.canonical(code.addresses, out, np.uint64(made))
        loop.find(table, bits, states, out, made, numbers)
        assert made == 0 or numbers[:made].min() >= 0, "a successor is not among the states"
        place(numbers, made, begin, origin, label, changes, moved, action_of, free, target, action, moves)
    loop.examine(code.addresses, states, worker.scratch.block, found)
    return Graph(first, target, action, moves), found
