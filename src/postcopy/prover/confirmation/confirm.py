"""Ask second provers what z3 has refuted, and count."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec

from postcopy.errors import UsageError
from postcopy.prover.confirmation.question import BIT_VECTORS, Question
from postcopy.prover.confirmation.worker import Said, Task
from postcopy.prover.confirmation.workers import answers_to

FOR_QUANTIFIERS = ("cvc5",)
FOR_BIT_VECTORS = ("cvc5", "bitwuzla")


@dataclass(frozen=True)
class Answer:
    """What a second prover says of a question that z3 has refuted."""

    question: Question
    prover: str
    said: Said


@dataclass(frozen=True)
class Tally:
    """How one second prover did.

    Attributes:
        prover: its name.
        asked: how many questions.
        confirmed: how many of them it refuted as z3 did.
    """

    prover: str
    asked: int
    confirmed: int


@dataclass(frozen=True)
class Confirmation:
    """What second provers say of all questions.

    Attributes:
        asked: how many questions z3 has refuted.
        confirmed: how many of them every second prover that was asked has refuted too.
        tallies: for each second prover.
        unanswered: what a second prover had no answer to.
        disagreements: what a second prover finds satisfiable. One of the two is wrong.
        seconds: for all.
    """

    asked: int
    confirmed: int
    tallies: tuple[Tally, ...]
    unanswered: tuple[Answer, ...]
    disagreements: tuple[Answer, ...]
    seconds: float


def provers_for(question: Question) -> Sequence[str]:
    """The second provers that are asked a question."""
    return FOR_BIT_VECTORS if question.logic == BIT_VECTORS else FOR_QUANTIFIERS


def check_installed(provers: Iterable[str]) -> None:
    """Refuse to begin where a second prover is missing.

    Raises:
        UsageError: it is.
    """
    missing = [prover for prover in provers if find_spec(prover) is None]
    if missing:
        raise UsageError(f"--confirm needs {' and '.join(missing)}: pip install 'postcopy-mc[proof]'")


def confirm(
    questions: Iterable[Question], workers: int = 0, report: Callable[[int, int], None] = lambda _done, _asked: None
) -> Confirmation:
    """Ask second provers the questions.

    Args:
        questions: what z3 has refuted; taken one by one, as workers become free.
        workers: how many processes; 0 for one for each core.
        report: called after each answer, with the number of answers and that of tasks so far.
    """
    start = time.perf_counter()
    asked = 0
    of_prover: Counter[str] = Counter()
    confirmed: Counter[str] = Counter()
    unanswered: list[Answer] = []
    disagreements: list[Answer] = []
    not_confirmed: set[int] = set()

    def tasks() -> Iterator[tuple[tuple[int, Question, str], Task]]:
        nonlocal asked
        for question in questions:
            asked += 1
            for prover in provers_for(question):
                of_prover[prover] += 1
                yield (asked, question, prover), Task(prover, question.text)

    with closing(answers_to(tasks(), workers)) as answers:  # an interrupt of `report` too ends the workers at once
        for (number, question, prover), said in answers:
            if said.result == "unsat":
                confirmed[prover] += 1
            else:
                not_confirmed.add(number)
                kind = disagreements if said.result == "sat" else unanswered
                kind.append(Answer(question, prover, said))
            report(confirmed.total() + len(unanswered) + len(disagreements), of_prover.total())
    return Confirmation(
        asked=asked,
        confirmed=asked - len(not_confirmed),
        tallies=tuple(Tally(prover, count, confirmed[prover]) for prover, count in sorted(of_prover.items())),
        unanswered=tuple(unanswered),
        disagreements=tuple(disagreements),
        seconds=time.perf_counter() - start,
    )
