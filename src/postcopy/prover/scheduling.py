"""Shares goals out among worker processes, and collects an answer for each.

A task is some goals about one action, so that its paths are made into formulas once, or a part of the absence of
deadlock. What is not proved at first is a task of its own, which asks with more patience. No goal gets lost: it is an
error if one has no answer, or an answer to fewer questions than it has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from postcopy.prover.answers import Answers
from postcopy.prover.channel_expressions import walk
from postcopy.prover.goal_solver import GoalSolver
from postcopy.prover.goals import Goal, Path
from postcopy.prover.obligations import ANY, Obligation, together
from postcopy.prover.progress import Deadlock
from postcopy.prover.solving import Status
from postcopy.prover.workers import Died, Done, share_out

MOST = 40
"""Violations of a task's goals, if they are several."""


class LostAnswerError(RuntimeError):
    """A goal has no answer, or not to all of its questions: an error of this program."""


@dataclass(frozen=True)
class Task:
    """What a worker does at once.

    Attributes:
        goals: their numbers.
        parts: those of the absence of deadlock.
        patient: whether to ask with more work and more instances where the first answer is no proof.
    """

    goals: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()
    patient: bool = False


def solve(
    goals: Sequence[Goal],
    deadlock: Deadlock | None,
    solver: Callable[[], GoalSolver],
    workers: int = 0,
    report: Callable[[Obligation], None] = lambda _: None,
    patient: bool = True,
    answers: Answers | None = None,
) -> list[Obligation]:
    """The answers to all goals, in their order, and to the absence of deadlock behind them.

    Args:
        goals: those about one action stand together.
        deadlock: what must be impossible, if that is asked.
        solver: makes a solver, in each worker.
        workers: how many processes; 0: this process does it by itself.
        report: called with each answer when it is there.
        patient: whether to ask again, with more instances and more work, where the first answer is no proof.
        answers: where answers are kept; what is found there is not asked.

    Raises:
        LostAnswerError: there is no answer to a goal.
        WorkerError: a worker has met an error.
    """
    collected = _Collected(goals, deadlock, report, patient, answers)
    collected.look_up()
    tasks = [*(Task(parts=(part,)) for part in collected.parts), *_tasks(collected.missing)]
    if tasks and workers == 0:
        _solve_here(collected, solver())
    elif tasks:
        _solve_there(collected, solver, workers, deque(tasks))
    return collected.obligations()


def _solve_here(collected: _Collected, solver: GoalSolver) -> None:
    for _, those in groupby(collected.missing, key=lambda one: one[1].action):
        numbers, goals = zip(*those, strict=True)
        collected.add(Task(numbers, patient=True), solver.solve(goals, collected.patient))
    for part in collected.parts:
        if collected.first_failed is None:
            assert collected.deadlock is not None
            found = solver.solve_deadlock(collected.deadlock, part, collected.patient)
            collected.add(Task(parts=(part,)), [found])


def _solve_there(collected: _Collected, solver: Callable[[], GoalSolver], workers: int, tasks: deque[Task]) -> None:
    def start() -> Callable[[Task], list[Obligation]]:
        its = solver()

        def work(task: Task) -> list[Obligation]:
            goals = [collected.goals[number] for number in task.goals]
            found = its.solve(goals, task.patient and collected.patient)
            for part in task.parts:
                assert collected.deadlock is not None
                found.append(its.solve_deadlock(collected.deadlock, part, collected.patient))
            return found

        return work

    dead: set[Task] = set()
    with closing(share_out(start, tasks, workers)) as events:
        for event in events:
            match event:
                case Done(task, answers):
                    tasks.extendleft(collected.add(task, answers))
                case Died(task):
                    tasks.extendleft(_again(task) if task not in dead else collected.give_up(task))
                    dead.update(_again(task))
            if collected.first_failed is not None:
                for task in [t for t in tasks if t.parts and t.parts[0] > collected.first_failed]:
                    tasks.remove(task)


def _again(task: Task) -> list[Task]:
    """What a worker has died of, taken apart: it may have been one goal of several."""
    if task.parts:
        return [task]
    return [Task((number,), patient=True) for number in task.goals]


def _tasks(goals: Iterable[tuple[int, Goal]]) -> list[Task]:
    """All goals in tasks of some size, those first that are expected to take longest."""
    sizes: dict[Path | None, int] = {}
    found: list[tuple[int, Task]] = []
    for _, those in groupby(goals, key=lambda one: one[1].action):
        numbers: list[int] = []
        count = expected = 0
        for number, goal in those:
            if numbers and count + len(goal.violations) > MOST:
                found.append((expected, Task(tuple(numbers))))
                numbers, count, expected = [], 0, 0
            numbers.append(number)
            count += len(goal.violations)
            expected += sum(_size(v.path, sizes) for v in goal.violations)
        found.append((expected, Task(tuple(numbers))))
    return [task for _, task in sorted(found, key=lambda one: -one[0])]


