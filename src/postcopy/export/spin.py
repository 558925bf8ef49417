"""Run Spin on an exported model, and say what it found. Needs the programs `spin` and `gcc`."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postcopy.errors import UsageError
from postcopy.language.program import Program

FLAGS = ("-DSAFETY", "-DNOREDUCE", "-DNOFAIR")
"""Invariants and assertions only; every interleaving (two processes would make Spin think of a reduction)."""


@dataclass(frozen=True)
class Found:
    """What Spin found.

    Attributes:
        states: stored, the start before an initial state is chosen among them.
        transitions: taken; Spin prints no more than 8 digits of a number, the others here are 0.
        violated: names of the failed assertions, in the order in which they failed, each once.
        seconds: time of the search, its start included.
        bytes: memory of the stored states and their table.
    """

    states: int
    transitions: int
    violated: tuple[str, ...]
    seconds: float
    bytes: int


def missing() -> list[str]:
    """The programs that are needed and not there."""
    return [program for program in ("spin", "gcc") if shutil.which(program) is None]


EXTRA_STATES = 1
"""How many states Spin has that the model has not: the start, before an initial state is chosen."""


def extra_transitions(program: Program) -> int:
    """How many transitions Spin counts that the model has not: the start itself, and from it to each initial state."""
    return 1 + len(program.instance.initial_states())


def build(text: str, directory: Path, flags: Sequence[str] = ("-O1",)) -> Path:
    """Make Spin's verifier for a model.

    Spin would leave out variables that nothing reads (`-o2`) and forget values that are not read again (`-o1`): both
    are switched off, as they would merge states.

    Args:
        text: the model in Promela.
        directory: where files may be left.
        flags: for the C compiler, beside `FLAGS`.

    Raises:
        UsageError: a program is missing, or one of them does not take what it is given.
    """
    if missing():
        raise UsageError(f"{' and '.join(missing())} not found: install it (Debian: apt install spin gcc)")
    (directory / "model.pml").write_text(text, encoding="utf-8")
    _run(["spin", "-a", "-o1", "-o2", "model.pml"], directory)
    _run(["gcc", "-w", *FLAGS, *flags, "-o", "pan", "pan.c"], directory)
    return directory / "pan"


def search(pan: Path, options: Sequence[str] = ()) -> Found:
    """Let a verifier search everything.

    Args:
        pan: the program that `build` made.
        options: for it, e.g. ``-c0`` (go on after a violation) or ``-w26`` (a table of 2^26 slots).

    Raises:
        UsageError: Spin could not search everything.
    """
    start = time.perf_counter()
    said = _run(command(pan, options), pan.parent)
    return read_found(said, time.perf_counter() - start)


def command(pan: Path, options: Sequence[str] = ()) -> list[str]:
    """How a verifier is called."""
    return [str(pan.resolve()), "-m100000", *options]


def read_found(said: str, seconds: float) -> Found:
    """What a verifier said, which took so long.

    Raises:
        UsageError: it could not search everything.
    """
    violated = re.findall(r"assertion violated \(?(\w+)", said)
    for trouble in ("max search depth too small", "out of memory", "VECTORSZ"):
        if trouble in said:
            raise UsageError(f"Spin did not search everything: {trouble}")
    memory = re.search(r"([\d.]+)\s+actual memory usage for states", said)
    table = re.search(r"([\d.]+)\s+memory used for hash table", said)
    megabytes = sum(float(match[1]) for match in (memory, table) if match)
    return Found(
        _number(r"([\d.e+]+) states, stored", said),
        _number(r"([\d.e+]+) transitions", said),
        tuple(dict.fromkeys(violated)),
        seconds,
        int(megabytes * 2**20),
    )


def _number(pattern: str, said: str) -> int:
    match = re.search(pattern, said)
    if match is None:
        raise UsageError(f"Spin said something unexpected: {said.strip().splitlines()[-1:]}")
    return round(float(match[1]))


def _run(command: list[str], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise UsageError(f"{Path(command[0]).name} fails and says: {said[0]}")
    return done.stdout
