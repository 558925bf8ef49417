"""Several machines that send on one channel, and several that receive from one, in every reading."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import (
    ALL,
    NO_DEADLOCK,
    Answer,
    Bitmap,
    Channel,
    Flag,
    Machine,
    Page,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    always,
    every_step,
    require,
    sometimes,
)
from postcopy.language.instance import Instance
from postcopy.language.view import Step
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.prover.verdicts import Answer as Proved
from postcopy.report.story.tell import tell
from tests.language.cases.channel_readings import proved, proved_at, same_in_spin, searched


class Job(Enum):
    DO = auto()


class Clerk(Machine):
    """Hands in its jobs."""

    clerk = Thread("clerk")
    jobs = Bitmap("jobs of the clerk", ALL)
    tray = Sends("tray")

    @action(clerk)
    def hands_in(self, page: Page) -> None:
        """hands in a job"""
        require(self.jobs[page])
        require(self.tray.room())
        self.jobs -= page
        self.tray.send(Job.DO, page)


class Boss(Machine):
    """Hands in jobs too, on the same tray."""

    boss = Thread("boss")
    jobs = Bitmap("jobs of the boss", ALL)
    tray = Sends("tray")

    @action(boss)
    def hands_in(self, page: Page) -> None:
        """hands in a job of its own"""
        require(self.jobs[page])
        require(self.tray.room())
        self.jobs -= page
        self.tray.send(Job.DO, page)


class First(Machine):
    """Takes what comes, if it is awake."""

    first = Thread("first worker")
    done = Bitmap("jobs that the first worker has done")
    awake = Flag("the first worker is awake", True)
    tray = Receives("tray")

    @action(first)
    def does(self) -> None:
        """does the next job"""
        require(self.awake)
        self.done |= self.tray.receive(Job.DO).pages

    @action(first)
    def sleeps(self) -> None:
        """falls asleep"""
        self.awake = False


class Second(Machine):
    """Takes what comes."""

    second = Thread("second worker")
    done = Bitmap("jobs that the second worker has done")
    tray = Receives("tray")

    @action(second)
    def does(self) -> None:
        """does the next job"""
        self.done |= self.tray.receive(Job.DO).pages


@always("What is not handed in by anyone is not done")
def handed_in(state: View) -> Answer:
    """It was done by itself."""
    made: Answer = (state.first.done | state.second.done) & state.clerk.jobs & state.boss.jobs
    return made


@every_step("A step hands in what is on the tray after it")
def stays(step: Step) -> Answer:
    """It is gone at once."""
    gone: Answer = step.sent(Job.DO) - step.after.tray.in_flight(Job.DO)
    return gone


@sometimes("Each worker has done a job of the same number")
def both_did(state: View) -> bool:
    """Each clerk's job goes to another worker."""
    return not (state.first.done & state.second.done).empty


@sometimes("A job is on the tray")
def still_there(state: View) -> bool:
    return bool(state.tray.carries(Job.DO))


class Office(Protocol):
    """Two hand in, two take."""

    clerk = Clerk
    boss = Boss
    first = First
    second = Second
    tray = Channel(Job)
    properties = (handed_in, stays, both_did)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.clerk.jobs.empty and state.boss.jobs.empty and state.tray.empty)


class OnlyTheFirst(Office):
    """The second worker leaves, and the first one may sleep."""

    class second(Second):
        """Does nothing."""

        does = None  # type: ignore[assignment]


class BossForges(Office):
    """The boss hands in what nobody has."""

    class boss(Boss):
        """Does not cross out."""

        def hands_in(self, page: Page) -> None:
            """throws a job away that it hands in"""
            require(self.jobs[page])
            require(self.tray.room())
            self.tray.send(Job.DO, ~page)


