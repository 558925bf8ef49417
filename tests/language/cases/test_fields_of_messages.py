"""Messages that say more than their pages, in every reading; and what is said of those that are declared wrongly."""

from __future__ import annotations

import json
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import (
    EITHER,
    NO_DEADLOCK,
    NONE,
    Answer,
    Bitmap,
    Channel,
    Choice,
    Count,
    CpuBitmap,
    Flag,
    Ghost,
    Page,
    Protocol,
    Thread,
    View,
    action,
    require,
    sometimes,
)
from postcopy.language.concrete import ConcreteInterpretation
from postcopy.language.instance import Instance
from postcopy.language.single_run import SingleRun
from postcopy.language.source_locations import of_class
from postcopy.language.step_errors import NUMBERS_IN_RANGE
from postcopy.language.symbolic import SymbolicInterpretation, read_action
from postcopy.model.destination import Destination
from postcopy.model.network import Reply
from postcopy.model.postcopy import Postcopy
from postcopy.prover.unbounded import UnboundedInterpretation
from postcopy.prover.verdicts import Answer as Proved
from postcopy.report.story.itf import state_values
from postcopy.report.story.tell import tell
from tests.language.cases.channel_readings import proved, proved_at, same_in_spin, searched
from tests.language.cases.requests import (
    AnnouncesAll,
    Ask,
    Client,
    ConfusesBoth,
    CriesWolf,
    GivesNoReason,
    Requests,
    Server,
    ServesAll,
    TriesTooOften,
    Why,
    announced_once,
    notes_fit,
    one_or_the_other,
    urgent_was_asked,
)

PROTOCOLS = [
    (Requests, None),
    (CriesWolf, urgent_was_asked.name),
    (ServesAll, urgent_was_asked.name),
    (GivesNoReason, NO_DEADLOCK.name),
    (AnnouncesAll, announced_once.name),
    (ConfusesBoth, one_or_the_other.name),
]


@pytest.mark.slow_but("Requests-None", "CriesWolf-urgent-was-asked")
@pytest.mark.parametrize(("protocol", "violated"), PROTOCOLS)
def test_searches_and_spin_agree(protocol: type[Protocol], violated: str | None, tmp_path: Path) -> None:
    assert searched(protocol, (2, 1, 1)) == violated
    same_in_spin(protocol, tmp_path, (2, 1, 1))


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "violated"), PROTOCOLS)
def test_machine_code_says_the_same(protocol: type[Protocol], violated: str | None) -> None:
    assert searched(protocol, (2, 2, 1), Engine.COMPILED) == violated


@pytest.mark.slow
def test_whole_host_pages_of_several_target_pages() -> None:
    assert searched(Requests, (2, 2, 2)) is None


CLAIMS = (urgent_was_asked.name, one_or_the_other.name, notes_fit.name)


def test_the_right_one_is_proved_at_a_size_and_for_every_size() -> None:
    for found in (proved_at(Requests, (2, 2, 1)), proved(Requests)):
        assert [found[name] for name in CLAIMS] == [Proved.PROVED] * 3


@pytest.mark.slow_but("CriesWolf-urgent-was-asked")
@pytest.mark.parametrize(("protocol", "violated"), [p for p in PROTOCOLS[1:] if p[1] != NO_DEADLOCK.name])
def test_a_wrong_one_is_refuted_at_a_size_and_not_proved(protocol: type[Protocol], violated: str) -> None:
    assert proved_at(protocol, (2, 1, 1))[violated] is Proved.REFUTED
    assert proved(protocol)[violated] is not Proved.PROVED


