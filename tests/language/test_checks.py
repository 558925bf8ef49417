"""Bodies that depend on more than the state, mislead, or never end: each exact message with its line."""

# ruff: noqa: B006, F821, PLW0603

from __future__ import annotations

import datetime
import itertools
import random
import time
from collections.abc import Callable
from random import choice
from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.language import NONE, Cpu, Ghost, Machine, Page, action, require, symbolic
from postcopy.language.body_checks import BodyChecks
from tests.language.tiny import Base, Cases, Colour, Letter, Phase, here, read, refused

case = Cases()

# -- what is not part of the state -------------------------------------------------------------------------

COUNTER = [0]
FIXED = (Phase.IDLE, 3, "text", frozenset((1, 2)))
TALLY = 0


@case("it uses random.random, which depends on random and not on the state")
class TossesCoin(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(random.random() < 0.5)  # here


@case("it uses choice, which depends on random and not on the state")
class Chooses(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(choice((True, False)))  # here


@case("it uses time.time, which depends on time and not on the state")
class LooksAtClock(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(time.time() > 0)  # here


@case("it uses datetime.datetime.now, which depends on datetime and not on the state")
class LooksAtCalendar(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(datetime.datetime.now().day > 3)  # here


def tosses() -> bool:
    return random.random() < 0.5  # here


@case(
    "it uses random.random, which depends on random and not on the state",
    inside="tosses, called by act",
    at=tosses,
)
class TossesElsewhere(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(tosses())


@case("it uses random.random, which depends on random and not on the state", inside="_tosses, called by act")
class TossesInHelper(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self._helps())

    def _helps(self: Any) -> bool:
        return bool(self._tosses())

    def _tosses(self: Any) -> bool:
        return random.random() < 0.5  # here


@case("it uses COUNTER, a list that is not part of the state: declare a field, or make it a constant")
class UsesGlobalList(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        COUNTER[0] += 1  # here


@case("global TALLY: an action changes nothing but its own state")
class UsesGlobal(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        global TALLY  # here
        TALLY += 1


def make_counting() -> Callable[[Any], None]:
    ticks = itertools.count()

    def act(self: Any) -> None:
        require(ticks)  # type: ignore[arg-type]  # here

    return act


@case(
    "it uses ticks, a count that is not part of the state: declare a field, or make it a constant",
    at=make_counting,
)
class CountsInClosure(Base):
    act = action(Base.thread)(make_counting())


def make_nonlocal() -> Callable[[Any], None]:
    counter = 0

    def act(self: Any) -> None:
        nonlocal counter  # here
        counter += 1

    return act


@case("nonlocal counter: an action changes nothing but its own state", at=make_nonlocal)
class Nonlocal(Base):
    act = action(Base.thread)(make_nonlocal())


@case("it changes an attribute of ChangesClass: an action changes nothing but its own state")
class ChangesClass(Base):
    tally = 0

    @action(Base.thread)
    def act(self: Any) -> None:
        ChangesClass.tally = 1  # here


@case("it uses type, which looks past the language: use fields, ends and constants")
class ChangesOwnClass(Base):
    tally = 0

    @action(Base.thread)
    def act(self: Any) -> None:
        type(self).tally += 1  # here


@case(
    "it uses a default value, a list that is not part of the state: declare a field, or make it a constant",
    inside="_helps, called by act",
)
class RemembersInDefault(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._helps()

    def _helps(self: Any, seen: Any = []) -> None:  # here
        seen.append(1)


@case("it imports random: imports stand at the top of the file")
class Imports(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        import random as chance  # here

        require(chance.random() < 0.5)


@case("a value of the state is never identical (is) to another: compare with ==")
class ComparesIdentity(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase is Phase.IDLE)  # here


@case(
    "a value of the state is never identical (is) to another: compare with ==",
    inside="_is_idle, called by act",
)
class ComparesIdentityInHelper(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self._is_idle())

    def _is_idle(self: Any) -> bool:
        return self.busy is not True  # here


@case("it has a try or with statement, which would swallow guards: use if and require")
class Tries(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        try:  # here
            require(self.busy)
        except Exception:
            self.busy = True


@case("it has a yield or await: an action is a plain method")
class Yields(Base):
    @action(Base.thread)
    def act(self: Any) -> Any:
        require(self.busy)
        yield  # here


# -- bodies that never end, and ordinary mistakes ----------------------------------------------------------


NOT_OF_THE_LANGUAGE = (
    "which is not part of the language: use fields, ends, constants, methods and functions of your own, and all, any, "
    "bool, range, super"
)


@case(f"it uses iter, {NOT_OF_THE_LANGUAGE}")
class Forever(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(all(True for _ in iter(int, 1)))  # here


@case("the action never ends: its loops and helpers take more than 100,000 steps")
class ForAges(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for _ in range(1_000_000_000):
            self.busy = True  # here


@case("the action never ends: its loops and helpers take more than 100,000 steps")
class DoublesInHelpers(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for _ in range(200):
            self._hundred_times()
            self._hundred_times()  # here

    def _hundred_times(self: Any) -> None:
        for _ in range(100):
            self.busy = True


@case("the action never ends: _again calls itself", inside="_again, called by act")
class Recursive(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._again()

    def _again(self: Any) -> None: self._again()  # fmt: skip  # here


@case("it has a while loop, which may never end: loop over a tuple, an enumeration or a range of constants")
class Undecided(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        while self.count != 100:  # here
            self.count += 1


@case("more than 60 decisions on one path: split it into several actions")
class Indecisive(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for _ in range(70):
            require(self.count != 100)  # here
            self.count += 1


@case("NameError: name 'pahse' is not defined")
class Misspells(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(pahse)  # type: ignore[name-defined]  # here


@case(".name cannot be asked of a Phase")
class NoAttribute(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase.name == "IDLE")  # here


@case("TypeError: NoArgument._helps() missing 1 required positional argument: 'page'")
class NoArgument(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._helps()  # here

    def _helps(self: Any, page: Any) -> None:
        self.dirty |= page


@case(
    "it has the operator of 1 / 0: sets of pages have | & - ~, and numbers + and -",
    inside="_divides, called by act",
)
class Divides(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._divides()

    def _divides(self: Any) -> None:
        self.count = 1 / 0  # here


@pytest.mark.parametrize(("machine", "ghost", "where", "message"), case.params)
def test_an_action_that_depends_on_more_than_the_state_is_refused_with_its_line(
    machine: type[Machine], ghost: type[Ghost], where: str, message: str
) -> None:
    refused(machine, ghost, where, message)


# -- what is allowed ---------------------------------------------------------------------------------------


class Decent(Base):
    """Uses whatever may be used: constants, enumerations, helpers, loops over vCPUs, reflected operators."""

    limit = 3

    @action(Base.thread)
    def act(self: Any, cpu: Cpu, page: Page) -> None:
        require(self.count < self.limit and self.phase != FIXED[0])
        require(self.busy or not self.stream.broken)
        self._helps(page)
        for _ in range(2):
            self.waiting[cpu] = NONE | page
        self.count = 1 + self.count
        for colour in Colour:
            if all(colour != other for other in (Colour.RED,)):
                self.colour = colour

    def serves_request(self: Any) -> None:
        super().serves_request()
        require(self.stream.room(2))
        self.stream.send(Letter.PLAIN)
        self.stream.send(Letter.STAMPED, stale=NONE)

    @property
    def tired(self: Any) -> bool:
        """For properties."""
        return bool(self.busy)

    def _helps(self: Any, page: Any = None) -> None:
        if page is not None:
            self.dirty |= page


def test_a_decent_action_is_not_refused() -> None:
    read(Decent)


# -- when the text does not tell ---------------------------------------------------------------------------


def test_an_action_that_changes_its_mind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check of the text overlooks, two runs that differ give away."""
    monkeypatch.setattr(BodyChecks, "action", lambda *_: None)
    counter = itertools.count()

    class Changes(Base):
        @action(Base.thread)
        def act(self: Any) -> None:
            self.busy = next(counter) % 2 == 0

    with pytest.raises(SpecError) as caught:
        read(Changes)
    assert "it depends on something that is not part of the state" in str(caught.value)


def test_an_action_that_asks_otherwise_the_second_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BodyChecks, "action", lambda *_: None)
    answers = iter((True, False, False))

    class Wavers(Base):
        @action(Base.thread)
        def act(self: Any) -> None:
            if next(answers):
                require(self.busy)  # decided in the first run only
            else:
                require(self.dirty.empty)  # here

    with pytest.raises(SpecError) as caught:
        read(Wavers)
    message = "two runs on the same values took different ways: it branches on something that is not part"
    assert str(caught.value) == f"{here(Wavers)}, in act: {message} of the state"


def test_an_action_with_too_many_ways_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "MAX_PATHS", 2)
    with pytest.raises(SpecError, match=r"in \w+: more than 2 ways through it: split it into several actions"):
        read(Decent)