PROTOCOLS = [(Office, None), (OnlyTheFirst, NO_DEADLOCK.name), (BossForges, handed_in.name)]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("protocol", "violated"), PROTOCOLS)
def test_searches_and_spin_agree(protocol: type[Protocol], violated: str | None, tmp_path: Path) -> None:
    size = (2, 1, 1)
    assert searched(protocol, size) == violated
    same_in_spin(protocol, tmp_path, size)


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "violated"), PROTOCOLS)
def test_machine_code_says_the_same(protocol: type[Protocol], violated: str | None) -> None:
    assert searched(protocol, (2, 2, 1), Engine.COMPILED) == violated


@always("What is on the tray was handed in")
def tray_was_handed_in(state: View) -> Answer:
    pages: Answer = state.tray.in_flight(Job.DO) & state.clerk.jobs & state.boss.jobs
    return pages


class Helped(Office):
    invariant = (tray_was_handed_in,)


def test_proofs_agree() -> None:
    for found in (proved_at(Helped, (2, 1, 1)), proved(Helped)):
        assert found[handed_in.name] is found[stays.name] is Proved.PROVED
    assert proved_at(OnlyTheFirst, (2, 1, 1))[NO_DEADLOCK.name] is Proved.REFUTED
    assert proved_at(BossForges, (2, 1, 1))[handed_in.name] is Proved.REFUTED
    assert proved(BossForges)[handed_in.name] is not Proved.PROVED


def test_a_story_leads_each_message_to_the_machine_that_took_it() -> None:
    exploration = Exploration(Instance(Office, 1, 1, (both_did, still_there)), Options(engine=Engine.INTERPRETED))
    exploration.run()
    both, there = (exploration.witness(name) for name in ("both-did", "still-there"))
    assert both is not None
    assert there is not None
    assert {flight.host for flight in tell(both).flights} == {"first", "second"}
    assert [flight.host for flight in tell(there).flights] == [""]


class Client(Machine):
    """A vhost-user backend with memory of its own to fault."""

    client = Thread("client")
    waiting = Bitmap("pages that the client waits for")
    return_path = Sends("return_path")

    @action(client, environment=True)
    def touches(self, page: Page) -> None:
        """touches a page"""
        require(self.waiting.empty)
        require(self.return_path.room())
        require(not self.return_path.broken)
        self.waiting = page
        self.return_path.send(Reply.REQ_PAGES, page)


class WithClient(Postcopy):
    """A vhost-user client asks for pages on the destination's return path itself."""

    client = Client


def test_the_stock_properties_see_the_requests_of_a_second_writer() -> None:
    verdict = explore(Instance(WithClient, 1, 1, asked_of(WithClient)), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.violated is not None
    assert verdict.violated.name == "only-faults-requested"
    assert verdict.counterexample is not None
    assert [step.action.name for step in verdict.counterexample.steps] == ["client.touches"]


class SecondShut(Postcopy):
    """A second machine that may end the return path: the source takes its word for the destination's."""

    class closer(Machine):
        """Says once that all is well."""

        closer = Thread("closer")
        said = Flag("it has said so")
        return_path = Sends("return_path")

        @action(closer, environment=True)
        def says_all_is_well(self) -> None:
            """says that all is well"""
            require(not self.said)
            require(self.return_path.room())
            self.said = True
            self.return_path.send(Reply.SHUT_OK)


def test_a_second_writer_can_deceive_a_reader() -> None:
    verdict = explore(Instance(SecondShut, 1, 1, asked_of(SecondShut)), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.VIOLATED


class Thief(Postcopy):
    """A second reader of the stream takes pages from the destination."""

    class thief(Machine):
        """Takes a page that is next."""

        thief = Thread("thief")
        stream = Receives("stream")

        @action(thief, environment=True)
        def steals(self) -> None:
            """steals a page"""
            self.stream.receive(Command.PAGE)


def test_a_second_reader_takes_messages_from_the_first() -> None:
    verdict = explore(Instance(Thief, 1, 1, asked_of(Thief)), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is not None
    assert verdict.violated.name == "no-page-lost"
