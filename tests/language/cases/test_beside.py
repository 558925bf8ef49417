"""A second migration beside the first: parts of the same classes, a ghost and properties of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from postcopy.errors import SpecError
from postcopy.explorer.explore import Options, explore
from postcopy.language import (
    ALL,
    NO_DEADLOCK,
    NONE,
    Beside,
    Bitmap,
    Channel,
    Flag,
    Ghost,
    Machine,
    Maps,
    Monitor,
    Page,
    PageSet,
    Property,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    asked_beside,
    every_step,
    require,
)
from postcopy.language.instance import Instance
from postcopy.model.destination import Destination
from postcopy.model.guest import Guest
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source
from postcopy.properties.safety import (
    no_page_lost,
    no_request_lost,
    no_stale_read,
    no_two_guests,
    no_write_after_switch,
)
from postcopy.prover.induction import k_induction
from tests.export.agreement import by_spin, explorer, exported, need_spin
from tests.language.cases.all_readings import read_both_ways, searched


class Letter(Enum):
    PAGE = auto()


class Kind(Enum):
    UNSENT = auto()
    THERE = auto()


class Look(Enum):
    READ = auto()


class Copies(Ghost):
    """What the copies are worth."""

    old = Bitmap("pages whose copy is not the last write")

    def wrote(self, page: PageSet) -> None:
        """A page was written where it comes from."""
        self.old |= page & self.world.pages_of(Kind.THERE)
        self.world.mark_copies("stale", page)

    def came(self, page: PageSet, stale: PageSet) -> None:
        """A copy came."""
        self.old = (self.old - page) | stale


class Sender(Machine):
    """Sends every page once, and writes it before that alone."""

    loop = Thread("sender")
    out = Sends("line")
    unsent = Bitmap("pages to be sent", ALL, role=Kind.UNSENT)

    @action(loop)
    def sends(self, page: Page) -> None:
        """sends a page"""
        require(self.unsent[page] and self.out.room())
        self.unsent -= page
        self.out.send(Letter.PAGE, page, stale=NONE)

    @action(loop, environment=True)
    def writes(self, page: Page) -> None:
        """writes a page that has not been sent"""
        require(self.unsent[page])
        self.copies.wrote(page)


class Receiver(Machine):
    """Keeps what comes, and reads it."""

    loop = Thread("receiver")
    inbox = Receives("line")
    there = Bitmap("pages that are there", role=Kind.THERE)

    @action(loop)
    def receives(self) -> None:
        """receives a page"""
        message = self.inbox.receive(Letter.PAGE)
        self.there |= message.pages
        self.copies.came(message.pages, message.marked["stale"])

    @action(loop, environment=True)
    def reads(self, page: Page) -> None:
        """reads a page that is there"""
        require(self.there[page])
        self.observe(Look.READ, page)


class Seen(Monitor):
    """What has been read so far."""

    pages = Bitmap("pages that have been read")

    def watch(self, step: Step) -> None:
        """Reads are events."""
        self.pages |= step.of(Look.READ)


@every_step("No old page is read")
def no_old_read(step: Step) -> PageSet:
    """It is not the last write."""
    return cast(PageSet, step.of(Look.READ) & step.before.copies.old)


@always("What is read has come", monitor=Seen)
def read_has_come(state: View) -> PageSet:
    """It is still to be sent."""
    return cast(PageSet, state.Seen.pages & state.pages_of(Kind.UNSENT))


@always("What is at the receiver is there or on its way once")
def one_place(state: View) -> PageSet:
    """It is at two places."""
    return cast(PageSet, state.receiver.there & state.copies_in_flight())


ASKED: tuple[Property, ...] = (no_old_read, read_has_come, one_place)


class One(Protocol):
    """One sender, one receiver."""

    sender = Sender
    receiver = Receiver
    copies = Copies
    line = Channel(Letter, marks=("stale",), marked=(Letter.PAGE,))
    properties: ClassVar[tuple[Property, ...]] = (no_old_read, one_place)

    @staticmethod
    def may_rest(state: View) -> bool:
        """All is sent."""
        return bool(state.sender.unsent.empty and state.line.empty)


class OtherSender(Sender):
    """The second one."""

    out = Sends("other_line")


class OtherReceiver(Receiver):
    """The second one."""

    inbox = Receives("other_line")


class Two(One):
    """The same twice, on lines of their own."""

    other_sender = OtherSender
    other_receiver = OtherReceiver
    other_copies = Copies
    other_line = Channel(Letter, marks=("stale",), marked=(Letter.PAGE,))
    other = Beside(sender="other_sender", receiver="other_receiver", copies="other_copies", line="other_line")
    properties = asked_beside("other", (no_old_read, one_place))

    @staticmethod
    def may_rest(state: View) -> bool:
        """All is sent."""
        return One.may_rest(state) and One.may_rest(state.beside("other"))


class WritesLate:
    """Writes pages that have been sent, too."""

    def writes(self, page: Page) -> None:
        """writes any page"""
        self.copies.wrote(page)  # type: ignore[attr-defined]


class FaultySecond(Two):
    """The second sender writes what it has sent."""

    class other_sender(WritesLate, OtherSender):
        """Faulty."""


class FaultyFirst(Two):
    """The first sender writes what it has sent."""

    class sender(WritesLate, Sender):
        """Faulty."""


NO_SYMMETRY = Options(reductions=())


def violated(protocol: type[Protocol], names: str = "") -> str | None:
    asked = [p for p in (*ASKED, *asked_beside("other", ASKED)) if re.search(names, p.name)]
    found = explore(Instance(protocol, 2, 1, asked)).violated
    return None if found is None else found.name


def test_two_are_the_product_of_one_and_one() -> None:
    """Without symmetry, and with properties that have no monitor, as many states as pairs."""
    alone = explore(Instance(One, 1, 1, (one_place,)), NO_SYMMETRY).states
    assert explore(Instance(Two, 1, 1, (one_place,)), NO_SYMMETRY).states == alone**2


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [(Two, None), (FaultySecond, "no-old-read@other"), (FaultyFirst, "no-old-read")],
)
def test_a_fault_is_found_in_the_migration_that_has_it(protocol: type[Protocol], expected: str | None) -> None:
    assert violated(protocol) == expected
    if expected is not None:
        assert violated(protocol, "^no-old-read$") == (expected if "@" not in expected else None)
        assert violated(protocol, "^no-old-read@other$") == (expected if "@" in expected else None)


@pytest.mark.parametrize("name", ["read-has-come@other", "one-place@other"])
def test_a_property_beside_is_proved_or_not_as_the_first_is(name: str) -> None:
    first = k_induction(Instance(Two, 2, 1, ASKED), (), 1).proved
    second = k_induction(Instance(Two, 2, 1, asked_beside("other", ASKED)), (), 1).proved
    assert (name in second) is (name.removesuffix("@other") in first)


def test_the_next_migration_of_a_host_shares_its_memory() -> None:
    """A chain: what has come to the host in the middle is what its own sender may send."""

    class Onward(OtherSender):
        """Sends what the receiver beside it has received."""

        memory = Maps("receiver", "there")

        def sends(self, page: Page) -> None:
            """sends a page that has come"""
            require(self.memory.there[page])
            super().sends(page)

    class Chain(Two):
        """From the first host over the second to the third."""

        other_sender = Onward

    @always("What is at the end has come through the middle")
    def through_the_middle(state: View) -> PageSet:
        """It came from nowhere."""
        return cast(PageSet, state.other_receiver.there - state.receiver.there)

    def of(protocol: type[Protocol]) -> object:
        return explore(Instance(protocol, 2, 1, (through_the_middle,))).violated

    assert of(Chain) is None
    assert of(Two) is through_the_middle


@pytest.mark.parametrize(("protocol", "expected"), [(Two, None), (FaultySecond, "no-old-read@other")])
def test_all_searches_agree(protocol: type[Protocol], expected: str | None) -> None:
    assert searched(protocol, (1, 1, 1)).violated == expected


def test_the_readings_agree_step_by_step() -> None:
    read_both_ways(FaultySecond, (1, 1, 1))


@pytest.mark.slow
def test_spin_says_the_same(tmp_path: Path) -> None:
    need_spin()
    for prop in asked_beside("other", (no_old_read, one_place)):
        wanted = explorer(FaultySecond, (1, 1, 1), [prop])
        assert (wanted.violated == prop.name) is (prop.name == "no-old-read@other")
        found = by_spin(exported(FaultySecond, (1, 1, 1), [prop]), tmp_path)
        assert (found.states, found.violated) == (wanted.states, wanted.violated and wanted.violated.replace("@", "-"))


class NeverBreaks(Postcopy):
    """The document's protocol on a connection that does not break."""

    wire = None  # type: ignore[assignment]


