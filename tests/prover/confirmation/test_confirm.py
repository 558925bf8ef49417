"""Second provers in worker processes: what counts as confirmed, and what becomes of those that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import z3

from postcopy.errors import UsageError
from postcopy.properties.bitmaps import LEMMAS
from postcopy.prover.confirmation.confirm import check_installed, confirm
from postcopy.prover.confirmation.question import BIT_VECTORS, Question, question_of
from postcopy.prover.confirmation.worker import Task, said
from postcopy.prover.confirmation.workers import COMMAND, answers_to
from postcopy.prover.lemmas import prove_lemmas, question, refute_mistake
from tests.prover.confirmation.installed import needs_bitwuzla, needs_cvc5

N = z3.Int("n")


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
    assert [done for done, _ in reported] == list(range(1, 21))
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
def test_what_is_too_much_work_is_not_confirmed() -> None:
    cvc5_answers = pytest.importorskip("postcopy.prover.confirmation.cvc5_answers")
    x, y, z = z3.Ints("x y z")
    fermat = question_of((), [x > 0, y > 0, z > 0, x * x * x + y * y * y == z * z * z])
    assert cvc5_answers.answer(fermat.text, work=10_000).startswith("unknown")


@needs_bitwuzla
@needs_cvc5
@pytest.mark.parametrize("pages", [8, 64])
def test_both_second_provers_confirm_the_bitmap_lemmas(pages: int) -> None:
    results = [r for r in prove_lemmas(LEMMAS, pages) if pages == 8 or r.bits.group in (1, 16)]
    found = confirm(question(r) for r in results)
    assert (found.asked, found.confirmed) == (len(results), len(results))
    assert [t.prover for t in found.tallies] == ["bitwuzla", "cvc5"]
    assert all(t.asked == t.confirmed == len(results) for t in found.tallies)


@needs_bitwuzla
@needs_cvc5
def test_both_second_provers_find_the_mistakes_that_the_lemmas_catch() -> None:
    found = confirm(question(refute_mistake(lemma)) for lemma in LEMMAS)
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


def tasks(count: int) -> Iterator[tuple[int, Task]]:
    return ((n, Task("cvc5", "")) for n in range(count))


def program(body: str) -> tuple[str, ...]:
    """A worker that does something else."""
    return sys.executable, "-c", f"import sys, time\nfor line in sys.stdin:\n {body}"


ANSWERS = """print('{"result":"unsat"}', flush=True)"""


def test_a_worker_that_dies_costs_one_answer_and_no_more() -> None:
    dies_at_every_third = program(f"sys.seen = getattr(sys, 'seen', 0) + 1; sys.seen % 3 or sys.exit(7); {ANSWERS}")
    found = dict(answers_to(tasks(9), 1, command=dies_at_every_third))
    assert [n for n in range(9) if found[n].result == "unsat"] == [0, 1, 3, 4, 6, 7]
    assert {found[n].why for n in (2, 5, 8)} == {"the prover's process ended with 7"}


@pytest.mark.parametrize("body", ["sys.exit(3)", "print('{\"result\":', end='', flush=True); sys.exit(3)"])
def test_workers_that_only_die_are_no_endless_loop(body: str) -> None:
    found = dict(answers_to(tasks(4), 2, command=program(body)))
    assert {one.result for one in found.values()} == {"unknown"}
    assert len(found) == 4


def test_a_worker_that_does_not_come_back_is_ended() -> None:
    start = time.monotonic()
    found = dict(answers_to(tasks(2), 2, patience=0.2, command=program("time.sleep(60)")))
    assert {one.why for one in found.values()} == {"no answer within 0.2 s"}
    assert time.monotonic() - start < 20


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def caller(command: tuple[str, ...]) -> subprocess.Popen[str]:
    """A process that is in the midst of asking, as at a terminal."""
    body = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from postcopy.prover.confirmation.workers import answers_to\n"
        "from postcopy.prover.confirmation.worker import Task\n"
        f"list(answers_to(((n, Task('cvc5', '')) for n in range(10**9)), 2, command={command!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", body], stderr=subprocess.PIPE, text=True)


def test_an_interrupt_ends_the_workers_within_a_second(tmp_path: Path) -> None:
    busy = program(f"open('{tmp_path}/' + str(__import__('os').getpid()), 'w').close(); time.sleep(60)")
    asking = caller(busy)
    until = time.monotonic() + 30
    while len(workers := [path.name for path in tmp_path.iterdir()]) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    asking.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, errors = asking.communicate(timeout=30)
    assert time.monotonic() - start < 1
    assert errors.endswith("KeyboardInterrupt\n")
    assert not [pid for pid in workers if Path("/proc", pid).exists()]


@pytest.mark.slow_but("0.3")
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0])
def test_an_interrupt_at_any_time_leaves_no_worker(seconds: float) -> None:
    """Also while a worker is being started: one that has no task yet ends when its input does."""
    asking = caller(COMMAND)
    until = time.monotonic() + 30
    while not (workers := children(asking.pid)):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(seconds)
    workers |= children(asking.pid)
    asking.send_signal(signal.SIGINT)
    asking.communicate(timeout=30)
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_caller_that_stops_taking_answers_leaves_no_process() -> None:
    with closing(answers_to(tasks(9), 2, command=program(ANSWERS))) as answers:
        next(answers)
        workers = children(os.getpid())
        assert workers
    assert not workers & children(os.getpid())


# -- what is not installed --------------------------------------------------------------------------------------------


def test_a_prover_that_is_not_installed_is_named_before_any_work() -> None:
    with pytest.raises(UsageError, match=r"--confirm needs no_such_prover: pip install 'postcopy-mc\[proof\]'"):
        check_installed(["json", "no_such_prover"])
    check_installed(["json"])


def test_a_prover_that_is_not_installed_confirms_nothing() -> None:
    found = said(Task("no such prover", ""))
    assert (found.result, found.why) == ("unknown", "KeyError: 'no such prover'")
