"""Ask second provers what z3 has refuted, and count."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice

from postcopy.errors import UsageError
from postcopy.prover.confirmation.question import BIT_VECTORS, Question
from postcopy.prover.confirmation.second_provers import Said, ask
from postcopy.prover.workers import Died, Done, share_out
from postcopy.surface import setting

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
        raise UsageError(f"{setting('confirm')} needs {' and '.join(missing)}: pip install 'postcopy-mc[proof]'")


def confirm(
    questions: Iterable[Question], workers: int, report: Callable[[int, int], None] = lambda _done, _asked: None
) -> Confirmation:
    """Ask second provers the questions.

    However this ends, by an interrupt too, the processes are ended with it.

    Args:
        questions: what z3 has refuted; taken one by one, as workers become free.
        workers: how many processes.
        report: called after each answer, with how many questions are confirmed and how many were asked so far.
    """
    start = time.perf_counter()
    count = _Count()
    coming = _tasks(questions, count)
    waiting = deque(islice(coming, 2 * workers))  # so that no worker waits while a text is made
    with closing(share_out(lambda: _work, waiting, workers)) as events:
        for event in events:
            match event:
                case Done(task, said):
                    count.add(task, said)
                case Died(task, code):
                    count.add(task, Said("unknown", f"the prover's process ended with {code}"))
            waiting.extend(islice(coming, 1))
            report(count.confirmed, count.asked)
    return Confirmation(
        asked=count.asked,
        confirmed=count.confirmed,
        tallies=tuple(Tally(prover, asked, count.agreed[prover]) for prover, asked in sorted(count.of_prover.items())),
        unanswered=tuple(count.unanswered),
        disagreements=tuple(count.disagreements),
        seconds=time.perf_counter() - start,
    )


@dataclass(frozen=True)
class _Task:
    """A question for one prover.

    Attributes:
        number: of the question.
        question: see there.
        prover: its name.
    """

    number: int
    question: Question
    prover: str


@dataclass
class _Count:
    """The answers so far."""

    asked: int = 0
    of_prover: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    unanswered: list[Answer] = field(default_factory=list)
    disagreements: list[Answer] = field(default_factory=list)
    open: dict[int, int] = field(default_factory=dict)
    confirmed: int = 0

    def add(self, task: _Task, said: Said) -> None:
        """One more answer. A question is confirmed when all answers to it are."""
        if said.result == "unsat":
            self.agreed[task.prover] += 1
            self.open[task.number] -= 1
            if not self.open[task.number]:
                self.confirmed += 1
                del self.open[task.number]
        else:
            kind = self.disagreements if said.result == "sat" else self.unanswered
            kind.append(Answer(task.question, task.prover, said))


def _tasks(questions: Iterable[Question], count: _Count) -> Iterator[_Task]:
    for question in questions:
        count.asked += 1
        number, provers = count.asked, provers_for(question)
        count.open[number] = len(provers)
        for prover in provers:
            count.of_prover[prover] += 1
            yield _Task(number, question, prover)


def _work(task: _Task) -> Said:
    return ask(task.prover, task.question.text)