def test_a_number_of_a_message_that_leaves_the_range_of_a_field_is_an_error_of_the_step() -> None:
    verdict = explore(Instance(TriesTooOften, 1, 1, ()), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is NUMBERS_IN_RANGE


def test_a_number_that_leaves_the_range_of_a_message_is_an_error_of_the_step() -> None:
    class Counts(Requests):
        class client(Client):
            times = Count("how often it has asked", 0, 5)

            def asks(self, page: Page) -> None:
                require(self.wanted[page])
                require(self.requests.room())
                self.wanted -= page
                self.requests.send(Ask.PAGE, page, tries=self.times)

    verdict = explore(Instance(Counts, 1, 1, ()), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is NUMBERS_IN_RANGE


@sometimes("Two requests are on their way")
def two(state: View) -> Answer:
    return not state.requests.in_order(Ask.PAGE, Ask.PAGE).empty


@sometimes("A page was served")
def served(state: View) -> bool:
    return not state.server.served.empty


def test_a_story_and_a_stored_run_say_what_messages_say() -> None:
    instance = Instance(Requests, 2, 2, (two, served))
    search = Exploration(instance, Options(engine=Engine.INTERPRETED))
    search.run()
    run = search.witness("served")
    assert run is not None
    told = tell(run)
    assert [flight.message.label for flight in told.flights] == ["PAGE 0 urgent: yes tries: 2"]
    assert told.steps[1].received[0].label == "PAGE 0 urgent: yes tries: 2"
    (message,) = state_values(instance, run.states[1])["requests"]
    assert json.dumps(message) == json.dumps(
        {"kind": "PAGE", "pages": {"#set": [0]}, "urgent": True, "tries": 2, "why": "FAULT", "rest": {"#set": []}}
    )
    both = search.witness("two")
    assert both is not None
    assert {change.new for step in tell(both).steps for change in step.changes if change.title == "requests"} == {
        "[PAGE {0} why: prefetch rest: {1}]",
        "[PAGE {0} why: prefetch rest: {1}, PAGE {1} why: prefetch]",
    }


def test_a_single_run_has_the_fields_too() -> None:
    run = SingleRun(Instance(Requests, 1, 1), 70, 1, {})
    actions = {action.method: action for action in run.instance.actions}
    assert run.take(actions["asks_urgently"], 0b01) is None
    assert run.take(actions["asks"], 0b10) is None
    assert run.view.requests.in_flight(Ask.PAGE, urgent=True, why=Why.FAULT).bits == 0b01
    assert run.view.requests.in_flight(Ask.PAGE, tries=1).bits == 0b10
    assert not run.could(actions["puts_off"])
    assert run.take(actions["serves"]) is None
    assert not run.could(actions["serves"])
    assert run.take(actions["puts_off"]) is None
    assert run.view.server.announced.bits == (1 << 70) - 4
    assert run.view.server.served.bits == 0b01


def test_a_single_run_takes_the_fields_of_a_state_over() -> None:
    instance = Instance(Requests, 2, 2)
    concrete = ConcreteInterpretation(instance, instance.initial_states()[0])
    channel, none = instance.channels["requests"], concrete.pages(NONE)
    given = {"urgent": True, "tries": 3, "why": Why.PREFETCH, "rest": ~none}
    concrete.send(channel, Ask.PAGE, none, {}, given)
    run = SingleRun(instance, 2, 1, {})
    run.become(concrete)
    assert run.view.requests.carries(Ask.PAGE, urgent=True, tries=3, why=Why.PREFETCH)
    assert not run.view.requests.carries(Ask.PAGE, tries=2)
    assert run.head(channel).carried["rest"].bits == 0b11


# -- a change of the document's protocol ------------------------------------------------------------------------------


class SaysPriority(Postcopy):
    """A request carries a priority beside its pages, and the channel does not declare it."""

    class destination(Destination):
        """Asks with a priority."""

        def requests_page(self, page: Page) -> None:
            """asks with a priority"""
            require(self._listening())
            require(self.faulted[page])
            self._ready_to_reply()
            self.faulted -= page
            self.return_path.send(Reply.REQ_PAGES, page.host_pages, priority=1)


class HasPriority(SaysPriority):
    """A request with a number."""

    return_path = Postcopy.return_path.extended(fields={"priority": Count("how urgent it is", 0, 3)})


def test_a_field_that_is_not_declared_is_refused_and_the_error_says_how_to_declare_it() -> None:
    with pytest.raises(SpecError) as caught:
        explore(Instance(SaysPriority, 1, 1), Options(engine=Engine.INTERPRETED))
    assert str(caught.value).endswith(
        "a REQ_PAGES on return_path has no field priority: declare it, return_path = Channel(..., "
        'fields={"priority": Flag("...")})'
    )


@pytest.mark.slow
def test_the_document_holds_when_requests_carry_a_priority() -> None:
    verdict = explore(Instance(HasPriority, 1, 1, asked_of(HasPriority)), Options(engine=Engine.INTERPRETED))
    alone = explore(Instance(Postcopy, 1, 1, asked_of(Postcopy)), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.states == alone.states


# -- declarations ----------------------------------------------------------------------------------------------------


THREAD = Thread("a thread")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": Flag("x")}, "a field 'kind': the name is taken, or no name; choose another"),
        ({"pages": Flag("x")}, "a field 'pages': the name is taken, or no name; choose another"),
        ({"stale": Flag("x")}, "a field 'stale': the name is taken, or no name; choose another"),
        ({"two words": Flag("x")}, "a field 'two words': the name is taken, or no name; choose another"),
        ({"urgent": True}, "the field urgent, which is True: a Flag, Choice, Count or Bitmap is needed"),
        ({"urgent": Flag("x", EITHER)}, "the field urgent, which starts as EITHER: a message says one or the other"),
        (
            {"rest": Bitmap("x", waits=THREAD)},
            "the field rest, which has a role or a thread that waits: say it of a set of pages of a machine",
        ),
        (
            {"rest": Bitmap("x", role=Why.FAULT)},
            "the field rest, which has a role or a thread that waits: say it of a set of pages of a machine",
        ),
        ({"tries": Count("x", 1, 3)}, "the field tries, which starts as 0, outside of its range 1 to 3"),
        (
            {"why": Choice("x", "FAULT")},  # type: ignore[type-var]
            "the field why, which starts as 'FAULT': it can start as a member of an enumeration",
        ),
    ],
)
def test_a_field_that_is_declared_wrongly_is_refused(fields: Any, message: str) -> None:
    class Wrong(Requests):
        requests = Channel(Ask, marks=("stale",), marked=(Ask.PAGE,), fields=fields)

    with pytest.raises(SpecError) as caught:
        Instance(Wrong, 1, 1)
    assert str(caught.value) == f"{of_class(Wrong, 'requests')}: requests has messages with {message}"


def test_a_set_for_each_vcpu_is_no_field_of_a_message() -> None:
    class Wrong(Requests):
        requests = Requests.requests.extended(fields={"waiting": CpuBitmap("x")})

    with pytest.raises(SpecError, match="a Flag, Choice, Count or Bitmap is needed"):
        Instance(Wrong, 1, 1)


def test_fields_are_a_dictionary() -> None:
    for make in (Channel, Requests.requests.extended):
        with pytest.raises(SpecError, match="Channel: the fields of messages are a dictionary"):
            make(Why, fields=("urgent",))  # type: ignore[arg-type]


class SendsAMember(Requests):
    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, urgent=Why.FAULT)


