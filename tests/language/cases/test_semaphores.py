"""Semaphores keep what was posted until it is waited for, and say when they run over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import (
    Count,
    Flag,
    Machine,
    Protocol,
    Semaphore,
    Thread,
    View,
    action,
    always,
    require,
)
from postcopy.language.instance import Instance
from postcopy.language.single_run import SingleRun
from postcopy.language.symbolic import read_action
from postcopy.prover.verdicts import Answer
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched
from tests.language.cases.readings import Size

SIZE: Size = (1, 1, 1)


class Office(Machine):
    """The boss hands out two pieces of work; the worker may be paused meanwhile."""

    boss = Thread("boss")
    worker = Thread("worker")

    due = Semaphore("work that is due", most=2)
    handed_out = Count("work handed out", 0, 2)
    done = Count("work done", 0, 2)
    paused = Flag("the worker is paused", True)

    @action(boss)
    def hands_out(self) -> None:
        """hands out work"""
        require(self.handed_out < 2)
        self.handed_out += 1
        self.due.post()

    @action(boss)
    def resumes(self) -> None:
        """lets the worker go on"""
        require(self.paused)
        self.paused = False

    @action(worker)
    def works(self) -> None:
        """does a piece of work"""
        require(not self.paused)
        self.due.wait()
        require(self.done < 2)
        self.done += 1


@always("Work is due until it is done")
def nothing_is_lost(state: View) -> bool:
    """A piece of work was handed out, is not done, and is not due."""
    office = state.office
    return any(
        office.handed_out == both and office.due.count == both - n and office.done == n
        for both, n in ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
    )


class Works(Protocol):
    """A post is kept while the worker is paused."""

    office = Office
    properties = (nothing_is_lost,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.office.done == 2)


class Event(Office):
    due = Semaphore("work that is due", most=1, saturates=True)


class Forgets(Works):
    """The second post is lost where the first has not been waited for."""

    office = Event


class Small(Office):
    due = Semaphore("work that is due", most=1)


class RunsOver(Works):
    """The second post is an error where the first has not been waited for."""

    office = Small


class Polling(Office):
    @action(Office.worker)
    def works(self) -> None:
        """does a piece of work, if there is one"""
        require(not self.paused and self.done < 2)
        if self.due.try_wait():
            self.done += 1


class Polls(Works):
    """The worker looks and goes on."""

    office = Polling


class Double(Office):
    due = Semaphore("work that is due", most=4)

    @action(Office.boss)
    def hands_out(self) -> None:
        """hands out work, and posts twice"""
        require(self.handed_out < 2)
        self.handed_out += 1
        if self.due.count == 0:
            self.due.post()
        self.due.post()


class PostsTwice(Works):
    """Work is due that was not handed out."""

    office = Double


CASES: list[tuple[type[Protocol], int, str | None]] = [
    (Works, 3 + 6, None),
    (Polls, 3 + 6, None),
    (Forgets, 9, "nothing-is-lost"),
    (PostsTwice, 9, "nothing-is-lost"),
]


@pytest.mark.parametrize(("protocol", "states", "violated"), CASES)
def test_every_search_agrees(protocol: type[Protocol], states: int, violated: str | None) -> None:
    found = searched(protocol, SIZE)
    assert found.violated == violated
    if violated is None:
        assert found.states == states


@pytest.mark.parametrize("protocol", [Works, Forgets, Polls, PostsTwice, RunsOver])
def test_both_readings_mean_the_same(protocol: type[Protocol]) -> None:
    read_both_ways(protocol, SIZE)


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [(Works, Answer.PROVED), (Polls, Answer.PROVED), (Forgets, Answer.REFUTED), (PostsTwice, Answer.REFUTED)],
)
def test_proofs_agree(protocol: type[Protocol], answer: Answer) -> None:
    assert proved_at(protocol, "nothing-is-lost", SIZE) is answer
    assert proved(protocol, "nothing-is-lost") is answer


def test_a_post_too_many_is_an_error_of_the_step_in_every_search_and_proof() -> None:
    verdict = explore(Instance(RunsOver, 1, 1, asked_of(RunsOver)), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is not None
    assert verdict.violated.name == "numbers-stay-in-range"
    assert verdict.counterexample is not None
    error = verdict.counterexample.steps[-1].error
    assert "office.due.count leaves its range 0 to 1" in str(error)
    assert "called by hands_out" in str(error) or "in hands_out" in str(error)
    assert proved_at(RunsOver, "numbers-stay-in-range", SIZE) is Answer.REFUTED
    assert proved(RunsOver, "numbers-stay-in-range") is Answer.REFUTED


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [Works, Polls, Forgets, PostsTwice])
def test_the_compiled_search_and_spin_agree(protocol: type[Protocol], tmp_path: Path) -> None:
    assert searched(protocol, SIZE, Engine.COMPILED) == searched(protocol, SIZE)
    same_in_spin(protocol, tmp_path, SIZE)


def test_one_long_run_keeps_the_count() -> None:
    instance = Instance(Works, 1, 1)
    run = SingleRun(instance, 8, 1, {})
    by_name = {action.method: action for action in instance.actions}
    assert run.take(by_name["hands_out"]) is None
    assert not run.could(by_name["works"])
    assert run.take(by_name["resumes"]) is None
    assert run.take(by_name["works"]) is None
    assert run.view.office.due.count == 0


@pytest.mark.parametrize(
    ("semaphore", "message"),
    [
        (Semaphore("s", most=0), r"due has most=0: a whole number from 1 on is needed"),
        (Semaphore("s", most=True), r"due has most=True: a whole number from 1 on"),
        (Semaphore("s", initial=2), r"due starts as 2, outside of its range 0 to 1"),
        (Semaphore("s", saturates=1), r"due has saturates=1: True or False"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_declaration_is_refused(semaphore: Semaphore, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Instance(type("Wrong", (Works,), {"office": type("Wrong", (Office,), {"due": semaphore})}), 1, 1)


def assigns(self: Any) -> None:
    """assigns"""
    self.due = 1


def counts(self: Any) -> None:
    """assigns the count"""
    self.due.count = 1


def asks(self: Any) -> None:
    """asks what there is not"""
    require(self.due.value == 1)


def forgets(self: Any) -> None:
    """forgets the parentheses"""
    self.due.wait  # noqa: B018


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (assigns, r"is a semaphore: use due\.post\(\) and due\.wait\(\)"),
        (counts, "an action assigns to its fields and variables"),
        (asks, r"\.value cannot be asked of a semaphore: it has count, post\(\), try_wait\(\), wait\(\)"),
        (forgets, r"wait without \(\)"),
    ],
)
def test_a_wrong_use_is_refused(body: Any, message: str) -> None:
    machine = type("Wrong", (Office,), {"acts": action(Office.worker)(body)})
    instance = Instance(type("Wrong", (Works,), {"office": machine}), 1, 1)
    acts = next(a for a in instance.actions if a.method == "acts")
    with pytest.raises(SpecError, match=message):
        read_action(instance, acts)


def test_a_property_may_not_post() -> None:
    @always("It posts")
    def posts(state: View) -> bool:
        """It does."""
        state.office.due.post()
        return True

    with pytest.raises(SpecError, match=r"a property writes office\.due\.count"):
        searched(type("Wrong", (Works,), {"properties": (posts,)}), SIZE)
