"""Goals are shared out among processes: none gets lost, and nothing that goes wrong there is a proof."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from postcopy.cache import Cache
from postcopy.language import NO_DEADLOCK
from postcopy.prover.goal_solver import GoalSolver
from postcopy.prover.goals import Goal
from postcopy.prover.means import Means
from postcopy.prover.obligations import Obligation
from postcopy.prover.progress import Deadlock
from postcopy.prover.proving import Prover
from postcopy.prover.scheduling import LostAnswerError
from postcopy.prover.solving import Status
from postcopy.prover.workers import Died, Done, WorkerError, share_out
from tests.prover.test_soundness import Question, asked_is_heard, nobody_hears

solve, solve_deadlock = GoalSolver.solve, GoalSolver.solve_deadlock


def obligations(workers: int, cache: Cache | None = None) -> list[Obligation]:
    prover = Prover(Question, [NO_DEADLOCK], [asked_is_heard, nobody_hears], means=Means(0, workers, cache))
    return prover.obligations(lambda *_: True)


def timeless(found: Sequence[Obligation]) -> list[Obligation]:
    return [replace(o, seconds=0.0) for o in found]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_give_the_same_answers_in_the_same_order(workers: int) -> None:
    assert timeless(obligations(workers)) == timeless(obligations(0))


def test_each_answer_is_reported_once() -> None:
    reported: list[Obligation] = []
    prover = Prover(Question, [NO_DEADLOCK], [asked_is_heard], means=Means(workers=2))
    found = prover.obligations(lambda *_: True, reported.append)
    assert sorted(reported, key=str) == sorted(found, key=str)


def dying(times: int, notes: Path, of: str = "asked-is-heard") -> Callable[..., list[Obligation]]:
    """A solver whose process dies so often when it is asked about a conjunct."""

    def its(self: GoalSolver, goals: Sequence[Goal], patient: bool = True) -> list[Obligation]:
        if (
            any((goal.conjunct, goal.action) == (of, "asker.asks") for goal in goals)
            and len(list(notes.iterdir())) < times
        ):
            (notes / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return solve(self, goals, patient)

    return its


def test_what_a_worker_dies_of_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = timeless(obligations(0))
    monkeypatch.setattr(GoalSolver, "solve", dying(1, tmp_path))
    assert timeless(obligations(2)) == expected
    assert len(list(tmp_path.iterdir())) == 1


def test_what_workers_die_of_each_time_is_not_proved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = obligations(0)
    notes, answers = tmp_path / "notes", tmp_path / "answers"
    notes.mkdir()
    monkeypatch.setattr(GoalSolver, "solve", dying(100, notes))
    for _ in range(2):  # nothing of it is kept either
        found = obligations(2, Cache(answers))
        assert [o.status for o in found if (o.conjunct, o.action) == ("asked-is-heard", "asker.asks")] == [
            Status.UNKNOWN
        ]
        others = [(a.status, b.status) for a, b in zip(found, expected, strict=True) if a.conjunct != "asked-is-heard"]
        assert all(a is b for a, b in others)


def test_a_part_of_the_deadlock_that_workers_die_of_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def its(self: GoalSolver, deadlock: Deadlock, part: int, patient: bool = True) -> Obligation:
        if part == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return solve_deadlock(self, deadlock, part, patient)

    monkeypatch.setattr(GoalSolver, "solve_deadlock", its)
    assert obligations(2)[-1].status is Status.UNKNOWN


def test_an_error_in_a_worker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GoalSolver, "solve", lambda *_: 1 // 0)
    with pytest.raises(WorkerError, match="ZeroDivisionError"):
        obligations(2)


def without_the_last(found: list[Obligation]) -> list[Obligation]:
    return found[:-1]


def in_another_order(found: list[Obligation]) -> list[Obligation]:
    return found[::-1] if len(found) > 1 else [replace(o, conjunct="another") for o in found]


def with_a_question_less(found: list[Obligation]) -> list[Obligation]:
    return [replace(o, questions=o.questions - 1) for o in found]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("fault", [without_the_last, in_another_order, with_a_question_less])
def test_a_lost_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, workers: int, fault: Callable[[list[Obligation]], list[Obligation]]
) -> None:
    monkeypatch.setattr(GoalSolver, "solve", lambda *args: fault(solve(*args)))
    with pytest.raises(LostAnswerError):
        obligations(workers)


def test_a_lost_task_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(start: object, tasks: deque[object], workers: int) -> object:
        tasks.popleft()
        tasks.pop()
        yield from share_out(start, tasks, workers)  # type: ignore[arg-type]

    monkeypatch.setattr("postcopy.prover.scheduling.share_out", losing)
    with pytest.raises(LostAnswerError, match="there is no answer to"):
        obligations(2)


def test_tasks_that_are_added_are_done() -> None:
    tasks = deque([1, 2, 3])
    done: dict[int, int] = {}
    with closing(share_out(lambda: lambda n: n * n, tasks, 2)) as events:
        for event in events:
            match event:
                case Done(task, answer):
                    done[task] = answer
                    tasks.extend([10 * task] if task < 10 else [])
                case Died():
                    pytest.fail("no worker dies")
    assert done == {n: n * n for n in (1, 2, 3, 10, 20, 30)}


def sleeping(_: int) -> int:
    time.sleep(60)
    return 0


def test_workers_are_ended_in_the_midst_of_their_work() -> None:
    start = time.monotonic()
    events = share_out(lambda: lambda n: os.getpid() if n == 0 else sleeping(n), deque([0, 1, 1]), 2)
    first = next(events)
    assert isinstance(first, Done)
    events.close()
    assert time.monotonic() - start < 20
    with pytest.raises(ProcessLookupError):
        os.kill(first.answer, 0)


ORPHANED = """
import os, time
from collections import deque
from postcopy.prover.workers import share_out
events = share_out(lambda: lambda n: os.getpid() if n == 0 else time.sleep(60), deque([0, 1, 1]), 2)
print(next(events).answer, flush=True)
next(events)
"""


def test_a_worker_ends_when_the_process_that_it_works_for_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    for _ in range(200):
        if not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2]:
            return
        time.sleep(0.05)
    pytest.fail(f"worker {worker} goes on")
