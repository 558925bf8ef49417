"""Changes that extend one channel, put together: the extensions of all bases, and one line for a contradiction."""

from __future__ import annotations

from enum import Enum, auto

import pytest

from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import (
    NO_DEADLOCK,
    Channel,
    Flag,
    Machine,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    require,
    sometimes,
)
from postcopy.language.instance import Instance
from postcopy.language.source_locations import of_class
from postcopy.model.changes.recovery import Recovery
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from tests.language.cases.channel_readings import searched


class Word(Enum):
    HELLO = auto()


class Politely(Enum):
    PLEASE = auto()


class Loudly(Enum):
    HEY = auto()
    HO = auto()


class Speaker(Machine):
    speaker = Thread("speaker")
    turn = Flag("it is the speaker's turn", True)
    line = Sends("line")

    @action(speaker)
    def speaks(self) -> None:
        """says hello"""
        require(self.turn)
        require(self.line.room())
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


class Polite(Talk):
    """The speaker may say please."""

    line = Talk.line.extended(Politely)

    class speaker(Speaker):
        @action(Speaker.speaker)
        def asks(self) -> None:
            """says please"""
            require(self.turn)
            require(self.line.room())
            self.line.send(Politely.PLEASE)
            self.turn = False

    class listener(Listener):
        asked = Flag("was asked")

        @action(Listener.listener)
        def is_asked(self) -> None:
            """is asked"""
            self.line.receive(Politely.PLEASE)
            self.heard = self.asked = True


class Loud(Talk):
    """The speaker may shout, to a line with room for one word that can be called again."""

    line = Talk.line.extended(Loudly, capacity=1).extended(reconnects=True)

    class speaker(Speaker):
        @action(Speaker.speaker)
        def shouts(self) -> None:
            """shouts"""
            require(self.turn)
            require(self.line.room())
            self.line.send(Loudly.HEY)
            self.turn = False

    class listener(Listener):
        woken = Flag("was shouted at")

        @action(Listener.listener)
        def is_woken(self) -> None:
            """is shouted at"""
            self.line.receive(Loudly.HEY)
            self.heard = self.woken = True


@sometimes("Both are heard of in one run or another")
def asked(state: View) -> bool:
    return bool(state.listener.asked)


@sometimes("Somebody is woken")
def woken(state: View) -> bool:
    return bool(state.listener.woken)


class Both(Polite, Loud):
    """Nothing is said of the line here."""

    class speaker(Polite.speaker, Loud.speaker):
        """Asks and shouts."""

    class listener(Polite.listener, Loud.listener):
        """Hears both."""


def line_of(protocol: type[Protocol]) -> Channel:
    found: Channel = protocol.parts(Channel)["line"]
    return found


def test_the_extensions_of_all_bases_are_there_in_the_order_of_the_bases() -> None:
    """Python's order: what stands further back in `class Both(Polite, Loud)` is more basic."""
    line = line_of(Both)
    assert line.messages == (Word.HELLO, *Loudly, Politely.PLEASE)
    assert (line.capacity, line.reconnects) == (1, True)
    assert [len(its.messages) for its in line.extensions] == [2, 0, 1]


