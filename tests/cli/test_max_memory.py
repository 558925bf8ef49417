"""Commands whose memory is not bounded by what they store end in one line when it is passed."""

import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from postcopy.api import memory_watch
from postcopy.api.checking import check
from postcopy.api.memory_watch import MemoryWatch, kept_to, taken
from postcopy.errors import MemoryLimitError
from postcopy.explorer.explore import Exploration
from postcopy.surface import COMMAND_LINE
from tests.cli.conftest import Run

MIB = 1 << 20

WITH_ITS_PEAK = """
import re, sys
from postcopy.cli.main import main

try:
    main()
finally:  # its own peak: what the system counts for a process has that of the process it was forked from
    print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
"""A command line; its last line is the most memory that the process had, in KiB."""

IN_A_PROCESS = """
import ctypes, sys, time
from postcopy.api.memory_watch import MemoryWatch, kept_to

watch = MemoryWatch(int(sys.argv[1]) << 20, "take less")
show = watch.noting(lambda _: None)
with kept_to(watch):
    held, libc = [], ctypes.CDLL(None)
    if sys.argv[2] == "deaf":  # no signal is heard, as in a call of z3
        libc.pthread_sigmask(0, (ctypes.c_ulong * 16)(*([2**64 - 1] * 16)), None)
    for number in range(64):
        show(f"{number} blocks")
        held.append(bytearray(b"x") * (8 << 20))
        time.sleep(0.03)
    if sys.argv[2] == "deaf":
        libc.sleep(20)
print("enough")
"""


def in_a_process(mib: int, how: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", IN_A_PROCESS, str(mib), how]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=False)


def test_what_is_taken_is_what_the_system_says() -> None:
    before = taken()
    held = bytearray(b"x") * (64 * MIB)
    assert 60 * MIB < taken() - before < 70 * MIB
    assert len(held) == 64 * MIB


def test_memory_of_a_child_is_counted() -> None:
    code = "print(0, flush=True); input(); held = bytearray(b'x') * (100 << 20); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        before = taken()
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        assert taken() - before > 90 * MIB
        child.communicate(b"\n")
    assert taken() - before < 90 * MIB


def test_what_takes_too_much_is_ended_and_says_how_far_it_came() -> None:
    watch = MemoryWatch(3 * MIB, "take fewer pages")
    show = watch.noting(lambda _: None)
    began = time.monotonic()

    def too_much() -> None:
        with kept_to(watch, lambda: True):
            show("12 states")
            time.sleep(20)

    with pytest.raises(MemoryLimitError) as caught:
        too_much()
    assert time.monotonic() - began < 10
    assert caught.value.spelled(COMMAND_LINE) == (
        "inconclusive: 3 MiB (--max-memory) beside the program's own 256 do not suffice, at “12 states”: "
        "take fewer pages"
    )


def test_what_takes_no_more_goes_on() -> None:
    with kept_to(MemoryWatch(64 << 30, "")):
        time.sleep(0.1)


def test_what_is_over_counts_although_it_is_looked_at_too_late() -> None:
    before, over = signal.getsignal(signal.SIGUSR2), threading.Event()

    def looks_too_late() -> bool:
        over.wait(10)
        time.sleep(0.1)
        return True

    with kept_to(MemoryWatch(1 << 20, ""), looks_too_late):
        time.sleep(0.2)
        over.set()
    assert signal.getsignal(signal.SIGUSR2) == before


def test_an_allocation_that_fails_is_the_same() -> None:
    with (
        pytest.raises(MemoryLimitError, match="do not suffice: take less"),
        kept_to(MemoryWatch(64 << 30, "take less")),
    ):
        raise MemoryError


@pytest.mark.slow
def test_a_process_stays_within_a_tenth_of_what_it_may_take() -> None:
    done = in_a_process(1, "hears")
    assert (done.returncode, done.stdout) == (1, "")
    assert "MemoryLimitError" in done.stderr
    blocks = int(done.stderr.split("at “")[1].split(" ")[0])
    assert 25 <= blocks <= 36  # 257 MiB are 32 blocks, less what Python takes; a tenth more
    assert in_a_process(600, "hears").stdout == "enough\n"


@pytest.mark.slow
def test_a_process_in_a_call_that_hears_nothing_ends_itself() -> None:
    began = time.monotonic()
    done = in_a_process(100, "deaf")
    assert done.returncode == memory_watch.INCONCLUSIVE
    assert done.stderr.startswith("postcopy: inconclusive: 100 MiB")
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - began < 19


# -- the commands -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that was being opened
@pytest.mark.parametrize(
    "arguments",
    [
        ("diff", "postcopy", "recovery", "--pages", "1"),
        ("prove", "--no-cache", "--workers", "1", "--property", "no-two-guests"),
        ("prove", "--pages", "1", "--in-flight", "1", "--no-cache", "--property", "no-two-guests"),
        ("conform", "--exhaustive"),
        ("simulate", "--walks", "100000"),
        ("export", "aut", "--pages", "1", "--in-flight", "1"),
    ],
    ids=lambda given: " ".join(given[:2]),
)
def test_a_command_that_takes_too_much_ends_in_one_line(
    arguments: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_watch, "PROGRAM", 0)  # so that any command passes its limit at once
    result = run(*arguments, "--max-memory", "1M")
    assert result.code == 75
    assert result.err.startswith("postcopy: inconclusive: 1 MiB (--max-memory)")
    assert "allow more" in result.err
    assert result.err.count("\n") == 1


def test_further_searches_have_the_memory_of_the_ones_before(monkeypatch: pytest.MonkeyPatch) -> None:
    alive, most, plain = weakref.WeakSet[Exploration](), list[int](), Exploration.__init__

    def counted(self: Exploration, *given: object, **named: object) -> None:
        most.append(len(alive))
        alive.add(self)
        plain(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Exploration, "__init__", counted)
    found = check("postcopy+precopy-ends-dirty", pages=1, in_flight=1, liveness=False, all_properties=True)
    assert len(found.all_violated) >= 2
    assert most == [0] * (len(found.all_violated) + 1)


@pytest.mark.slow
def test_the_peak_of_a_check_is_what_it_may_take() -> None:
    """The states of this search need several times as much."""
    arguments = ["--pages", "4", "--in-flight", "2", "--no-symmetry", "--no-liveness", "--max-memory", "100M"]
    done = subprocess.run(
        [sys.executable, "-c", WITH_ITS_PEAK, "check", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 75
    peak = int(done.stdout.splitlines()[-1]) << 10
    assert peak < memory_watch.PROGRAM + 110 * MIB
