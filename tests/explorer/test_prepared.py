"""Loops are prepared once: what is missing and no more, and a check then compiles none of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postcopy.api.preparing import prepare
from postcopy.cache import user_cache
from postcopy.cli.main import main
from postcopy.errors import UsageError
from postcopy.explorer.liveness import prepared
from postcopy.explorer.liveness.prepared import Loop, Loops

SEARCH, LIVENESS = Loops(Loop.SEARCH, 1), Loops(Loop.LIVENESS, 1)


class Compilers:
    """Stands for the processes that compile: each takes as long as its program, and then its loops are there."""

    def __init__(self) -> None:
        self.there: set[Loops] = set()
        self.begun: list[tuple[Loops, subprocess.Popen[str]]] = []
        self.at_once = 0
        self.program: Callable[[Loops], str] = lambda _: ""

    def start(self, loops: Loops) -> subprocess.Popen[str]:
        program = [sys.executable, "-S", "-c", self.program(loops)]
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.begun.append((loops, process))
        self.at_once = max(self.at_once, sum(other.poll() is None for _, other in self.begun))
        return process

    def are_there(self, loops: Loops) -> bool:
        return loops in self.there or any(mine == loops and process.poll() == 0 for mine, process in self.begun)


@pytest.fixture
def compilers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compilers:
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path / "cache"))
    made = Compilers()
    monkeypatch.setattr(prepared, "_process", made.start)
    monkeypatch.setattr(Loops, "are_there", lambda self: made.are_there(self))
    monkeypatch.setattr(Loops, "bytes", property(lambda self: 500_000 * (self.words or 1)))
    monkeypatch.setattr(prepared, "cores", lambda: 2)
    return made


def test_only_what_is_missing_is_compiled_as_many_at_once_as_there_are_cores(compilers: Compilers) -> None:
    compilers.there = {SEARCH}
    compilers.program = lambda _: "import time; time.sleep(0.3)"
    said: list[str] = []
    result = prepare((2, 1), small_table=True, progress=said.append)
    assert [str(loops) for loops, _ in compilers.begun] == [
        "small table",
        "liveness for 1 word",
        "liveness for 2 words",
        "search for 2 words",
    ]
    assert compilers.at_once == 2
    assert said[0] == "compiling small table, liveness for 1 word; 0 of 4 done"
    assert "search for 2 words" in said[-1]
    assert "0 of 4" not in said[-1]
    assert str(result).splitlines()[:-1] == [
        "search for states of 1 word: there already",
        "search for states of 2 words: compiled",
        "liveness for states of 1 and 2 words: compiled",
        "small table: compiled",
    ]
    assert result.sentence.startswith("4 of 5 compiled in ")
    assert result.record.bytes == 3_500_000


def test_the_command_prepares_what_it_is_asked_for(compilers: Compilers, capsys: pytest.CaptureFixture[str]) -> None:
    for further in ([], ["--json"]):
        with pytest.raises(SystemExit) as done:
            main(["prepare", "--words", "1", *further])
        assert not done.value.code
    assert [loops for loops, _ in compilers.begun] == [LIVENESS, SEARCH]
    assert "liveness for states of 1 word: compiled" in capsys.readouterr().out


def test_done_again_it_does_nothing_and_says_so_even_where_nothing_can_be_written(
    compilers: Compilers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path / "file"))
    compilers.there = {SEARCH, LIVENESS}
    assert prepare(1).sentence == f"nothing to do: all are there, 1.0 MB in {tmp_path / 'file'}"
    assert compilers.begun == []
    compilers.there = {SEARCH}
    with pytest.raises(UsageError, match=r"cannot keep loops in .*: File exists \(set POSTCOPY_CACHE\)"):
        prepare(1)
    assert compilers.begun == []


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import sys; print('Traceback', file=sys.stderr); sys.exit('MemoryError')", "MemoryError"),
        ("import os; os.kill(os.getpid(), 9)", "its process ended with -9"),
    ],
)
def test_a_process_that_fails_is_named_with_its_reason_and_the_others_are_ended(
    compilers: Compilers, program: str, why: str
) -> None:
    compilers.program = lambda loops: program if loops == SEARCH else "import time; time.sleep(100)"
    with pytest.raises(UsageError, match=rf"^could not prepare search for 1 word: {why}$"):
        prepare(1)
    assert all(process.poll() is not None for _, process in compilers.begun)


def test_what_is_compiled_and_not_kept_is_an_error(compilers: Compilers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loops, "are_there", lambda _: False)
    with pytest.raises(UsageError, match=r"could not prepare (liveness|search) for 1 word: it is not in the cache"):
        prepare(1)


def test_what_cannot_be_kept_ends_its_process_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(Loops, "compile", lambda _: user_cache().put("loop.pickle", "key", b"code"))
    with pytest.raises(SystemExit, match=r"cannot keep objects in .*file: "):
        prepared._main(["search", "1"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (0, r"words=0 is out of range: 1 to 64"),
        ((1, 65), r"words=65 is out of range"),
        (True, "words is a whole number, and not True"),
        (("1",), "words is a whole number, and not '1'"),
        ("12", "words is a whole number, and not '12'"),
        ((), "words is empty"),
        (None, "words is a whole number, and not None"),
    ],
)
def test_a_number_of_words_out_of_range_is_refused(compilers: Compilers, words: object, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        prepare(words)  # type: ignore[arg-type]
    assert compilers.begun == []


CHECK = """
import sys
from postcopy import check
result = check("Postcopy", pages=1, in_flight=1, engine="compiled")
assert result.verdict == "holds" and result.record.words_per_state == 1, result
"""


@pytest.mark.slow
def test_after_an_interrupt_it_goes_on_and_then_a_check_compiles_no_loop(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment = {**os.environ, "POSTCOPY_CACHE": str(cache)}
    command = [sys.executable, "-m", "postcopy", "prepare", "--words", "1"]

    def kept() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in cache.glob("loop_*")}

    before_it = signal.signal(signal.SIGINT, signal.default_int_handler)  # in a shell's background it is ignored
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before_it)
    while not kept():
        time.sleep(0.01)
        assert first.poll() is None
    first.send_signal(signal.SIGINT)
    out, error = first.communicate()
    assert (first.returncode, out, error) == (130, "", "")
    before = sum(map(len, kept().values()))
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert " compiled in " in done.stdout
    assert done.stderr == ""
    assert sum(map(len, kept().values())) > before, "the interrupt came when there was something left to do"
    whole = kept()
    subprocess.run([sys.executable, "-c", CHECK], env=environment, check=True)
    assert kept() == whole
    again = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert again.stdout.endswith(f"nothing to do: all are there, {megabytes(whole)} MB in {cache}\n")


def megabytes(kept: dict[str, bytes]) -> str:
    """What some files take, in megabytes."""
    return f"{sum(map(len, kept.values())) / 1e6:.1f}"
