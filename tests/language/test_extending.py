"""What a change can add to the protocol: kinds of message, new connections, properties of its own; and what is said of
one that does it wrongly."""

# ruff: noqa: N801, RUF012

from __future__ import annotations

from dataclasses import replace
from enum import Enum, IntEnum, auto
from typing import Any, ClassVar

import pytest

from postcopy.catalogue.properties import DEFAULT, asked_of, choose, everything, proved_of, reasons
from postcopy.errors import SpecError, UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import (
    NO_DEADLOCK,
    Channel,
    Flag,
    Machine,
    Monitor,
    Network,
    Property,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    every_step,
    require,
    sometimes,
)
from postcopy.language.instance import Instance
from postcopy.language.source_locations import of_class
from postcopy.model.changes.recovery import RecoveringSource, Recovery
from postcopy.model.destination import Destination
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source
from postcopy.properties.ranking import RANKING
from tests.language.tiny import here


class Word(Enum):
    HELLO = auto()


class Number(IntEnum):
    """Of the same values as `Digit`: members of the two are equal to Python."""

    ONE = auto()
    TWO = auto()


class Digit(IntEnum):
    FIRST = auto()
    SECOND = auto()


class Speaker(Machine):
    speaker = Thread("speaker")

    turn = Flag("it is the speaker's turn", True)
    line = Sends("line")

    @action(speaker)
    def speaks(self) -> None:
        """says hello"""
        require(self.turn)
        require(self.line.room() and not self.line.broken)
        self.line.send(Word.HELLO)
        self.turn = False


class Listener(Machine):
    listener = Thread("listener")

    heard = Flag("something was heard")
    line = Receives("line")

    @action(listener)
    def hears(self) -> None:
        """hears"""
        self.line.receive(Word.HELLO)
        self.heard = True


class Talk(Protocol):
    speaker = Speaker
    listener = Listener
    line = Channel(Word)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.listener.heard)


def check(protocol: type[Protocol], *properties: Any) -> Verdict:
    return explore(Instance(protocol, 1, 1, properties or (NO_DEADLOCK,)), Options(engine=Engine.INTERPRETED))


# -- kinds of message ------------------------------------------------------------------------------------------


class Counting(Talk):
    """The speaker counts instead, with numbers of two enumerations."""

    line = Talk.line.extended(Number, Digit.SECOND)

    class speaker(Speaker):
        def speaks(self) -> None:
            require(self.turn)
            require(self.line.room())
            self.line.send(Digit.SECOND)
            self.turn = False

    class listener(Listener):
        second = Flag("the right number was heard")

        def hears(self) -> None:
            self.line.receive(Digit.SECOND)
            self.heard = self.second = True

        @action(Listener.listener)
        def mishears(self) -> None:
            self.line.receive(Number.TWO)
            self.heard = True


def test_a_change_adds_kinds_of_message_and_equal_members_of_two_enumerations_are_told_apart() -> None:
    @always("two is not taken for second")
    def right(state: View) -> bool:
        return bool(state.listener.second or not state.listener.heard)

    @sometimes("the second is on the line")
    def on_the_line(state: View) -> bool:
        return bool(state.line.carries(Digit.SECOND))

    verdict = check(Counting, NO_DEADLOCK, right, on_the_line)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.witnesses == {"on-the-line": True}
    assert verdict.never_fired == ["listener.mishears"]
    assert verdict.fired["listener.hears"] == 1


def test_a_base_keeps_its_channel_when_a_change_extends_it() -> None:
    assert Talk.line.messages == (Word.HELLO,)
    assert Counting.line.messages == (Word.HELLO, Number.ONE, Number.TWO, Digit.SECOND)


class SameName(Enum):
    HELLO = auto()


class Twice(Talk):
    line = Talk.line.extended(SameName)


class Nothing(Talk):
    line = Channel(())


class Text(Talk):
    line = Talk.line.extended("HELLO")  # type: ignore[arg-type]


