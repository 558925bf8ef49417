"""Members of two enumerations are never the same, though those of an IntEnum are equal by their numbers.

To compare them is refused; on channels and in patterns the member counts, in every interpretation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from typing import Any, ClassVar

import pytest

from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.language import (
    NONE,
    Channel,
    Choice,
    Flag,
    Ghost,
    Machine,
    Monitor,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    about,
    action,
    always,
    every_step,
    require,
)
from postcopy.language.concrete import successors, violated_by
from postcopy.language.instance import Instance
from postcopy.language.looks import How, Sight
from postcopy.language.symbolic import read_action, read_predicate
from postcopy.prover.proving import prove
from postcopy.prover.solving import Status
from tests.language.tiny import Base, Cases, Innocent, Memory, Other, Phase, here, read, refused

case = Cases()
PHASE_WITH_OTHER = "a Phase is compared with an Other ({} with {}): compare it with a member of Phase"
BOTH = (Phase.IDLE, Other.SECOND)


@case(PHASE_WITH_OTHER.format("Phase.IDLE", "Other.FIRST"))
class ComparesConstants(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(Phase.IDLE == Other.FIRST)  # type: ignore[comparison-overlap]  # here


@case(PHASE_WITH_OTHER.format("self.phase", "Other.FIRST"))
class OrdersField(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase > Other.FIRST)  # here


@case(PHASE_WITH_OTHER.format("self.phase", "Other.SECOND"))
class LooksInATuple(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase in (Phase.IDLE, Other.SECOND))  # here


@case(PHASE_WITH_OTHER.format("Phase.BUSY", "2"))
class LooksInAConstantTuple(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(Phase.BUSY not in BOTH)  # here


@case("an Other is compared with a Phase (each with Phase.IDLE): compare it with a member of Other")
class ComparesAllOfAnEnumeration(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(all(each != Phase.IDLE for each in Other))  # type: ignore[comparison-overlap]  # here


@case("an Other is compared with a Phase (each with Phase.IDLE): compare it with a member of Other")
class ComparesInALoop(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for each in (Other.FIRST, Other.SECOND):
            require(each != Phase.IDLE)  # type: ignore[comparison-overlap]  # here


@case("phase is a Phase, and Other.FIRST an Other: give it a member of Phase")
class GivesAHelperAnother(Base):
    def at(self, phase: Phase) -> bool:
        return phase == Phase.IDLE

    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.at(Other.FIRST))  # here


@case("phase is a Phase, and Other.FIRST an Other: give it a member of Phase")
class NamesTheParameter(Base):
    def at(self, phase: Phase) -> bool:
        return phase == Phase.IDLE

    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.at(phase=Other.FIRST))  # here


@pytest.mark.parametrize(("machine", "ghost", "where", "message"), case.params)
def test_members_of_two_enumerations_are_not_compared(
    machine: type[Machine], ghost: type[Ghost], where: str, message: str
) -> None:
    refused(machine, ghost, where, message)


def compares_field(state: View) -> Any:
    return state.left.phase != Other.SECOND  # here


def compares_last(state: View) -> Any:
    return Phase.IDLE <= Phase.BUSY <= Other.SECOND  # here


def is_idle(phase: Phase) -> bool:
    return phase == Phase.IDLE


def gives_another(state: View) -> Any:
    return is_idle(Other.FIRST)  # type: ignore[arg-type]  # here


@pytest.mark.parametrize(
    ("holds", "message"),
    [
        (compares_field, PHASE_WITH_OTHER.format("state.left.phase", "Other.SECOND")),
        (compares_last, PHASE_WITH_OTHER.format("Phase.BUSY", "Other.SECOND")),
        (gives_another, "phase is a Phase, and Other.FIRST an Other: give it a member of Phase"),
    ],
)
def test_nor_in_properties(holds: Callable[[View], Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_predicate(Instance(Innocent, 2, 1), holds)
    assert str(caught.value) == f"{here(holds)}, in {holds.__name__}: {message}"


class Watching(Monitor):
    seen = Flag("seen")

    def watch(self, step: Step) -> None:
        """Looks for an event by its number."""
        for event in step.events:
            if event.what == Other.FIRST:  # here
                self.seen = True


def test_nor_is_an_event_looked_for_by_its_number() -> None:
    instance = Instance(Innocent, 2, 1, [every_step("fine", monitor=Watching)(lambda _: True)])
    with pytest.raises(SpecError) as caught:
        read_action(instance, instance.actions[0])
    assert str(caught.value) == (
        f"{here(Watching)}, in watch, called by serves_request: event.what may be a member of another enumeration, and "
        "equal to Other.FIRST by its number: ask the step for Other.FIRST (step.of(), .happened(), .sent(), .sends(), "
        ".receives())"
    )


class AsItIsMeant(Base):
    """Members of one enumeration, in every way that is refused above for two."""

    def at(self, phase: Phase) -> bool:
        return phase in (Phase.IDLE, Phase.BUSY)

    @action(Base.thread)
    def act(self: Any) -> None:
        require(all(each == self.phase for each in Phase))
        require(self.at(self.phase))
        require(self.at(Phase.IDLE))
        require(self.phase >= Phase.IDLE)
        require(self.colour != self.colour)


def test_members_of_one_enumeration_are_compared() -> None:
    read(AsItIsMeant, Memory)


# -- two enumerations on one channel ---------------------------------------------------------------------------


class Data(IntEnum):
    COPY = 0


class Control(IntEnum):
    STOP = 0


class Stage(Enum):
    FIRST = "first"
    SECOND = "second"


class Sender(Machine):
    """Sends a copy first, and stops then."""

    thread = Thread("sender")
    stage = Choice("what it does next", Stage.FIRST)
    wire = Sends("wire")

    @action(thread)
    def sends_copy(self) -> None:
        """sends a copy"""
        require(self.stage == Stage.FIRST)
        require(self.wire.room())
        self.wire.send(Data.COPY, NONE, stale=NONE)
        self.stage = Stage.SECOND

    @action(thread)
    def stops(self) -> None:
        """says that it stops"""
        require(self.wire.room())
        self.wire.send(Control.STOP)


class Receiver(Machine):
    """Takes what comes."""

    thread = Thread("receiver")
    wire = Receives("wire")

    @action(thread)
    def takes_copy(self) -> None:
        """takes a copy"""
        self.wire.receive(Data.COPY)

    @action(thread)
    def takes_stop(self) -> None:
        """takes the word to stop"""
        self.wire.receive(Control.STOP)


@always("A copy comes never alone")
def never_alone(state: View) -> bool:
    """There is a copy and nothing else."""
    return bool(not state.wire.carries(Data.COPY) or state.wire.carries(Control.STOP))


@always("Nothing stops behind a copy")
def none_behind(state: View) -> bool:
    """The order of kinds is that of their members."""
    return bool(state.wire.in_order(Data.COPY, Control.STOP).empty)


class Mixed(Protocol):
    """Two enumerations whose members are equal, on one channel."""

    sender = Sender
    receiver = Receiver
    wire = Channel((Data, Control), marks=("stale",), marked=(Data.COPY,))
    properties = (never_alone, none_behind)

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


def test_what_is_on_a_channel_is_told_apart_by_the_member() -> None:
    instance = Instance(Mixed, 1, 2, Mixed.properties)
    (first,) = instance.initial_states()
    after = {step.action.name: step.state for step in successors(instance, first)}
    assert violated_by(instance, after["sender.sends_copy"]) == ("never-alone",)
    assert violated_by(instance, after["sender.stops"]) == ()
    (behind,) = (s.state for s in successors(instance, after["sender.sends_copy"]) if s.action.name == "sender.stops")
    assert violated_by(instance, behind) == ("none-behind",)


def test_a_search_finds_what_one_kind_does_and_the_other_does_not() -> None:
    for prop in Mixed.properties:
        found = explore(Instance(Mixed, 1, 2, [prop]))
        assert found.violated is prop


@pytest.mark.parametrize("claim", [never_alone, none_behind])
def test_no_proof_takes_a_kind_for_another(claim: Any) -> None:
    assert prove(Mixed, [claim], []).status is not Status.PROVED


def test_patterns_and_sights_of_equal_members_differ() -> None:
    assert about(Data.COPY) != about(Control.STOP)
    assert Sight(Data.COPY, How.SENT) != Sight(Control.STOP, How.SENT)
    assert about(Data.COPY) == about(Data.COPY)
    assert Sight(Data.COPY, How.SENT) == Sight(Data.COPY, How.SENT)


class Use(Enum):
    REQUEST = "request"
    NOTE = "note"


class RolesOfBoth(Mixed):
    """A dictionary has one place for both."""

    roles: ClassVar[Mapping[Enum, Enum]] = {Data.COPY: Use.NOTE, Control.STOP: Use.REQUEST}  # here


def test_roles_of_equal_members_are_refused() -> None:
    assert RolesOfBoth.roles == {Data.COPY: Use.REQUEST}, "one of them is lost"
    with pytest.raises(SpecError) as caught:
        Instance(RolesOfBoth, 1, 1)
    assert str(caught.value) == (
        f"{here(RolesOfBoth)}, in RolesOfBoth: RolesOfBoth.roles names <Data.COPY: 0>, which a dictionary takes for "
        "<Control.STOP: 0>, since the numbers are equal: make Data or Control a plain Enum"
    )
