"""A look at the next message before it is taken, in every reading."""

from __future__ import annotations

import re
from enum import Enum, auto
from pathlib import Path

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import (
    ALL,
    NO_DEADLOCK,
    Answer,
    Bitmap,
    Channel,
    Machine,
    Monitor,
    Page,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    require,
)
from postcopy.language.instance import Instance
from postcopy.language.single_run import SingleRun
from postcopy.model.destination import Destination
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.prover.verdicts import Answer as Proved
from tests.language.cases.channel_readings import proved, proved_at, same_in_spin, searched


class Parcel(Enum):
    BOX = auto()
    END = auto()


class Sender(Machine):
    """Sends each page once."""

    sender = Thread("sender")
    left = Bitmap("pages to send", ALL)
    belt = Sends("belt")

    @action(sender)
    def sends(self, page: Page) -> None:
        """sends a page"""
        require(self.left[page])
        require(self.belt.room())
        self.left -= page
        self.belt.send(Parcel.BOX, page)


class Receiver(Machine):
    """Takes a parcel only when it has a place for it."""

    receiver = Thread("receiver")
    places = Bitmap("pages with a place")
    taken = Bitmap("pages taken")
    belt = Receives("belt")

    @action(receiver)
    def makes_a_place(self) -> None:
        """makes a place for what comes next"""
        require((self.belt.peek(Parcel.BOX).pages & self.places).empty)
        self.places |= self.belt.peek(Parcel.BOX).pages

    @action(receiver)
    def takes(self) -> None:
        """takes what it has a place for"""
        require(self.belt.peek(Parcel.BOX).pages.subset_of(self.places))
        self.taken |= self.belt.receive(Parcel.BOX).pages


@always("What is taken has a place")
def has_a_place(state: View) -> Answer:
    """It lies around."""
    without: Answer = state.receiver.taken - state.receiver.places
    return without


@always("What has not been sent is not taken")
def was_sent(state: View) -> Answer:
    """It came from nowhere."""
    early: Answer = (state.receiver.taken | state.belt.in_flight(Parcel.BOX)) & state.sender.left
    return early


class Belt(Protocol):
    """A belt of parcels."""

    sender = Sender
    receiver = Receiver
    belt = Channel(Parcel)
    properties = (has_a_place, was_sent)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.receiver.taken.full)


class TakesWithoutAPlace(Belt):
    """Looks at the parcel, and not whether there is a place for it."""

    class receiver(Receiver):
        """Looks in vain."""

        def takes(self) -> None:
            """takes a parcel"""
            require(not self.belt.peek(Parcel.BOX).pages.empty)
            self.taken |= self.belt.receive(Parcel.BOX).pages


class NeverMakesAPlace(Belt):
    """Waits for a place, and makes none."""

    class receiver(Receiver):
        """Only looks."""

        def makes_a_place(self) -> None:
            """looks at what comes next"""
            self.belt.peek(Parcel.BOX)


PROTOCOLS = [(Belt, None), (TakesWithoutAPlace, has_a_place.name), (NeverMakesAPlace, NO_DEADLOCK.name)]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("protocol", "violated"), PROTOCOLS)
def test_a_look_leaves_the_message_where_it_is(protocol: type[Protocol], violated: str | None, tmp_path: Path) -> None:
    assert searched(protocol) == violated
    same_in_spin(protocol, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "violated"), PROTOCOLS)
def test_machine_code_says_the_same(protocol: type[Protocol], violated: str | None) -> None:
    assert searched(protocol, (3, 2, 1), Engine.COMPILED) == violated


def test_proofs_know_what_was_looked_at() -> None:
    for found in (proved_at(Belt), proved(Belt)):
        assert found[has_a_place.name] is found[was_sent.name] is Proved.PROVED
    assert proved_at(TakesWithoutAPlace)[has_a_place.name] is Proved.REFUTED
    assert proved(TakesWithoutAPlace)[has_a_place.name] is not Proved.PROVED


def test_a_single_run_looks_too() -> None:
    run = SingleRun(Instance(Belt, 1, 1), 100, 1, {})
    actions = {action.method: action for action in run.instance.actions}
    forbidden = run.take(actions["takes"])
    assert forbidden is not None
    assert forbidden.waits_for == "belt"
    for bits in (0b01, 0b10):
        assert run.take(actions["sends"], bits) is None
    assert not run.could(actions["takes"])
    assert run.take(actions["makes_a_place"]) is None
    assert run.take(actions["takes"]) is None
    assert not run.could(actions["takes"])
    assert run.view.receiver.taken.bits == run.view.receiver.places.bits == 0b01


class TakesWhatIsWaitedFor(Postcopy):
    """Takes only pages that somebody waits for."""

    class destination(Destination):
        """Looks at the page first."""

        def places_page(self) -> None:
            """takes only pages that somebody waits for"""
            require(not (self.stream.peek(Command.PAGE).pages & self.waiting.any).empty)
            super().places_page()


@pytest.mark.unmeasured
def test_a_destination_that_takes_only_what_is_waited_for_never_gets_the_rest() -> None:
    verdict = explore(
        Instance(TakesWhatIsWaitedFor, 1, 1, asked_of(TakesWhatIsWaitedFor)), Options(engine=Engine.INTERPRETED)
    )
    assert verdict.outcome is Outcome.DEADLOCK


def test_history_that_is_seen_on_a_message_decides_no_step() -> None:
    class Cheats(Postcopy):
        class destination(Destination):
            def places_page(self) -> None:
                require(self.stream.peek(Command.PAGE).marked["stale"].empty)
                super().places_page()

    with pytest.raises(SpecError, match=re.escape("a guard reads history (stream.stale)")):
        explore(Instance(Cheats, 1, 1), Options(engine=Engine.INTERPRETED))


def test_a_message_that_the_channel_does_not_carry_is_refused() -> None:
    class Errs(Postcopy):
        class destination(Destination):
            def places_page(self) -> None:
                self.stream.peek(Parcel.BOX)

    with pytest.raises(SpecError, match="stream carries Command, not"):
        explore(Instance(Errs, 1, 1), Options(engine=Engine.INTERPRETED))


def test_what_only_looks_may_not_look_by_a_guard() -> None:
    class Peeks(Monitor):
        seen = Bitmap("pages that came next")

        def watch(self, step: Step) -> None:
            self.seen |= step.after.belt.peek(Parcel.BOX).pages

    @always("Nothing is seen", monitor=Peeks)
    def seen(state: View) -> Answer:
        pages: Answer = state.Peeks.seen
        return pages

    with pytest.raises(SpecError, match="Peeks has a guard: no step may depend on history"):
        explore(Instance(Belt, 1, 1, (seen,)), Options(engine=Engine.INTERPRETED))