def _size(path: Path | None, known: dict[Path | None, int]) -> int:
    """How much a path changes, in nodes of expressions: questions about large changes take long."""
    if path not in known:
        changes: Iterable[object] = () if path is None else (node for e in path.updates.values() for node in walk(e))
        known[path] = 1 + sum(1 for _ in changes)
    return known[path]


@dataclass
class _Collected:
    """The answers so far.

    Attributes:
        goals: see `solve`.
        deadlock: see `solve`.
        report: see `solve`.
        patient: see `solve`.
        answers: see `solve`.
        first_failed: the first part of the absence of deadlock that is not proved; those behind it do not matter.
    """

    goals: Sequence[Goal]
    deadlock: Deadlock | None
    report: Callable[[Obligation], None]
    patient: bool
    answers: Answers | None
    first_failed: int | None = None
    _answers: dict[int, Obligation] = field(default_factory=dict)
    _parts: dict[int, Obligation] = field(default_factory=dict)
    _no_deadlock: Obligation | None = None

    @property
    def missing(self) -> list[tuple[int, Goal]]:
        """The goals without an answer, with their numbers."""
        return [(number, goal) for number, goal in enumerate(self.goals) if number not in self._answers]

    @property
    def parts(self) -> range:
        """The parts of the absence of deadlock, if that has no answer."""
        return range(0 if self.deadlock is None or self._no_deadlock is not None else self.deadlock.parts)

    def look_up(self) -> None:
        """Take the answers that are kept."""
        if self.answers is None:
            return
        for number, goal in enumerate(self.goals):
            kept = self.answers.to_goal(goal)
            if kept is not None:
                self._accept(number, kept)
        kept = None if self.deadlock is None else self.answers.to_deadlock(self.deadlock)
        if kept is not None:
            self._no_deadlock = kept
            self.report(kept)

    def add(self, task: Task, answers: Sequence[Obligation]) -> list[Task]:
        """Take the answers to a task; gives tasks that ask again what is not proved yet.

        Raises:
            LostAnswerError: there are fewer answers than goals, or to fewer questions.
        """
        if len(answers) != len(task.goals) + len(task.parts):
            raise LostAnswerError(f"{len(answers)} answers to {task}")
        again = []
        for number, answer in zip(task.goals, answers, strict=False):
            self._check(self.goals[number], answer)
            if answer.status is Status.PROVED or task.patient or not self.patient:
                self._accept(number, answer)
            else:
                again.append(Task((number,), patient=True))
        if self.answers is not None:
            self.answers.keep_goals(dict(zip((self.goals[number] for number in task.goals), answers, strict=False)))
        for part, answer in zip(task.parts, answers[len(task.goals) :], strict=True):
            self._add_part(part, answer)
        return again

    def give_up(self, task: Task) -> list[Task]:
        """A worker has died of a task for a second time: that proves nothing."""
        unknown = [
            Obligation(goal.conjunct, goal.action, Status.UNKNOWN, 0.0, len(goal.violations))
            for goal in (self.goals[number] for number in task.goals)
        ]
        for _ in task.parts:
            assert self.deadlock is not None
            unknown.append(Obligation(self.deadlock.conjunct, ANY, Status.UNKNOWN, 0.0, 1))
        return self.add(task, unknown)

    def obligations(self) -> list[Obligation]:
        """All answers in the order of the goals.

        Raises:
            LostAnswerError: one is missing.
        """
        lost = [goal for _, goal in self.missing]
        if lost or (self.deadlock is not None and self._no_deadlock is None):
            names = [f"{goal.conjunct} after {goal.action}" for goal in lost] or ["the absence of deadlock"]
            raise LostAnswerError(f"there is no answer to {', '.join(names)}")
        last = [] if self._no_deadlock is None else [self._no_deadlock]
        return [*(self._answers[number] for number in range(len(self.goals))), *last]

    def _accept(self, number: int, answer: Obligation) -> None:
        self._answers[number] = answer
        self.report(answer)

    def _check(self, goal: Goal, answer: Obligation) -> None:
        expected = (goal.conjunct, goal.action, len(goal.violations))
        if (answer.conjunct, answer.action, answer.questions) != expected:
            raise LostAnswerError(f"{answer} is no answer to {goal.conjunct} after {goal.action}")

    def _add_part(self, part: int, answer: Obligation) -> None:
        self._parts[part] = answer
        if answer.status is not Status.PROVED:
            self.first_failed = part if self.first_failed is None else min(part, self.first_failed)
        needed = self.parts if self.first_failed is None else range(self.first_failed + 1)
        if self._no_deadlock is None and all(number in self._parts for number in needed):
            found = self._no_deadlock = together(self._parts[number] for number in needed)
            self.report(found)
            if self.answers is not None and self.deadlock is not None:
                self.answers.keep_deadlock(self.deadlock, found)