class SendsAnotherMember(Requests):
    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, why=Reply.PONG)


class SendsAFlagForASet(Requests):
    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, rest=True)


class SendsTooMuch(Requests):
    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, tries=4)


class SendsMisspelt(Requests):
    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, urgnet=True)


class ReadsMisspelt(Requests):
    class server(Server):
        def serves(self) -> None:
            require(self.requests.receive(Ask.PAGE).carried["urgnet"])


class ComparesWrongly(Requests):
    class server(Server):
        def serves(self) -> None:
            require(self.requests.receive(Ask.PAGE).carried["why"] == Reply.PONG)


class Remembers(Ghost):
    old = Flag("something is old")


class SendsHistory(Requests):
    memory = Remembers

    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, urgent=self.memory.old)

    class server(Server):
        @action(Server.server)
        def notes(self) -> None:
            self.memory.old = True


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (SendsAMember, "a truth value is needed here, not <Why.FAULT: 1>"),
        (SendsAnotherMember, r"requests.why is given <Reply.PONG: 1>, which is not a Why"),
        (SendsAFlagForASet, "a set of pages is needed here, not True"),
        (SendsTooMuch, "requests.tries leaves its range 1 to 3"),
        (SendsMisspelt, "a PAGE on requests has no field urgnet; did you mean urgent?"),
        (ReadsMisspelt, "the message has no field urgnet; its fields are urgent, tries, why, rest"),
        (ComparesWrongly, "a Why is compared with <Reply.PONG: 1>"),
    ],
)
def test_a_wrong_use_is_refused_with_its_line(protocol: type[Protocol], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        explore(Instance(protocol, 1, 1), Options(engine=Engine.INTERPRETED))
    assert f": {message}" in str(caught.value)


@pytest.mark.parametrize("make", [SymbolicInterpretation, UnboundedInterpretation])
def test_history_is_no_value_of_a_field(make: type[SymbolicInterpretation]) -> None:
    instance = Instance(SendsHistory, 1, 1)
    asks = next(action for action in instance.actions if action.method == "asks")
    with pytest.raises(SpecError, match=r"the urgent of a PAGE on requests depends on history \(memory.old\)"):
        read_action(instance, asks, make)


@pytest.mark.parametrize(
    ("having", "message"),
    [
        ({"urgent": 1}, "requests.urgent is compared with 1, which is not a bool"),
        ({"why": Reply.PONG}, "requests.why is compared with <Reply.PONG: 1>, which is not a Why"),
        ({"tries": True}, "requests.tries is compared with True, which is not a whole number"),
        (
            {"rest": True},
            "requests.rest is a set of pages: messages are looked for by their flags, choices and numbers",
        ),
        ({"urgnet": True}, "requests has no mark urgnet"),
    ],
)
def test_a_property_that_asks_wrongly_is_refused(having: dict[str, Any], message: str) -> None:
    instance = Instance(Requests, 1, 1)
    with pytest.raises(SpecError, match=message):
        SingleRun(instance, 1, 1, {}).view.requests.in_flight(Ask.PAGE, **having)


# -- fields that changes add -----------------------------------------------------------------------------------------


class Signed(Requests):
    requests = Requests.requests.extended(fields={"signed": Flag("who asks has signed")})


class Late(Requests):
    requests = Requests.requests.extended(fields={"late": Flag("it comes late")}, capacity=1)


class LateAndSigned(Late, Signed):
    """Both fields."""


class SignedTwice(Requests):
    requests = Requests.requests.extended(fields={"signed": Flag("who asks has signed")})


class SignedByNumber(Requests):
    requests = Requests.requests.extended(fields={"signed": Count("how many have signed", 0, 2)})


def test_fields_of_several_changes_are_all_there() -> None:
    class Alike(Signed, SignedTwice):
        pass

    fields = LateAndSigned.parts(Channel)["requests"].fields
    assert list(fields) == ["urgent", "tries", "why", "rest", "signed", "late"]
    assert len(Instance(LateAndSigned, 1, 3).channels["requests"].slots) == 1
    assert "signed" in Instance(Alike, 1, 1).channels["requests"].given


def test_a_choice_that_two_changes_declare_alike_is_one_field() -> None:
    class One(Requests):
        requests = Requests.requests.extended(fields={"how": Choice("how it is wanted", Why.FAULT)})

    class Two(Requests):
        requests = Requests.requests.extended(fields={"how": Choice("how it is wanted", Why.FAULT)})

    class Three(Requests):
        requests = Requests.requests.extended(fields={"how": Choice("how it is wanted", Why.PREFETCH)})

    class Alike(One, Two):
        pass

    class Unlike(One, Three):
        pass

    assert Instance(Alike, 1, 1).channels["requests"].given["how"] is Why.FAULT
    with pytest.raises(SpecError, match="Three and One contradict each other: both declare the field how"):
        Instance(Unlike, 1, 1)


class Panic(Enum):
    PANIC = auto()


@sometimes("Somebody panics")
def panics(state: View) -> bool:
    return bool(state.requests.carries(Ask.PAGE, why=Panic.PANIC))


class Panics(Requests):
    """There is one more reason to ask than the base knows."""

    requests = Channel(Ask, fields={**Requests.requests.fields, "why": Server.why.extended(Panic)})

    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.wanted[page])
            require(self.requests.room())
            self.wanted -= page
            self.requests.send(Ask.PAGE, page, why=Panic.PANIC, rest=self.wanted)

    class server(Server):
        why = Server.why.extended(Panic)

        def puts_off(self) -> None:
            message = self.requests.receive(Ask.PAGE)
            require(message.carried["why"] == Panic.PANIC)
            self.later |= message.pages
            self.announced = message.carried["rest"]
            self.why = message.carried["why"]
            self.last = False


def test_a_choice_with_more_members_is_a_field_of_a_message_too() -> None:
    assert searched(Panics, (2, 1, 1)) is None
    verdict = explore(Instance(Panics, 1, 1, (panics,)), Options(engine=Engine.INTERPRETED))
    assert verdict.witnesses == {"panics": True}


def test_one_name_for_two_fields_is_a_contradiction() -> None:
    class Both(Signed, SignedByNumber):
        pass

    with pytest.raises(SpecError) as caught:
        Instance(Both, 1, 1)
    assert str(caught.value) == (
        f"{of_class(Both)}: SignedByNumber and Signed contradict each other: both declare the field signed of messages "
        "on requests, and not alike. Give one of the two another name"
    )


def test_a_field_of_the_base_is_not_declared_again() -> None:
    class Again(Signed):
        requests = Signed.requests.extended(fields={"urgent": Count("how urgent", 0, 2)})

    with pytest.raises(SpecError, match="Requests and Again contradict each other: both declare the field urgent"):
        Instance(Again, 1, 1)