def test_both_changes_go_on_together() -> None:
    verdict = explore(Instance(Both, 1, 2, (NO_DEADLOCK, asked, woken)), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.witnesses == {"asked": True, "woken": True}
    assert not verdict.never_fired
    assert searched(Both, (1, 2, 1)) is None


def test_a_protocol_that_extends_nothing_or_says_all_itself_keeps_its_channel() -> None:
    class Same(Both):
        pass

    assert line_of(Talk) is Talk.line
    assert line_of(Polite) is Polite.line
    assert line_of(Same).messages == line_of(Both).messages
    assert Recovery.parts(Channel)["stream"] is Recovery.stream


def test_an_extension_of_an_extension_counts_once() -> None:
    class Again(Polite):
        line = Polite.line.extended(Loudly.HO)

    class Third(Again, Loud):  # type: ignore[misc]  # only its line is looked at
        line = Again.line.extended(capacity=2)

    assert line_of(Again).messages == (Word.HELLO, Politely.PLEASE, Loudly.HO)
    assert line_of(Third).messages == (Word.HELLO, *Loudly, Politely.PLEASE)
    assert line_of(Third).capacity == 2


def test_a_change_that_extends_the_base_s_channel_keeps_what_its_own_base_has_added() -> None:
    class Skips(Polite):
        line = Talk.line.extended(Loudly)

    assert line_of(Skips).messages == (Word.HELLO, Politely.PLEASE, *Loudly)


def test_a_channel_that_is_declared_anew_replaces_the_base_s_and_can_be_extended() -> None:
    class New(Polite):
        line = Channel(Word)

    class Newer(New):
        line = New.line.extended(Loudly)

    assert line_of(New) is New.line
    assert line_of(Newer).messages == (Word.HELLO, *Loudly)


def test_marked_kinds_of_two_changes_are_both_marked() -> None:
    class One(Enum):
        PAGE_ONE = auto()

    class Two(Enum):
        PAGE_TWO = auto()

    class A(Postcopy):
        stream = Postcopy.stream.extended(One, marked=(One.PAGE_ONE,))

    class B(Postcopy):
        stream = Postcopy.stream.extended(Two, marked=(Two.PAGE_TWO,))

    class C(A, B):
        pass

    assert C.parts(Channel)["stream"].marked == (Command.PAGE, Two.PAGE_TWO, One.PAGE_ONE)
    Instance(C, 1, 1)


class Wide(Talk):
    line = Talk.line.extended(capacity=3)


class Narrow(Talk):
    line = Talk.line.extended(capacity=2)


class WideAndNarrow(Wide, Narrow):
    """Says nothing."""


class Wired(Talk):
    line = Talk.line.extended(reconnects=False)


class WiredAndLoud(Wired, Loud):
    """Says nothing."""


class Fresh(Talk):
    line = Channel(Word)


class FreshAndWide(Fresh, Wide):
    """Says nothing."""


class WideAndFresh(Wide, Fresh):
    """Says nothing."""


class Extra(Talk):
    class speaker(Speaker):
        more = Sends("more")

    more = Channel(Word)


class OtherExtra(Talk):
    class speaker(Speaker):
        more = Sends("more")

    more = Channel(Loudly)


class Extras(Extra, OtherExtra):  # type: ignore[misc]  # it is refused
    """Two channels of one name."""


class Hello(Enum):
    HELLO = auto()


class Greeting(Talk):
    line = Talk.line.extended(Hello)


class GreetingPolitely(Polite, Greeting):
    """Two kinds of message of one name."""


OWN = (
    "each declare a channel {0} of their own: extend the one of a base in both, {0} = Base.{0}.extended(...), "
    "or give one of them another name"
)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            WideAndNarrow,
            "Narrow and Wide contradict each other: capacity=2 and capacity=3 of the channel line. "
            "Say which, line = Wide.line.extended(capacity=...)",
        ),
        (
            WiredAndLoud,
            "Loud and Wired contradict each other: reconnects=True and reconnects=False of the channel line. "
            "Say which, line = Wired.line.extended(reconnects=...)",
        ),
        (FreshAndWide, f"Fresh and Wide {OWN.format('line')}"),
        (WideAndFresh, f"Wide and Fresh {OWN.format('line')}"),
        (Extras, f"Extra and OtherExtra {OWN.format('more')}"),
    ],
)
def test_a_contradiction_names_both(protocol: type[Protocol], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Instance(protocol, 1, 1)
    assert str(caught.value) == f"{of_class(protocol)}: {message}"


def test_two_kinds_of_message_of_one_name_are_refused_as_ever() -> None:
    with pytest.raises(SpecError, match="line carries two kinds of message called HELLO: choose another name"):
        Instance(GreetingPolitely, 1, 1)


def test_the_last_word_settles_a_contradiction() -> None:
    class Settled(WideAndNarrow):
        line = Wide.line.extended(capacity=4)

    class Wider(Wide):
        line = Talk.line.extended(capacity=5)

    assert line_of(Settled).capacity == 4
    assert line_of(Wider).capacity == 5
