"""A kernel's text as machine code does what Python does with the same text, modulo 2 to the 64th."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postcopy.cache import Cache
from postcopy.explorer.kernel import compiler as native

TEXT = """
def sorted_pair(a, b):
    if a > b:
        a, b = b, a
    return a, b

def bits(a):
    found = 0
    while a != 0:
        a ^= a & -a
        found += 1
    return found

def early(a, b):
    if a == b and (b & 1) == 0 or a == 7:
        return 5
    return a >> 3

def expand_block(states, n, out, origin, lists, label):
    m = 0
    for i in range(n):
        lists[m + 4] = i
        m += (states[0, i] & 255) < 100
    count = 0
    for t in range(m):
        i = lists[t + 4]
        low, high = sorted_pair(states[0, i], states[1, i])
        keep = (low != high) | (low == 3)
        out[0, count] = high - low if keep else low + 1
        out[1, count] = (low << 7 | ~high & 65535) * 3 ^ bits(high)
        origin[count] = i
        label[count] = early(low, high)
        count += 1
    return count | (count >= 2) << 62
"""

WORD = (1 << 64) - 1


class Wrapping(dict[Any, int]):
    """An array for Python: what is written is taken modulo 2 to the 64th."""

    def __setitem__(self, at: Any, value: int) -> None:
        super().__setitem__(at, int(value) & WORD)


def as_python(states: list[tuple[int, int]]) -> tuple[int, list[tuple[int, int, int, int]]]:
    names: dict[str, Any] = {}
    exec(TEXT, names)
    columns, out, origin, lists, label = (Wrapping() for _ in range(5))
    for i, (a, b) in enumerate(states):
        columns[0, i], columns[1, i] = a, b
    found = names["expand_block"](columns, len(states), out, origin, lists, label)
    count = found & 0xFFFF
    return found, [(out[0, j], out[1, j], origin[j], label[j]) for j in range(count)]


def as_machine_code(states: list[tuple[int, int]], directory: Path) -> tuple[int, list[tuple[int, int, int, int]]]:
    code = native.load(TEXT, ("expand_block",), Cache(directory))
    size = len(states) + 5
    columns, out = np.zeros((2, size), np.uint64), np.zeros((2, size + 1), np.uint64)
    origin, lists, label = np.zeros(size, np.uint32), np.zeros(size, np.uint32), np.zeros(size, np.uint64)
    for i, words in enumerate(states):
        columns[:, i] = words
    pointers = [array.ctypes.data for array in (columns, out, origin, lists, label)]
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 8)(code.addresses[0])
    found = call(pointers[0], size, len(states), pointers[1], size + 1, *pointers[2:])
    rows = zip(*(column[: found & 0xFFFF].tolist() for column in (*out, origin, label)), strict=True)
    return found, [tuple(row) for row in rows]


WORDS = st.one_of(st.integers(0, WORD), st.integers(0, 9))


@given(st.lists(st.tuples(WORDS, WORDS), max_size=8))
@example([(1 << 63, 5), (3, 3), (7, 1 << 63), (WORD, 0), (2, 2)])
def test_machine_code_does_what_python_does(
    tmp_path_factory: pytest.TempPathFactory, states: list[tuple[int, int]]
) -> None:
    directory = tmp_path_factory.getbasetemp() / "machine-code"
    assert as_machine_code(states, directory) == as_python(states)


@pytest.mark.parametrize("line", ["del n", "n = [1]", "n = n / 2", "for i in n: n = i", "n = print"])
def test_what_a_kernel_has_not_is_refused(line: str) -> None:
    with pytest.raises((SyntaxError, KeyError)):
        native.translate(f"def expand_block(n):\n    {line}\n    return n\n", ("expand_block",))


def test_machine_code_is_made_once_and_kept_under_its_text(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    native.load(TEXT, ("expand_block",), cache)
    (kept,) = tmp_path.glob("*.o")
    made = kept.stat().st_mtime_ns
    native.load(TEXT, ("expand_block",), cache)
    assert kept.stat().st_mtime_ns == made
    assert cache.path(native.KIND, native.key_of(TEXT)) == kept
    assert native.kept(TEXT + "\n", cache) is None