class Alien(Talk):
    class speaker(Speaker):
        def speaks(self) -> None:
            require(self.line.room())
            self.line.send(Number.ONE)

    line = Talk.line.extended(Digit)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (Twice, "line carries two kinds of message called HELLO: choose another name"),
        (Nothing, "line carries (): an enumeration of its messages is needed"),
        (Text, "line carries 'HELLO': an enumeration of its messages is needed"),
    ],
)
def test_kinds_that_do_not_fit_are_refused_with_their_line(protocol: type[Protocol], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Instance(protocol, 1, 1)
    assert str(caught.value) == f"{of_class(protocol, 'line')}: {message}"


def test_a_message_that_the_channel_does_not_carry_is_refused_with_all_that_it_carries() -> None:
    with pytest.raises(SpecError, match=r"line carries Word and Digit, not <Number\.ONE: 1>"):
        check(Alien)


# -- new connections -------------------------------------------------------------------------------------------


class Cut(Machine):
    network = Thread("network")

    line = Network("line")

    @action(network, environment=True)
    def cuts(self) -> None:
        """cuts the line, and what is on it is lost"""
        require(not self.line.broken)
        self.line.close()
        self.line.drop_newest()


class Again(Talk):
    """Who is cut off calls again."""

    line = Channel(Word, reconnects=True)
    cut = Cut

    class speaker(Speaker):
        @action(Speaker.speaker)
        def calls_again(self) -> None:
            require(self.line.broken)
            self.line.connect()
            self.turn = True

    class listener(Listener):
        @action(Listener.listener)
        def waits_for_a_call(self) -> None:
            require(self.line.broken and not self.line.listening)
            require(not self.heard)
            self.line.listen()


def test_a_new_connection_is_made_when_one_end_listens_and_the_other_connects() -> None:
    verdict = check(Again)
    assert verdict.outcome is Outcome.HOLDS
    assert not verdict.never_fired


def test_without_somebody_who_listens_nobody_can_connect() -> None:
    class Deaf(Again):
        class listener(Listener):
            pass

    verdict = check(Deaf)
    assert verdict.outcome is Outcome.DEADLOCK
    assert verdict.fired["speaker.calls_again"] == 0


def test_a_new_connection_is_empty() -> None:
    class Stutters(Again):
        class speaker(Again.speaker):
            def calls_again(self) -> None:
                super().calls_again()
                require(self.line.room())
                self.line.send(Word.HELLO)

    assert check(Stutters).outcome is Outcome.HOLDS


def test_a_channel_that_cannot_reconnect_says_so() -> None:
    class Once(Again):
        line = Talk.line

    with pytest.raises(SpecError, match="line is connected once and for all: declare it with reconnects=True"):
        check(Once)


# -- properties of one's own -----------------------------------------------------------------------------------


class Noted(Monitor):
    """Remembers that something was said."""

    said = Flag("hello was said")

    def watch(self, step: Step) -> None:
        if step.sends(Word.HELLO):
            self.said = True


@always("What is heard was said", monitor=Noted)
def heard_was_said(state: View) -> bool:
    """Heard, and never said."""
    return bool(state.Noted.said or not state.listener.heard)


@sometimes("Something is heard")
def is_heard(state: View) -> bool:
    """Not a silent talk."""
    return bool(state.listener.heard)


@every_step("Nothing is said twice", monitor=Noted)
def said_once(step: Step) -> bool:
    """It was said before."""
    return not step.sends(Word.HELLO) or bool(not step.before.Noted.said)


REASON = "a talk may end in silence"


class Watched(Talk):
    properties: ClassVar[tuple[Property, ...]] = (heard_was_said, is_heard)
    inapplicable = {"no-deadlock": REASON}


class MoreWatched(Watched):
    properties = (said_once,)
    inapplicable = {"is-heard": "somebody may be deaf"}


def test_a_protocol_is_asked_its_own_properties_and_those_of_its_bases_but_for_the_inapplicable() -> None:
    assert asked_of(Watched) == (heard_was_said, is_heard)
    assert asked_of(MoreWatched) == (heard_was_said, said_once)
    assert everything(MoreWatched) == asked_of(MoreWatched)
    assert reasons(MoreWatched) == {**Watched.inapplicable, **MoreWatched.inapplicable}
    assert choose(["said-once"], MoreWatched) == (said_once,)
    assert check(MoreWatched, *asked_of(MoreWatched)).outcome is Outcome.HOLDS


def test_the_catalogue_is_asked_of_the_documents_protocol_and_of_what_extends_it() -> None:
    class Change(Postcopy):
        inapplicable = {"no-page-lost": "for a test"}

    assert asked_of(Postcopy) == DEFAULT
    assert {p.name for p in DEFAULT} - {p.name for p in asked_of(Change)} == {"no-page-lost"}
    assert set(everything(Postcopy)) > set(DEFAULT)


def test_of_another_protocol_only_the_absence_of_deadlock_is_asked_and_what_it_declares() -> None:
    class Excused(Talk):
        inapplicable = {"no-page-lost": "a talk has no pages"}

    assert asked_of(Talk) == everything(Talk) == (NO_DEADLOCK,)
    assert choose(["no-deadlock"], Talk) == (NO_DEADLOCK,)
    with pytest.raises(UsageError, match="there is no property no-page-lost"):
        choose(["no-page-lost"], Talk)
    with pytest.raises(SpecError, match=r"Excused\.inapplicable names no-page-lost, and there is no such property"):
        asked_of(Excused)


def test_a_name_of_the_catalogue_is_free_for_another_protocol() -> None:
    class Named(Talk):
        properties = (no_page_lost,)

    assert asked_of(Named) == (NO_DEADLOCK, no_page_lost)


def test_a_property_of_another_protocol_is_not_known() -> None:
    with pytest.raises(UsageError, match="there is no property said-once"):
        choose(["said-once"], Watched)


def undecorated(state: View) -> bool:
    return True


@always("Another sentence")
def no_page_lost(state: View) -> bool:
    return True


class Undecorated(Talk):
    properties = (undecorated,)  # type: ignore[assignment]


class NotATuple(Talk):
    properties = heard_was_said  # type: ignore[assignment]


class Stolen(Postcopy):
    properties = (no_page_lost,)


class Misspelt(Postcopy):
    inapplicable = {"no-page-lot": REASON}


class Silent(Postcopy):
    inapplicable = {"no-page-lost": " "}


class Listed(Talk):
    inapplicable = ["no-page-lost"]  # type: ignore[assignment]


class Unranked(Postcopy):
    ranking = RANKING.components  # type: ignore[assignment]


def test_a_wrong_ranking_is_refused_with_its_line() -> None:
    with pytest.raises(SpecError, match=r"Unranked\.ranking is no ranking: ranking = Ranking\("):
        proved_of(Unranked)


@pytest.mark.parametrize("protocol", [Talk, Postcopy])
def test_an_own_ranking_takes_the_place_of_that_of_the_catalogue(protocol: type[Protocol]) -> None:
    own = replace(RANKING, components=())
    assert proved_of(type("Ranked", (protocol,), {"ranking": own})).ranking is own
    assert proved_of(protocol).ranking is (RANKING if protocol is Postcopy else None)


@pytest.mark.parametrize(
    ("protocol", "attribute", "message"),
    [
        (Undecorated, "properties", "holds undecorated, which is no property: decorate it, e.g. with @always"),
        (NotATuple, "properties", "is not a tuple: properties = (one, another)"),
        (Stolen, "properties", "holds another property called no-page-lost: choose another name"),
        (
            Misspelt,
            "inapplicable",
            "names no-page-lot, and there is no such property; did you mean no-page-lost?",
        ),
        (Silent, "inapplicable", "gives no reason why no-page-lost is not asked"),
        (Listed, "inapplicable", "is not a dictionary of names and reasons"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_line(protocol: type[Protocol], attribute: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        asked_of(protocol)
    assert str(caught.value) == f"{of_class(protocol, attribute)}: {protocol.__name__}.{attribute} {message}"


def test_the_names_of_the_language_are_taken() -> None:
    class Clash(Talk):
        mark_copies = Channel(Word)

    with pytest.raises(SpecError, match="a channel cannot be called mark_copies: the name is taken by the language"):
        Instance(Clash, 1, 1)


def test_too_many_properties_are_refused() -> None:
    def fine(state: View) -> bool:
        return True

    many = [always(f"sentence {i}")(fine) for i in range(62)]
    with pytest.raises(SpecError, match=r"too many properties at once: 62 of states and witnesses \(at most 61\)"):
        explore(Instance(Talk, 1, 1, many))
    assert explore(Instance(Talk, 1, 1, many[1:])).outcome is Outcome.HOLDS


# -- machines of a change -------------------------------------------------------------------------------------------


class SourcesForSource(Postcopy):
    class sources(Source):  # here
        """A typing error: it would be a second source."""


class NameOfTheClass(Postcopy):
    class Source(Source):  # here
        """The machine's name is source."""


class SecondDestination(Postcopy):
    """The same machine a second time, at channels of its own."""

    stream_b = Channel(Command, marks=("stale",), marked=(Command.PAGE,))
    return_b = Channel(Reply)

    class clone(Destination):  # here
        """A second one."""

        stream = Receives("stream_b")
        return_path = Sends("return_b")


class RecoveringTwice(Recovery):
    class second(RecoveringSource):  # here
        """A machine of a base of the base."""


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            SourcesForSource,
            "Postcopy has no machine sources; did you mean source? A second one stands beside it: Beside(",
        ),
        (
            NameOfTheClass,
            "Postcopy has no machine Source; did you mean source? A second one stands beside it: Beside(",
        ),
        (
            SecondDestination,
            "Postcopy has no machine clone; did you mean destination? A second one stands beside it: Beside(",
        ),
        (
            RecoveringTwice,
            "Recovery has no machine second; did you mean source? A second one stands beside it: Beside(",
        ),
    ],
)
def test_a_machine_of_a_change_that_is_not_one_of_the_base_but_derived_from_one_is_refused(
    protocol: type[Protocol], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        Instance(protocol, 1, 1)
    where = f"{here(protocol)}, in {protocol.__name__}"
    assert str(caught.value).startswith(f"{where}: {message}")


def test_a_change_can_have_a_machine_of_its_own_beside_those_of_the_document() -> None:
    class Clock(Machine):
        clock = Thread("clock")

        @action(clock)
        def ticks(self) -> None:
            """ticks"""

    class Timed(Postcopy):
        timer = Clock

    assert list(Instance(Timed, 1, 1).machines) == ["source", "destination", "wire", "timer"]
