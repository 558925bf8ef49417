"""Messages that concern a host page, or a part of one, in every reading; and marks on messages of several pages."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import ClassVar

import pytest

from postcopy.explorer.results import Engine
from postcopy.language import (
    ALL,
    Answer,
    Bitmap,
    Channel,
    Chosen,
    Ghost,
    Machine,
    Page,
    PageSet,
    Property,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    about_part,
    action,
    always,
    conjunct,
    require,
)
from postcopy.language.instance import Instance
from postcopy.language.single_run import SingleRun
from postcopy.prover import goals
from postcopy.prover.proving import prove
from postcopy.prover.single_copies import channels_of_single_copies
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer as Proved
from tests.language.cases.channel_readings import proved, proved_at, same_in_spin, searched


class Parcel(Enum):
    BOX = auto()


class Wet(Ghost):
    """Where it has rained."""

    pages = Bitmap("pages on which it has rained")

    def rained(self, page: PageSet) -> None:
        """It has rained on a page, and on the boxes with it."""
        self.pages |= page
        self.world.mark_copies("wet", page)


class Sender(Machine):
    """Sends each host page once, in one box."""

    sender = Thread("sender")
    weather = Thread("weather")

    left = Bitmap("pages to send", ALL)
    belt = Sends("belt")

    @action(sender)
    def sends(self, page: Page) -> None:
        """sends a host page"""
        require(self.left[page])
        require(self.belt.room())
        self.belt.send(Parcel.BOX, self._box(page), wet=self.wet.pages)
        self.left -= self._box(page)

    @action(weather, environment=True)
    def rains(self, page: Page) -> None:
        """rains on a page"""
        self.wet.rained(page)

    def _box(self, page: PageSet) -> PageSet:
        return page.host_pages


class Receiver(Machine):
    """Takes the boxes."""

    receiver = Thread("receiver")

    taken = Bitmap("pages taken")
    belt = Receives("belt")

    @action(receiver)
    def takes(self) -> None:
        """takes a box"""
        self.taken |= self.belt.receive(Parcel.BOX).pages


@always("Boxes have whole host pages")
def whole(state: View) -> Answer:
    """This page is in a box that has not all of its host page."""
    part: PageSet = state.belt.in_order(about_part(Parcel.BOX))
    return part


@always("What is taken is of whole host pages")
def taken_whole(state: View) -> Answer:
    """This page of a host page has not been taken, and others have."""
    taken: PageSet = state.receiver.taken
    return taken.host_pages - taken


@always("A wet page makes its box wet")
def wet_boxes(state: View) -> Answer:
    """It has rained on this page, and the box with it is dry."""
    dry: PageSet = state.belt.in_flight(Parcel.BOX, wet=False) & state.wet.pages
    return dry


@always("A box is wet only where it has rained")
def dry_pages(state: View) -> Answer:
    """It has not rained on this page, and the box with it is wet."""
    wet: PageSet = state.belt.in_flight(Parcel.BOX, wet=True) - state.wet.pages
    return wet


@conjunct("What is left is of whole host pages")
def left_whole(state: View) -> Answer:
    """They are sent whole."""
    left: PageSet = state.sender.left
    return left.host_pages - left


class Boxes(Protocol):
    """Host pages, each in a box of its own."""

    sender = Sender
    receiver = Receiver
    wet = Wet
    belt = Channel(Parcel, marks=("wet",), marked=(Parcel.BOX,))
    properties: ClassVar[tuple[Property, ...]] = (whole, taken_whole, wet_boxes)
    invariant: ClassVar[tuple[Property, ...]] = (left_whole,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.receiver.taken.full)


class PageByPage(Boxes):
    """Pages, each in a box of its own."""

    invariant = ()

    class sender(Sender):
        """Has small boxes."""

        def _box(self, page: PageSet) -> PageSet:
            return page


class PartByPart(PageByPage):
    """What is left of a page: the text says that it is one page at most."""

    properties = (dry_pages,)

    class sender(Sender):
        """Has small boxes."""

        def _box(self, page: PageSet) -> PageSet:
            return page & self.left


class DryPages(Boxes):
    """It is asked whether a box is wet only for its own pages: one wet page makes all of its box wet."""

    properties = (dry_pages,)


class AllAtOnce(Boxes):
    """All that is left in one box."""

    class sender(Sender):
        """Has one large box."""

        def _box(self, page: PageSet) -> PageSet:
            return self.left


class BoxesOfTwoSizes(Boxes):
    """A block of the pages has small host pages: a box with one of these is whole."""

    small = Chosen("pages of the block with small pages")
    fine = "small"


VIOLATED = [
    (Boxes, None),
    (BoxesOfTwoSizes, None),
    (PageByPage, whole.name),
    (PartByPart, whole.name),
    (DryPages, dry_pages.name),
    (AllAtOnce, None),
]


@pytest.mark.parametrize(("protocol", "violated"), VIOLATED)
def test_a_search_tells_parts_from_whole_host_pages(
    protocol: type[Protocol], violated: str | None, tmp_path: Path
) -> None:
    assert searched(protocol, (2, 1, 2)) == violated
    same_in_spin(protocol, tmp_path, (2, 1, 2))


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "violated"), VIOLATED)
def test_machine_code_says_the_same(protocol: type[Protocol], violated: str | None) -> None:
    assert searched(protocol, (4, 2, 2), Engine.COMPILED) == violated


@pytest.mark.parametrize("protocol", [Boxes, BoxesOfTwoSizes, AllAtOnce])
def test_proofs_tell_parts_from_whole_host_pages(protocol: type[Protocol]) -> None:
    for found in (proved_at(protocol, (2, 2, 2)), proved(protocol)):
        assert {found[p.name] for p in Boxes.properties} == {Proved.PROVED}


def test_what_is_false_of_parts_or_of_several_pages_is_not_proved() -> None:
    for found in (proved_at(PageByPage, (2, 2, 2)), proved(PageByPage)):
        assert found[whole.name] is Proved.REFUTED
    for found in (proved_at(DryPages, (2, 2, 2)), proved(DryPages)):
        assert found[dry_pages.name] is Proved.REFUTED


def test_the_text_says_on_which_channels_copies_travel_one_by_one() -> None:
    said: dict[type[Protocol], set[str]] = {PageByPage: {"belt"}, PartByPart: {"belt"}, Boxes: set(), AllAtOnce: set()}
    assert {each: set(channels_of_single_copies(Instance(each, 2, 1, (), 2))) for each in said} == said
    assert proved(PartByPart)[dry_pages.name] is Proved.PROVED


def test_a_proof_that_takes_several_pages_for_one_would_prove_what_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    """It matters which channels carry copies one by one: a wrong answer to that is seen."""
    rains = [action for action in Instance(DryPages, 2, 1, (), 2).actions if action.method == "rains"]
    for wrong, right in ((frozenset[str](), False), (frozenset({"belt"}), True)):
        monkeypatch.setattr(goals, "channels_of_single_copies", lambda _instance, wrong=wrong: wrong)
        found = prove(DryPages, [dry_pages], (), only=lambda _, action: action == rains[0].name)
        assert [o.status is Status.PROVED for o in found.obligations] == [right]


def test_a_single_run_tells_parts_from_whole_host_pages() -> None:
    for protocol, part in ((Boxes, 0), (PageByPage, 0b10)):
        run = SingleRun(Instance(protocol, 2, 1, (), 2), 4, 2, {})
        sends = next(action for action in run.instance.actions if action.method == "sends")
        assert run.take(sends, 0b10) is None
        assert run.view.belt.in_order(about_part(Parcel.BOX)).bits == part
