"""The graph of a search in Numba: see `postcopy.explorer.edges`, whose plain Python it has to agree with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types

from postcopy.explorer.codegen import STAYS
from postcopy.explorer.compiled import Functions
from postcopy.explorer.lasso import Graph
from postcopy.explorer.search import MAX_SUCCESSORS

_WORDS = types.int64[::1]
_EXPAND = types.FunctionType(types.int64(_WORDS, types.int64, _WORDS, types.int64))
_CANONICAL = types.FunctionType(types.void(_WORDS, types.int64))
_EXAMINE = types.FunctionType(types.int64(_WORDS, types.int64))


@njit("int64(int64[::1], int64[::1], int32[::1], int64, int64)", cache=True, nogil=True)
def _find(keys: Any, states: Any, table: Any, at: int, words: int) -> int:
    """The slot of the key at `at`: where its state's number plus 1 stands, or an empty one."""
    mixed = np.uint64(0x9E3779B97F4A7C15)
    for k in range(words):
        mixed ^= np.uint64(keys[at + k])
        mixed *= np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(32)
    slot = np.int64(mixed) & (len(table) - 1)
    while table[slot] != 0:
        base = (np.int64(table[slot]) - 1) * words
        same = True
        for k in range(words):
            same &= states[base + k] == keys[at + k]
        if same:
            return slot  # type: ignore[return-value]
        slot = (slot + 1) & (len(table) - 1)
    return slot  # type: ignore[return-value]


@njit("int32[::1](int64[::1], int64)", cache=True, nogil=True)
def _index(states: Any, words: int) -> Any:
    """A hash table of the states' numbers plus 1, at most half full."""
    count = len(states) // words
    size = 1024
    while size < 2 * count:
        size *= 2
    table = np.zeros(size, dtype=np.int32)
    for at in range(count):
        table[_find(states, states, table, at * words, words)] = at + 1
    return table


@njit(types.int64(_EXPAND, _WORDS, types.int64, _WORDS), cache=True, nogil=True)
def _count(expand, states, words, first):
    """Count the edges that change the state; `first` gets where each state's begin."""
    out = np.empty(MAX_SUCCESSORS * (words + 1), dtype=np.int64)
    total = 0
    for at in range(len(first) - 1):
        first[at] = total
        for i in range(expand(states, at * words, out, 0)):
            to = i * (words + 1)
            same = True
            for k in range(words):
                same &= out[to + k] == states[at * words + k]
            if out[to + words] & STAYS == 0 and not same:
                total += 1
    first[len(first) - 1] = total
    return total


@njit(
    types.void(
        _EXPAND, _CANONICAL, _EXAMINE, _WORDS, types.int64, _WORDS, types.int32[::1],
        types.int32[::1], types.int16[::1], types.boolean[::1], _WORDS,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _fill(expand, canonical, examine, states, words, history, table, target, action, moves, found):
    """Write the edges in the order in which `_count` counted them."""
    out = np.empty(MAX_SUCCESSORS * (words + 1), dtype=np.int64)
    edge = 0
    for at in range(len(found)):
        found[at] = examine(states, at * words)
        for i in range(expand(states, at * words, out, 0)):
            to = i * (words + 1)
            changed = np.int64(0)
            more = False
            for k in range(words):
                difference = out[to + k] ^ states[at * words + k]
                changed |= difference
                more |= difference & ~history[k] != 0
            if out[to + words] & STAYS or changed == 0:
                continue
            action[edge] = out[to + words] & (STAYS - 1)
            moves[edge] = more
            canonical(out, to)
            target[edge] = table[_find(out, states, table, to, words)] - 1
            edge += 1


def expand_all(
    states: npt.NDArray[np.int64], history: list[int], functions: Functions, most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """As `edges.expand_interpreted`, of states as one array; int64[states, words]."""
    count, words = states.shape
    flat, first = np.ascontiguousarray(states).reshape(-1), np.zeros(count + 1, dtype=np.int64)
    total = int(_count(functions.expand, flat, words, first))
    if total > most:
        raise MemoryError
    target, action = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int16)
    moves, found = np.empty(total, dtype=np.bool_), np.empty(count, dtype=np.int64)
    _fill(
        functions.expand, functions.canonical, functions.examine, flat, words, np.array(history, dtype=np.int64),
        _index(flat, words), target, action, moves, found,
    )  # fmt: skip
    return Graph(first, target, action, moves), found
