"""A process that asks second provers: ``python -m postcopy.prover.confirmation.worker``.

It reads tasks as JSON lines and writes an answer for each, until its input ends. It is a process of its own so that a
prover that does not come back, or takes all memory, can be ended.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import IO

import msgspec

PROVERS = {"cvc5": "cvc5_answers", "bitwuzla": "bitwuzla_answers"}
"""The second provers, each with the module here that asks it. A module is only imported where its prover is asked:
neither has to be installed."""


class Task(msgspec.Struct, frozen=True):
    """A text for a prover."""

    prover: str
    text: str


class Said(msgspec.Struct, frozen=True):
    """What a prover has said.

    Attributes:
        result: ``unsat``, ``sat``, or ``unknown``.
        why: why there is no other answer; empty where there is one.
        seconds: how long it took.
    """

    result: str
    why: str = ""
    seconds: float = 0.0


def said(task: Task) -> Said:
    """Ask a prover. Whatever goes wrong with it is no answer, and never a confirmation."""
    start = time.perf_counter()
    try:
        answer: Callable[[str], str] = import_module(f"{__package__}.{PROVERS[task.prover]}").answer
        text = answer(task.text)
    except Exception as error:  # a prover's own errors have no common base
        return Said("unknown", f"{type(error).__name__}: {error}", time.perf_counter() - start)
    seconds = time.perf_counter() - start
    if text in ("unsat", "sat"):
        return Said(text, "", seconds)
    return Said("unknown", text.removeprefix("unknown").strip(" ()") or "no answer", seconds)


def serve(tasks: IO[bytes], answers: IO[bytes]) -> None:
    """Answer tasks, one after the other."""
    for line in tasks:
        answers.write(msgspec.json.encode(said(msgspec.json.decode(line, type=Task))) + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