class Twice(NeverBreaks):
    """The document's protocol twice: two guests, each with two hosts and a connection of its own."""

    class next_source(Source):
        """The source of the second guest."""

        stream = Sends("next_stream")
        return_path = Receives("next_return_path")

    class next_destination(Destination):
        """Its destination."""

        stream = Receives("next_stream")
        return_path = Sends("next_return_path")

    next_guest = Guest
    next_stream = Channel(Command, marks=("stale",), marked=(Command.PAGE,))
    next_return_path = Channel(Reply)
    second = Beside(
        source="next_source",
        destination="next_destination",
        guest="next_guest",
        stream="next_stream",
        return_path="next_return_path",
    )

    @staticmethod
    def may_rest(state: View) -> bool:
        """Both are at rest."""
        return Postcopy.may_rest(state) and Postcopy.may_rest(state.beside("second"))


class SecondRunsOn(Twice):
    """The second source does not stop its guest."""

    class next_source(Twice.next_source):
        """Runs on."""

        def stops_cpus_to_switch(self) -> None:
            """goes on with a guest that runs"""
            super().stops_cpus_to_switch()
            self.running = True


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "violated_one"), [(Twice, None), (SecondRunsOn, "no-write-after-switch@second")])
def test_the_documents_protocol_stands_beside_itself(protocol: type[Protocol], violated_one: str | None) -> None:
    """With one page and one message each, and as many states as pairs."""
    both = (no_stale_read, no_page_lost, no_request_lost, no_two_guests, no_write_after_switch)
    result = explore(Instance(protocol, 1, 1, (NO_DEADLOCK, *both, *asked_beside("second", both))))
    assert (result.violated.name if result.violated is not None else None) == violated_one
    if violated_one is None:
        assert result.states == explore(Instance(NeverBreaks, 1, 1, (NO_DEADLOCK, *both))).states ** 2


