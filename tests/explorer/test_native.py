"""A kernel's text as machine code does what Python does with the same text, modulo 2 to the 64th."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postcopy.cache import Cache
from postcopy.explorer.kernel import compiler as native
from postcopy.explorer.kernel import translation
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY

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


@settings(deadline=None)
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
        translation.translate(f"def expand_block(n):\n    {line}\n    return n\n", ("expand_block",))


def test_machine_code_is_made_once_and_kept_under_its_text(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    native.load(TEXT, ("expand_block",), cache)
    (kept,) = tmp_path.glob("*.o")
    made = kept.stat().st_mtime_ns
    native.load(TEXT, ("expand_block",), cache)
    assert kept.stat().st_mtime_ns == made
    assert cache.path(native.KIND, native.key_of(TEXT)) == kept
    assert native.kept(TEXT + "\n", cache) is None


AT_ONCE = """
def keys(states, at, n, passes):
    for i in lanes(128):
        w0 = states[0, at + i]
        there = i < n
        passes[0, i] = there
        passes[1, i] = False
        passes[2, i] = False
        passes[3, i] = there & ((w0 & 3) != 1)

def action0(states, at, key, p0, passes, out):
    count = 0
    if (passes[2 * key] | passes[2 * key + 1]) != 0:
        for i in lanes(128):
            w0 = states[0, at + i]
            w1 = states[1, at + i]
            s0 = w0 >> 3 & 1023
            s1 = ((s0 & -s0) ^ (4095 & ~w1)) * 5 + (s0 << 1)
            way = passes[key, i] & ((s1 & p0) == 0)
            test1 = (w1 > s0) | (s1 <= 77)
            test2 = ((w0 if test1 else s1) & 12) >= (4 if w1 < p0 else w1 & 3)
            yes1 = way & test1
            no1 = way & (not test1)
            passes[1, i] = yes1 & test2
            passes[2, i] = no1 | (not test2) & way
            passes[0, i] = False
        count += ones(passes[2 * 1]) + ones(passes[2 * 1 + 1])
        for half in range(2):
            some = passes[2 * 2 + half]
            while some != 0:
                i = lowest(some) + 64 * half
                some &= some - 1
                out[0, count] = i
                count += 1
    return count

def expand_block(states, at, n, p0, out):
    passes = room(8)
    keys(states, at, n, passes)
    first = passes[0] + passes[1]
    count = action0(states, at, 3, p0, passes, out)
    second = passes[2] ^ passes[3] * 3 ^ passes[0] ^ passes[1]
    return count + (first ^ second) * 1024
"""


class Rows(dict[Any, int]):
    """`passes` for Python: bits of rows, and words of 64 of them."""

    def __setitem__(self, at: Any, value: object) -> None:
        row, i = at
        word, bit = 2 * row + i // 64, 1 << i % 64
        super().__setitem__(word, self.get(word, 0) & ~bit | (bit if value else 0))

    def __getitem__(self, at: Any) -> int:
        if isinstance(at, tuple):
            return int(self.get(2 * at[0] + at[1] // 64, 0)) >> int(at[1]) % 64 & 1
        return int(self.get(at, 0))


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=128), WORDS)
@example([(k * 0x9E3779B97F4A7C15 & WORD, k**9 & WORD) for k in range(128)], 4)
@example([(0, 9)] * 65, 0)
def test_several_passes_at_once_do_what_each_does(
    tmp_path_factory: pytest.TempPathFactory, states: list[tuple[int, int]], p0: int
) -> None:
    code = native.load(AT_ONCE, ("expand_block",), Cache(tmp_path_factory.getbasetemp() / "machine-code"))
    columns, out, count = np.full((2, 130), WORD, np.uint64), np.zeros((1, 400), np.uint64), len(states)
    columns[:, 2 : 2 + count] = np.array(states, dtype=np.uint64).T
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 7)(code.addresses[0])
    found = call(columns.ctypes.data, 130, 2, count, p0, out.ctypes.data, 400)

    names: dict[str, Any] = {"lanes": range, "room": lambda _: Rows(), "ones": int.bit_count}
    names["lowest"] = lambda bits: (bits & -bits).bit_length() - 1
    exec(AT_ONCE, names)
    expected, texts = Wrapping(), {(k, i): int(columns[k, i]) for k in range(2) for i in range(130)}
    assert names["expand_block"](texts, 2, count, p0, expected) & WORD == found
    assert out[0].tolist() == [expected.get((0, j), 0) for j in range(400)]


LOOPS = """
def action0(states, at, n, found):
    for i in range(n):
        found[i] = (states[0, at + i] & 8199) * 77 ^ states[1, at + i] >> 5 & 4294901765
    return n

