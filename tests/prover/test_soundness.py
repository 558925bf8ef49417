"""A false claim is not proved, and no claim is proved only because its assumptions contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from postcopy.language import (
    EITHER,
    NO_DEADLOCK,
    Channel,
    Flag,
    Machine,
    Property,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    conjunct,
    require,
)
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import ANY, INITIAL
from postcopy.prover.proving import Prover
from postcopy.prover.solving import Status
from tests.prover.small import Token


def missing(protocol: type[Protocol], invariant: Sequence[Property]) -> set[tuple[str, str]]:
    """Conjunct and action of what is not proved."""
    found = Prover(protocol, [NO_DEADLOCK], invariant).obligations(lambda *_: True)
    return {(o.conjunct, o.action) for o in found if o.status is not Status.PROVED}


class Asker(Machine):
    asker = Thread("asker")

    allowed = Flag("it may ask", EITHER)
    asked = Flag("it has asked")
    there = Sends("there")

    @action(asker)
    def asks(self) -> None:
        """asks"""
        require(self.allowed)
        require(not self.asked)
        require(self.there.room())
        self.there.send(Token.TOKEN)
        self.asked = True


class Listener(Machine):
    listener = Thread("listener")

    heard = Flag("it has heard")
    there = Receives("there")

    @action(listener)
    def hears(self) -> None:
        """hears the question"""
        self.there.receive(Token.TOKEN)
        self.heard = True


class Question(Protocol):
    """One question, which may not be allowed."""

    asker = Asker
    listener = Listener
    there = Channel(Token)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(not state.asker.allowed or state.listener.heard)


@conjunct("Nothing holds")
def nothing_holds(state: View) -> bool:
    """It does not."""
    return False


@conjunct("Asking is allowed")
def always_allowed(state: View) -> bool:
    """It may be, or not: no action changes it."""
    return bool(state.asker.allowed)


@conjunct("Nobody hears")
def nobody_hears(state: View) -> bool:
    """Somebody does."""
    return not state.listener.heard


@conjunct("What is asked is on its way or heard")
def asked_is_heard(state: View) -> bool:
    """A message is not lost here."""
    return not state.asker.asked or state.there.carries(Token.TOKEN) or bool(state.listener.heard)


@pytest.mark.parametrize(
    ("invariant", "expected"),
    [
        ([asked_is_heard], set()),
        ([], {("no-deadlock", ANY)}),
        ([asked_is_heard, nothing_holds], {("nothing-holds", INITIAL)}),
        ([asked_is_heard, always_allowed], {("always-allowed", INITIAL)}),
        ([asked_is_heard, nobody_hears], {("nobody-hears", "listener.hears")}),
    ],
)
def test_what_does_not_hold_is_not_proved(invariant: list[Property], expected: set[tuple[str, str]]) -> None:
    assert missing(Question, invariant) == expected


class Turner(Machine):
    turner = Thread("turner")

    inside = Receives("ring")
    outside = Sends("ring")

    @action(turner)
    def turns(self) -> None:
        """takes a message and sends the same again: nothing has changed"""
        self.inside.receive(Token.TOKEN)
        require(self.outside.room())
        self.outside.send(Token.TOKEN)


class Starter(Machine):
    starter = Thread("starter")

    started = Flag("it has put a message on the ring")
    ring = Sends("ring")

    @action(starter)
    def starts(self) -> None:
        """puts a message on the ring"""
        require(not self.started)
        require(self.ring.room())
        self.ring.send(Token.TOKEN)
        self.started = True


class Mill(Protocol):
    """A message goes round for ever."""

    turner = Turner
    starter = Starter
    ring = Channel(Token)

    @staticmethod
    def may_rest(state: View) -> bool:
        return False


def test_a_step_after_which_all_is_as_before_saves_nobody_from_a_deadlock() -> None:
    assert missing(Mill, []) == {("no-deadlock", ANY)}


@pytest.mark.slow
def test_no_action_is_proved_for_want_of_a_state_to_take_it_in() -> None:
    """z3 does not refute that it is taken in a state in which all conjuncts hold."""
    prover = Prover(Postcopy, SAFETY, INVARIANT)
    assert [a.name for a in prover.instance.actions if not prover.possible(a)] == []
