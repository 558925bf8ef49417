"""The second provers, and how one is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

PROVERS = {"cvc5": "cvc5_answers", "bitwuzla": "bitwuzla_answers"}
"""By name, the module here that asks it. A module is only imported where its prover is asked: neither has to be
installed."""


@dataclass(frozen=True)
class Said:
    """What a prover has said.

    Attributes:
        result: ``unsat``, ``sat``, or ``unknown``.
        why: why there is no other answer; empty where there is one.
        seconds: how long it took.
    """

    result: str
    why: str = ""
    seconds: float = 0.0


def ask(prover: str, text: str) -> Said:
    """Ask a prover. Whatever goes wrong with it is no answer, and never a confirmation."""
    start = time.perf_counter()
    try:
        answer: Callable[[str], str] = import_module(f"{__package__}.{PROVERS[prover]}").answer
        said = answer(text)
    except Exception as error:  # a prover's own errors have no common base
        return Said("unknown", f"{type(error).__name__}: {error}", time.perf_counter() - start)
    seconds = time.perf_counter() - start
    if said in ("unsat", "sat"):
        return Said(said, "", seconds)
    return Said("unknown", said.removeprefix("unknown").strip(" ()") or "no answer", seconds)