# -- mistakes ----------------------------------------------------------------------------------------------------------


def postcopy_with(**parts: Any) -> type[Protocol]:
    return cast(type[Protocol], type("C", (Postcopy,), parts))


def sub(base: type[Machine], **parts: object) -> type[Machine]:
    return type("Clone", (base,), dict(parts))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"clone": sub(Destination)},
            r'no machine clone; did you mean destination\? .*: Beside\(destination="clone", \.\.\.\)',
        ),
        (
            {"middle": type("Middle", (Destination, Source), {})},
            r"Postcopy has no machine middle; .*Beside\(",
        ),
        ({"second": Beside(destination="clone")}, r"C\.second names clone, which is no part of the protocol"),
        (
            {"second": Beside(destination="stream")},
            r"puts stream in the place of destination, .* another kind",
        ),
        ({"second": Beside()}, r"names no part: Beside\(one=\.\.\.\)"),
        (
            {
                "clone": sub(Destination),
                "line": Channel(Letter),
                "second": Beside(destination="clone", stream="line"),
            },
            r'clone\.stream is an end of stream, a channel of the first system: write stream = Receives\("line"\)',
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(parts: Mapping[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        Instance(postcopy_with(**parts), 1, 1, ())
    assert re.search(message, str(raised.value))
    assert "\n" not in str(raised.value)


def test_a_story_says_whose_thread_it_is() -> None:
    """The threads of both are called alike in their classes."""
    assert {action.thread for action in Instance(Two, 1, 1, ()).actions} == {
        "sender",
        "receiver",
        "sender (other sender)",
        "receiver (other receiver)",
    }


def test_a_state_is_seen_beside_what_there_is_alone() -> None:
    @always("Nothing")
    def nothing(state: View) -> bool:
        """It asks for what is not there."""
        return bool(state.beside("third").sender.unsent.empty)

    with pytest.raises(SpecError, match=r"there is no third in this protocol: declare third = Beside"):
        explore(Instance(Two, 1, 1, (nothing,)))


def test_a_flag_of_a_shared_machine_belongs_where_it_is_said() -> None:
    """`fields` says that a set of a shared machine is the second one's."""

    class Both(Sender):
        """Has a second set."""

        second_unsent = Bitmap("pages to be sent on the second line", ALL, role=Kind.UNSENT)
        idle = Flag("it rests")

        def sends(self, page: Page) -> None:
            """sends a page on the first line"""
            super().sends(page)
            self.idle = False

    class Shared(One):
        """One sender, and a second set."""

        sender = Both
        other_copies = Copies
        other = Beside(copies="other_copies", fields=("sender.second_unsent",))

    @always("The first's unsent pages are its own")
    def own(state: View) -> bool:
        """They are others too."""
        return state.pages_of(Kind.UNSENT).same_as(state.sender.unsent)

    @always("The second's unsent pages are its own")
    def others(state: View) -> bool:
        """They are others too."""
        return state.beside("other").pages_of(Kind.UNSENT).same_as(state.sender.second_unsent)

    assert explore(Instance(Shared, 2, 1, (own, others))).violated is None
