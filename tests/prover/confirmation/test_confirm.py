"""Second provers in worker processes: what counts as confirmed, and what becomes of those that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import z3

from postcopy.bitmaps import Bitmaps
from postcopy.errors import UsageError
from postcopy.properties.bitmaps import LEMMAS
from postcopy.prover.confirmation import confirm as confirming
from postcopy.prover.confirmation.confirm import Confirmation, check_installed
from postcopy.prover.confirmation.lemma_questions import question
from postcopy.prover.confirmation.question import BIT_VECTORS, Question, question_of
from postcopy.prover.confirmation.second_provers import Said, ask
from postcopy.prover.lemmas import GROUPS
from tests.prover.confirmation.installed import needs_bitwuzla, needs_cvc5

N = z3.Int("n")


def confirm(
    questions: Iterable[Question], workers: int = 2, report: Callable[[int, int], None] = lambda _done, _asked: None
) -> Confirmation:
    return confirming.confirm(questions, workers, report)


def small(wrong: z3.BoolRef, number: int = 0) -> Question:
    return question_of((("number", str(number)),), [wrong])


@needs_cvc5
def test_each_question_is_asked_and_counted() -> None:
    reported: list[tuple[int, int]] = []
    found = confirm((small(z3.And(n < N, n > N), n) for n in range(20)), report=lambda *at: reported.append(at))
    assert (found.asked, found.confirmed) == (20, 20)
    assert [(t.prover, t.asked, t.confirmed) for t in found.tallies] == [("cvc5", 20, 20)]
    assert not found.unanswered
    assert not found.disagreements
    assert [confirmed for confirmed, _ in reported] == list(range(1, 21))
    assert reported[-1] == (20, 20)


def test_no_question_is_none_confirmed() -> None:
    assert confirm([]).asked == 0


@needs_cvc5
def test_a_second_prover_that_finds_it_satisfiable_disagrees() -> None:
    questions = [small(z3.And(N > 1, N < 1), 0), small(N > 1, 1), small(z3.And(N > 2, N < 2), 2)]
    found = confirm(questions)
    assert (found.asked, found.confirmed) == (3, 2)
    assert [(a.question.name, a.prover) for a in found.disagreements] == [("number 1", "cvc5")]
    assert not found.unanswered


@needs_cvc5
def test_what_a_second_prover_cannot_read_is_not_confirmed() -> None:
    unreadable = Question((("number", "0"),), "(set-logic ALL)\n(assert (no-such-function))\n(check-sat)\n")
    silent = Question((("number", "1"),), "(set-logic ALL)\n(assert false)\n")
    found = confirm([unreadable, silent])
    assert (found.asked, found.confirmed) == (2, 0)
    assert sorted(a.said.why for a in found.unanswered) == [
        "RuntimeError: Symbol 'no-such-function' not declared as a variable",
        "no answer",
    ]


@needs_cvc5
def test_what_is_too_much_work_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.prover.confirmation.cvc5_answers.WORK", 10_000)
    x, y, z = z3.Ints("x y z")
    fermat = question_of((), [x > 0, y > 0, z > 0, x * x * x + y * y * y == z * z * z])
    found = confirm([fermat])
    assert (found.asked, found.confirmed) == (1, 0)
    assert [a.said.why for a in found.unanswered] == ["RESOURCEOUT"]


@needs_bitwuzla
@needs_cvc5
@pytest.mark.slow_but("8-4", "64-16")
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("pages", [8, 64])
def test_both_second_provers_confirm_the_bitmap_lemmas(pages: int, group: int) -> None:
    asked = [lemma for lemma in LEMMAS if lemma.grouped or group == 1]
    found = confirm(question(lemma, Bitmaps(pages, min(group, pages))) for lemma in asked)
    assert (found.asked, found.confirmed) == (len(asked), len(asked))
    assert [t.prover for t in found.tallies] == ["bitwuzla", "cvc5"]
    assert all(t.asked == t.confirmed == len(asked) for t in found.tallies)


@needs_bitwuzla
@needs_cvc5
def test_both_second_provers_find_the_mistakes_that_the_lemmas_catch() -> None:
    broken = [(lemma, lemma.broken(16, 4 if lemma.grouped else 1)) for lemma in LEMMAS]
    found = confirm(question(lemma, bits) for lemma, bits in broken)
    assert (found.asked, found.confirmed) == (len(LEMMAS), 0)
    assert len(found.disagreements) == 2 * len(LEMMAS)


@needs_bitwuzla
@needs_cvc5
def test_a_question_that_one_of_two_does_not_answer_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.prover.confirmation.confirm.FOR_BIT_VECTORS", ("cvc5", "no such prover"))
    found = confirm([question_of((), [z3.BitVec("x", 4) != z3.BitVec("x", 4)], logic=BIT_VECTORS)])
    assert (found.asked, found.confirmed) == (1, 0)
    assert [(t.prover, t.confirmed) for t in found.tallies] == [("cvc5", 1), ("no such prover", 0)]


# -- the processes ----------------------------------------------------------------------------------------------------


@needs_cvc5
def test_a_prover_whose_process_dies_costs_one_answer_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies_of_the_third(prover: str, text: str) -> Said:
        return os._exit(7) if "; number: 3\n" in text else ask(prover, text)

    monkeypatch.setattr(confirming, "ask", dies_of_the_third)
    found = confirm([small(z3.And(N < 1, N > 1), n) for n in range(8)], 2)
    assert (found.asked, found.confirmed) == (8, 7)
    assert [(a.question.name, a.said.why) for a in found.unanswered] == [
        ("number 3", "the prover's process ended with 7")
    ]


def test_provers_whose_processes_only_die_are_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirming, "ask", lambda *_: os._exit(3))
    found = confirm([small(N > 1, n) for n in range(5)], 2)
    assert (found.asked, found.confirmed, len(found.unanswered)) == (5, 0, 5)


def test_texts_are_made_as_they_are_needed() -> None:
    """A proof has thousands: they would fill hundreds of megabytes."""
    made: list[int] = []
    ahead: list[int] = []

    def questions() -> Iterator[Question]:
        for n in range(40):
            made.append(n)
            yield small(z3.And(n > N, n < N), n)

    confirm(questions(), 2, lambda done, _: ahead.append(len(made) - done))
    assert max(ahead) <= 5


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.slow_but("0.3")
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3, 1.0])
def test_an_interrupt_ends_the_processes_in_the_midst_of_their_work(seconds: float) -> None:
    body = (
        "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from postcopy.prover.confirmation import confirm\n"
        "from postcopy.prover.confirmation.question import Question\n"
        "confirm.ask = lambda *_: time.sleep(60)\n"
        "confirm.confirm((Question((), '') for _ in range(10**9)), 2)"
    )
    asking = subprocess.Popen([sys.executable, "-c", body], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while not (workers := children(asking.pid)):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(seconds)
    workers |= children(asking.pid)
    asking.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, errors = asking.communicate(timeout=30)  # they would work for 60 s
    assert errors.endswith("KeyboardInterrupt\n")
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < start + 30
        time.sleep(0.02)


# -- what is not installed --------------------------------------------------------------------------------------------


def test_a_prover_that_is_not_installed_is_named_before_any_work() -> None:
    with pytest.raises(UsageError, match=r"confirm needs no_such_prover: pip install 'postcopy-mc\[proof\]'"):
        check_installed(["json", "no_such_prover"])
    check_installed(["json"])


def test_a_prover_that_is_not_installed_confirms_nothing() -> None:
    found = ask("no such prover", "")
    assert (found.result, found.why) == ("unknown", "KeyError: 'no such prover'")
