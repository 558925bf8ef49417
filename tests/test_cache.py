"""The cache gives back what was kept, byte for byte, or nothing: never what is damaged or was kept for another key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.cache import Cache
from postcopy.explorer.kernel import compiler
from postcopy.explorer.kernel.numba_archive import NumbaArchive

KERNEL = "def answer(n):\n    return n + {}\n"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_what_was_kept_is_given_back(cache: Cache) -> None:
    assert cache.get("answer.json", "key") is None
    cache.put("answer.json", "key", b"proved")
    assert cache.get("answer.json", "key") == b"proved"
    assert cache.get("answer.json", "another key") is None
    assert cache.get("kernel.o", "key") is None
    cache.put("answer.json", "key", b"")
    assert cache.get("answer.json", "key") == b""


def test_nothing_but_the_object_is_left_in_the_directory(cache: Cache) -> None:
    cache.put("answer.json", "key", b"proved")
    assert list(cache.directory.iterdir()) == [cache.path("answer.json", "key")]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "half of it": lambda data: data[: len(data) // 2],
    "its head alone": lambda data: data[:81],
    "text": lambda data: b"hello",
    "zeros": lambda data: bytes(len(data)),
    "more behind it": lambda data: data + b"\0",
    "a bit of the format": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "a bit at the end": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_absent(cache: Cache, damage: str) -> None:
    cache.put("kernel.o", "key", b"machine code" * 9)
    path = cache.path("kernel.o", "key")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert cache.get("kernel.o", "key") is None
    cache.put("kernel.o", "key", b"made anew")
    assert cache.get("kernel.o", "key") == b"made anew"


@settings(deadline=None)
@given(st.data())
def test_each_flipped_bit_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    cache = Cache(tmp_path_factory.getbasetemp() / "flipped")
    cache.put("kernel.o", "key", b"machine code")
    path = cache.path("kernel.o", "key")
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert cache.get("kernel.o", "key") is None


def test_an_object_under_the_name_of_another_is_absent(cache: Cache) -> None:
    cache.put("kernel.o", "one", b"machine code")
    cache.put("loop.o", "two", b"machine code")
    for kind, key in (("kernel.o", "two"), ("loop.o", "one")):
        foreign = cache.path("kernel.o", "one") if kind == "kernel.o" else cache.path("loop.o", "two")
        cache.path(kind, key).write_bytes(foreign.read_bytes())
        assert cache.get(kind, key) is None
    cache.path("kernel.o", "two").write_bytes(cache.path("loop.o", "two").read_bytes())
    assert cache.get("kernel.o", "two") is None, "the same key, another kind"


def test_a_directory_in_the_place_of_an_object_is_no_object(cache: Cache) -> None:
    cache.path("kernel.o", "key").mkdir(parents=True)
    assert cache.get("kernel.o", "key") is None
    with pytest.warns(RuntimeWarning, match="cannot keep objects in .*: Is a directory; they are made anew"):
        cache.put("kernel.o", "key", b"machine code")
    assert list(cache.directory.iterdir()) == [cache.path("kernel.o", "key")], "the temporary file is gone"


def test_what_cannot_be_kept_costs_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match=r"cannot keep .*set POSTCOPY_CACHE"):
        Cache(tmp_path / "file").put("kernel.o", "key", b"")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        Cache(tmp_path / "cache").put("kernel.o", "key", b"")
    assert list((tmp_path / "cache").iterdir()) == []


def test_data_is_on_disk_before_its_name(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    synchronize, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        calls.append("directory" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        synchronize(descriptor)

    def noted_replace(old: str, new: Path) -> None:
        calls.append("name")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    cache.put("kernel.o", "key", b"machine code")
    assert calls == ["file", "name", "directory"]


# -- machine code -----------------------------------------------------------------------------------------------------


MAKERS = {compiler.KIND: compiler.load, compiler.SOON: compiler.load_soon}


def run_kernel(number: int, cache: Cache, kind: str) -> int:
    import ctypes

    native = MAKERS[kind](KERNEL.format(number), ("answer",), cache)
    return int(ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(native.addresses[0])(40))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_kernel_is_compiled_anew(cache: Cache, damage: str, kind: str) -> None:
    assert run_kernel(2, cache, kind) == 42
    (path,) = cache.directory.iterdir()
    right = path.read_bytes()
    path.write_bytes(DAMAGES[damage](right))
    assert run_kernel(2, cache, kind) == 42
    assert path.read_bytes() == right


@pytest.mark.parametrize("kind", MAKERS)
def test_the_kernel_of_another_text_is_not_run(cache: Cache, kind: str) -> None:
    assert (run_kernel(2, cache, kind), run_kernel(3, cache, kind)) == (42, 43)
    one, two = (cache.path(kind, compiler.key_of(KERNEL.format(number))) for number in (2, 3))
    two.write_bytes(one.read_bytes())
    assert run_kernel(3, cache, kind) == 43


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("what", ["_own_text", "processor"])
def test_the_kernel_of_another_version_or_processor_is_not_run(
    cache: Cache, kind: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_kernel(2, cache, kind) == 42
    (old,) = cache.directory.iterdir()
    old.write_bytes(b"machine code that would end this process")
    monkeypatch.setattr(compiler, what, {"_own_text": lambda: "another", "processor": lambda: ("another", "")}[what])
    assert not cache.path(kind, compiler.key_of(KERNEL.format(2))).exists()
    assert run_kernel(2, cache, kind) == 42
    assert len(list(cache.directory.iterdir())) == 2, "the old one is another's, and stays"


def test_code_that_was_made_well_is_taken_for_code_that_is_wanted_soon(cache: Cache) -> None:
    run_kernel(2, cache, compiler.KIND)
    run_kernel(2, cache, compiler.SOON)
    assert [path.name.partition("_")[0] for path in cache.directory.iterdir()] == ["kernel"]


def run_compiled(number: int, cache: Cache) -> tuple[Any, bool]:
    """What a function says that Numba compiled, and whether it came from the archive."""
    archive = NumbaArchive(cache, "test.pickle", str(number))
    known = bool(archive.functions)

    def answer(n: int) -> int:
        return n + number

    return archive.compiled("int64(int64)")(answer)(40), known


def test_what_numba_compiled_is_kept_and_made_anew_when_it_is_damaged(cache: Cache) -> None:
    assert run_compiled(2, cache) == (42, False)
    assert run_compiled(2, cache) == (42, True)
    assert run_compiled(3, cache) == (43, False)
    paths = list(cache.directory.iterdir())
    for path in paths:
        path.write_bytes(path.read_bytes()[:-1])
    assert run_compiled(2, cache) == (42, False)
    one, two = paths
    one.write_bytes(two.read_bytes())
    two.write_bytes(one.read_bytes()[:100])
    assert (run_compiled(2, cache), run_compiled(3, cache)) == ((42, False), (43, False))


def run_two(cache: Cache) -> Any:
    """What a function says that Numba compiled, which calls another one that is compiled for it."""
    archive = NumbaArchive(cache, "test.pickle", "two")

    @archive.compiled("int64(int64)")
    def double(n: Any) -> Any:
        return 2 * n

    @archive.compiled("int64(int64)")
    def more(n: Any) -> Any:
        return double(n) + 2

    return more(20)


def test_a_compiled_function_calls_one_that_is_compiled_for_it(cache: Cache) -> None:
    assert [run_two(cache), run_two(cache)] == [42, 42]
