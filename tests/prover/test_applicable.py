"""Conjuncts that name what a protocol does not have are left out, with the reason; other mistakes stay errors."""

from __future__ import annotations

from enum import Enum, auto

import pytest

from postcopy.errors import SpecError, UnknownNameError
from postcopy.language import (
    Channel,
    Flag,
    Monitor,
    Property,
    Protocol,
    Step,
    View,
    about,
    conjunct,
)
from postcopy.language.ranking import Component, Measure, Ranking
from postcopy.model.changes.recovery import Recovery
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.prover.applicable import applicable
from tests.prover.small import Ring, Token
from tests.prover.test_soundness import Question
from tests.prover.test_verdicts import Light


class Colour(Enum):
    RED = auto()


class Blinks(Monitor):
    """Watches a machine that is not there."""

    on = Flag("it blinks")

    def watch(self, step: Step) -> None:
        """Look."""
        if step.after.blinker.on:
            self.on = True


@conjunct("a part")
def part(state: View) -> bool:
    """."""
    return bool(state.switch.on)


@conjunct("a field")
def field(state: View) -> bool:
    """."""
    return bool(state.asker.colour == 1)


@conjunct("a field, behind a decision")
def hidden(state: View) -> bool:
    """."""
    return bool(state.asker.asked) or bool(state.asker.answered)


@conjunct("a message")
def message(state: View) -> bool:
    """."""
    return not state.there.carries(Colour.RED)


@conjunct("a mark")
def mark(state: View) -> bool:
    """."""
    return bool(state.there.in_order(about(Token.TOKEN, stale=True)).empty)


@conjunct("a monitor", monitor=Blinks)
def monitor(state: View) -> bool:
    """."""
    return not state.Blinks.on


@conjunct("all there")
def there(state: View) -> bool:
    """."""
    return not state.asker.asked or bool(state.asker.allowed)


@conjunct("a mistake")
def mistake(state: View) -> bool:
    """."""
    return bool(state.asker.asked + 1)


NOT_THERE = {
    part: "there is no switch in this protocol",
    field: "Asker has no field colour",
    hidden: "Asker has no field answered",
    message: "there carries Token, not <Colour.RED: 1>",
    mark: "there has no mark stale",
    monitor: "there is no blinker in this protocol",
}


@pytest.mark.parametrize("conjunct", NOT_THERE, ids=lambda c: c.name)
def test_a_conjunct_that_names_what_is_not_there_is_left_out_with_the_reason(conjunct: Property) -> None:
    found = applicable(Question, (), (there, conjunct), None)
    assert found.invariant == (there,)
    ((name, why),) = found.left_out
    assert name == conjunct.name
    assert why.startswith(NOT_THERE[conjunct])


@pytest.mark.parametrize("conjunct", NOT_THERE, ids=lambda c: c.name)
def test_in_a_protocol_that_declares_it_the_conjunct_is_an_error(conjunct: Property) -> None:
    class Own(Question):
        """A conjunct of its own."""

        invariant = (conjunct,)

    if conjunct is monitor:  # it is the monitor that cannot be read there
        assert applicable(Own, (), (conjunct,), None).left_out
    else:
        with pytest.raises(UnknownNameError):
            applicable(Own, (), (conjunct,), None)

    class Derived(Own):
        """It has them from its base."""

    assert [left.name for left in applicable(Derived, (), (conjunct,), None).left_out] == [conjunct.name]


def test_another_mistake_is_an_error() -> None:
    with pytest.raises(SpecError, match="mistake"):
        applicable(Question, (), (there, mistake), None)


def test_components_of_a_ranking_that_are_not_there_are_left_out() -> None:
    components = (
        Component("asker.asked", Measure.ADVANCES, "it asks once"),
        Component("asker.colour", Measure.ADVANCES, "there is none"),
        Component("back", Measure.DRAINS, "there is none"),
        Component("listener.heard", Measure.SHRINKS, "it is no set of pages"),
    )
    found = applicable(Question, (), (), Ranking(lambda _: True, None, components))
    assert [left.name for left in found.left_out] == ["asker.colour", "back", "listener.heard"]
    assert found.ranking is not None


def test_a_ranking_of_what_is_not_there_is_left_out() -> None:
    found = applicable(Light, (), (), Ranking(lambda state: bool(state.switch.on), None, ()))
    assert (found.ranking, [left.name for left in found.left_out]) == (None, ["the end"])


@pytest.mark.unmeasured
def test_each_conjunct_of_the_document_brings_the_history_that_it_reads() -> None:
    assert applicable(Postcopy, (), INVARIANT, None).left_out == ()


@pytest.mark.unmeasured
def test_a_protocol_without_a_channel_is_asked_what_does_not_speak_of_it() -> None:
    class Without(Recovery):
        """One conjunct names a channel, one does not."""

    fast = conjunct("a channel that only some changes have")(lambda state: state.fast.empty)
    found = applicable(Without, (), (*INVARIANT, fast), None)
    assert [left.name for left in found.left_out] == [fast.name]
    assert len(found.invariant) == len(INVARIANT)


class Fewer(Enum):
    OTHER = auto()


def test_a_channel_that_carries_something_else_takes_its_conjuncts_with_it() -> None:
    class Other(Ring):
        """The ring, with another message."""

        there = Channel((Token, Fewer))

    class NoToken(Protocol):
        """Not a ring."""

        left = Ring.left
        right = Ring.right
        there = Channel(Fewer)
        back = Channel(Token)

        @staticmethod
        def may_rest(state: View) -> bool:
            return True

    carried = conjunct("a token")(_carries_token)
    assert applicable(Other, (), (carried,), None).invariant == (carried,)
    assert [left.name for left in applicable(NoToken, (), (carried,), None).left_out] == [carried.name]


def _carries_token(state: View) -> bool:
    return not state.there.carries(Token.TOKEN)