def expand_block(states, at, n, found):
    n = action0(states, at, n, found)
    n, twice = action1(n)
    return n + twice

def examine(a, b):
    found = 0
    if (a & 1234567) == 4567:
        found |= 1 << 40
    if (b & 7 << 30) != 3 << 30:
        found |= 1 << 41 | a & 255 << 8
    return found * 3

def examine_block(states, at, n, found):
    for j in range(n):
        found[j] = examine(states[0, at + j], states[1, at + j])
"""
"""Two functions that are called from outside: one with an action, which stands in an object file of its own."""


def test_each_object_file_has_its_own_constants(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(long_function("action1", 3) + LOOPS, names)
    code = native.load(long_function("action1", 3) + LOOPS, ("expand_block", "examine_block"), Cache(tmp_path))
    columns = np.random.default_rng(1).integers(0, 1 << 63, (2, 100), dtype=np.uint64)
    columns[0, ::3] = 4567
    for address, name in zip(code.addresses, ("expand_block", "examine_block"), strict=True):
        found, expected = np.zeros(100, dtype=np.uint64), Wrapping()
        call = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 5)(address)
        call(columns.ctypes.data, 100, 0, 100, found.ctypes.data)
        names[name]({(k, i): int(columns[k, i]) for k in range(2) for i in range(100)}, 0, 100, expected)
        assert found.tolist() == [expected[i] for i in range(100)], name


def long_function(name: str, each: int) -> str:
    """A function of so many lines that it stands apart: it adds a number again and again."""
    added = "\n".join(f"    n += {each}" for _ in range(native.APART))
    return f"def {name}(n):\n{added}\n    return n, n * 2\n\n"


def with_two_actions(first: int, second: int) -> str:
    call = "def expand_block(n):\n    n, a = action0(n)\n    n, b = action1(n)\n    return n + a + b\n"
    return long_function("action0", first) + long_function("action1", second) + call


def expand(text: str, cache: Cache) -> int:
    code = native.load(text, ("expand_block",), cache)
    return int(ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(code.addresses[0])(5))


def expected(text: str) -> int:
    names: dict[str, Any] = {}
    exec(text, names)
    return int(names["expand_block"](5))


def test_long_functions_stand_apart_and_only_those_that_change_are_compiled_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    text = with_two_actions(1, 3)
    assert expand(text, cache) == expected(text)
    before = set(tmp_path.glob("*.o"))
    assert len(before) == 3  # two functions, and all of it

    changed = with_two_actions(1, 4)
    assert expand(changed, cache) == expected(changed) != expected(text)
    assert len(set(tmp_path.glob("*.o")) - before) == 2  # one function, and all of it


def test_every_long_action_of_a_protocol_stands_apart() -> None:
    """What it calls of the translation, like `lanes`, is no other function of the text."""
    text = Kernel(Instance(Postcopy, 2, 1, SAFETY)).plan.text
    functions = native._functions(text)
    long = {name for name in functions if name.startswith("action") and functions[name].count("\n") >= native.APART}
    assert len(long) > 10
    common = {name for name in functions if name.startswith("common")}
    assert common
    assert set(native._apart(functions)) == long | common


def test_parts_that_another_process_has_compiled_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, text = Cache(tmp_path), with_two_actions(1, 3)
    native.compile_parts(text, cache)
    assert len(list(tmp_path.glob("*.o"))) == 2
    compiled: list[str] = []
    plain = native._machine_code

    def counted(module: str, *, thorough: bool) -> bytes:
        compiled.append(module)
        return plain(module, thorough=thorough)

    monkeypatch.setattr(native, "_machine_code", counted)
    assert expand(text, cache) == expected(text)
    assert len(compiled) == 1  # what calls them


def test_two_long_functions_of_one_text_are_compiled_once(tmp_path: Path) -> None:
    text = with_two_actions(2, 2)
    assert expand(text, Cache(tmp_path)) == expected(text)
    assert len(list(tmp_path.glob("*.o"))) == 2


def test_what_was_compiled_with_parts_apart_is_taken_whole_from_the_cache(tmp_path: Path) -> None:
    cache, text = Cache(tmp_path), with_two_actions(1, 3)
    expand(text, cache)
    for part in tmp_path.glob("*.o"):
        if part != cache.path(native.KIND, native.key_of(text)):
            part.unlink()
    assert expand(text, cache) == expected(text)
    assert len(list(tmp_path.glob("*.o"))) == 1
