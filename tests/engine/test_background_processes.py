"""The processes that send and place background pages: what they do, and what becomes of the migration without them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postcopy.conformance.logs import explain
from postcopy.engine import own_process, placing_process, run, sending_process
from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import Main, State
from postcopy.engine.effects import Output
from postcopy.engine.errors import ConnectionLost, GuestError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Thread
from postcopy.engine.memory import GuestOptions, GuestProcess, destination_memory
from postcopy.engine.messages import (
    Block,
    Packaged,
    Page,
    Pages,
    RamEnd,
    Request,
    SectionPart,
    StreamMessage,
)
from postcopy.engine.own_process import OwnProcess
from postcopy.engine.parsing import StreamParser
from postcopy.engine.placing_process import Arrived, Held, PlacingProcess
from postcopy.engine.run import DestinationResult, SourceResult
from postcopy.engine.sending_process import SendingProcess, Sent
from postcopy.engine.starting import start_process
from postcopy.engine.transport import Connection
from postcopy.engine.wire import Begin
from postcopy.engine.writing import StreamWriter
from tests.engine.background import Before, Dies, InThread
from tests.engine.here import PAGES, Hosts
from tests.engine.live import SMALL, lines, migrate, nowhere_else
from tests.engine.test_live import needs_uffd

ROOT = Path(__file__).parents[2]
GUEST = msgspec.structs.replace(SMALL, size=4 << 20, filled=1.0)
SIZE = 4096
TIMEOUT = 20.0
GEOMETRY = Geometry([Block("guest.ram", 64 * SIZE)])


class Calls:
    """Counts, and does something the first time that it has been called so often."""

    def __init__(self, often: int, what: Callable[[], None], kind: type) -> None:
        self.left, self._what, self._kind = often, what, kind

    def __call__(self, said: object) -> None:
        self.left -= isinstance(said, self._kind)
        if self.left == 0:
            self.left -= 1
            self._what()


def die() -> None:
    raise Dies


def migrate_with(
    monkeypatch: pytest.MonkeyPatch, what: str, recover: float = 0.0, **before: Before
) -> tuple[SourceResult, DestinationResult]:
    """A migration in which one of the processes is looked at; the other one is a process."""
    guest = GUEST if what == placing_process.WHAT else msgspec.structs.replace(GUEST, memory="software")

    def start(wanted: str) -> OwnProcess:
        return InThread(wanted, **before) if wanted == what else start_process(wanted)

    monkeypatch.setattr(run, "start_process", start)
    return migrate(guest, switch="at-once", preempt=True, recover=recover)


def check_whole(source: SourceResult, destination: DestinationResult) -> None:
    assert (source.report.outcome, destination.report.outcome) == ("completed", "completed")
    assert destination.guest
    assert destination.guest.damage == []
    found = explain(GUEST.geometry().pages, 1, [line.record for line in lines(source, destination)])
    assert found.unexplained is None


def preferred_threads(monkeypatch: pytest.MonkeyPatch, host: str) -> list[str]:
    """The threads of a host that ask to run first."""
    found: list[str] = []
    monkeypatch.setattr(
        f"postcopy.engine.{host}.prefer_this_thread", lambda: found.append(threading.current_thread().name)
    )
    return found


# -- whole migrations -------------------------------------------------------------------------------------------------


def test_background_pages_are_sent_by_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Sent] = []
    preferred = preferred_threads(monkeypatch, "source_host")
    source, destination = migrate_with(
        monkeypatch, sending_process.WHAT, says=lambda said: sent.append(said) if isinstance(said, Sent) else None
    )
    check_whole(source, destination)
    background = source.report.counts["sent a page in the background"]
    assert len(sent) >= background / sending_process.BATCH
    assert sum(answer.zeros for answer in sent) <= source.report.zero_pages
    assert 0 < sum(answer.size for answer in sent) < source.report.postcopy_bytes
    assert sorted(preferred) == [Thread.MIGRATION, Thread.RETURN_PATH]


@needs_uffd
def test_background_pages_are_placed_by_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    preferred = preferred_threads(monkeypatch, "destination_host")
    source, destination = migrate_with(monkeypatch, placing_process.WHAT, says=said.append)
    check_whole(source, destination)
    placed = sum(count for answer in said for _, count, _ in answer.placed)
    assert placed == destination.report.counts["received a page in postcopy"]
    assert sorted(preferred) == [Thread.FAULT, Thread.LISTEN, Thread.PREEMPT]


@pytest.mark.parametrize("preempt", [True, False])
def test_a_page_that_is_about_to_be_placed_is_not_asked_for(preempt: bool) -> None:
    """The guest goes on with an urgent page, or begins to run, and touches one that the core has taken already."""
    hosts = Hosts(preempt=preempt)
    host, core, page = hosts.destination, hosts.destination.core, len(hosts.guests[1].map) // PAGES
    core.state, core.main, core.return_path_open = State.RUNNING, Main.LEFT, True
    core.receive_listening(Pages("guest.ram", 2 * page, 2, page, bytes(2 * page)))

    rounds = iter([[(2, "vCPU 0"), (4, "vCPU 1"), (3, "device load")]])

    def faults(_: float) -> list[tuple[int, str]]:
        if found := next(rounds, []):
            return found
        core.state = State.END
        return []

    vars(host.memory)["faults"] = faults
    host._faults()
    assert hosts.run_.replies == [Request("guest.ram", 4 * page, page)]
    host.memory.close()
    hosts.close()


def test_without_the_sending_process_the_guest_is_lost_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    source, destination = migrate_with(monkeypatch, sending_process.WHAT, says=Calls(5, die, Sent))
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    assert source.report.why == "the process that sends pages is gone"
    assert nowhere_else(source, destination) == []


def test_without_the_sending_process_a_migration_that_is_recovered_has_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pages that it had count as sent, and have not come."""
    runs = threading.Event()
    right = DestinationCore.run

    def run_guest(core: DestinationCore) -> Sequence[Output]:
        outputs = right(core)
        runs.set()
        return outputs

    def die_in_postcopy() -> None:
        assert runs.wait(TIMEOUT), "a break while the devices are loaded is not recovered"
        die()

    monkeypatch.setattr(DestinationCore, "run", run_guest)
    source, destination = migrate_with(monkeypatch, sending_process.WHAT, 20.0, says=Calls(5, die_in_postcopy, Sent))
    assert source.report.breaks == ["the process that sends pages is gone"]
    check_whole(source, destination)


@needs_uffd
def test_without_the_placing_process_the_guest_is_lost_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    source, destination = migrate_with(monkeypatch, placing_process.WHAT, hears=Calls(5, die, int))
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    assert destination.report.why == "the process that places pages is gone"
    assert nowhere_else(source, destination) == []


@pytest.mark.parametrize("what", [sending_process.WHAT, pytest.param(placing_process.WHAT, marks=needs_uffd)])
def test_a_process_that_is_killed_is_noticed(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    started: list[OwnProcess] = []

    def start(wanted: str) -> OwnProcess:
        process = start_process(wanted)
        if wanted == what:
            started.append(process)
            os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(run, "start_process", start)
    source, destination = migrate(GUEST, preempt=True)
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    assert f"the process that {what} is gone" in (source.report.why, destination.report.why)
    assert nowhere_else(source, destination) == []
    assert [process._process.poll() for process in started] == [-signal.SIGKILL], "it was waited for"


@pytest.mark.slow
@pytest.mark.parametrize("what", [sending_process.WHAT, pytest.param(placing_process.WHAT, marks=needs_uffd)])
def test_a_process_that_stands_still_is_noticed(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def start(wanted: str) -> OwnProcess:
        process = start_process(wanted)
        if wanted == what:
            os.kill(process.pid, signal.SIGSTOP)
        return process

    monkeypatch.setattr(run, "start_process", start)
    monkeypatch.setattr(own_process, "GRACE", 0.5)
    source, destination = migrate(GUEST, preempt=True, timeout=2.0)
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    assert nowhere_else(source, destination) == []  # which host gives up first, and says so, depends on the machine


@pytest.mark.parametrize("what", [sending_process.WHAT, placing_process.WHAT])
def test_a_process_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(own_process, "GRACE", 0.1)
    with closing(start_process(what)) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(ConnectionLost, match=f"^the process that {what} has not answered for 0.1 s$"):
            process.receive(0.0)


def test_the_processes_end_with_a_host_that_is_killed() -> None:
    command = [sys.executable, "-m", "tests.engine.background_orphans"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as host:
        assert host.stdout
        processes = [int(text) for text in host.stdout.readline().split()]
        assert all(Path(f"/proc/{pid}").exists() for pid in processes)
        host.send_signal(signal.SIGKILL)
    end = time.monotonic() + TIMEOUT
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < end, "a process outlives its host"
        time.sleep(0.02)


# -- the process that sends -------------------------------------------------------------------------------------------


@pytest.fixture
def connections() -> Iterator[tuple[Connection, Connection]]:
    a, b = socket.socketpair()
    with a, b:
        yield Connection(a, TIMEOUT), Connection(b, TIMEOUT)


def memory_of(contents: bytes) -> int:
    memfd = os.memfd_create("guest")
    os.ftruncate(memfd, GEOMETRY.pages * SIZE)
    os.pwrite(memfd, contents, 0)
    return memfd


def read_pages(connection: Connection) -> dict[int, bytes | None]:
    """What has come on a connection, page by page."""
    parser = StreamParser(SIZE, Begin.PREEMPT)
    while size := connection.receive(parser.room(), 0.0):
        parser.filled(size)
    pages = [message for message in parser if isinstance(message, Page)]
    return {page.offset // SIZE: None if page.data is None else bytes(page.data) for page in pages}


def test_it_sends_what_it_is_told_to(connections: tuple[Connection, Connection]) -> None:
    memfd = memory_of(b"\1" * SIZE + bytes(SIZE) + b"\3" * 2 * SIZE)
    with closing(SendingProcess(GEOMETRY, memfd, InThread)) as process:
        process.begin(connections[0])
        sent = process.send([range(0, 1)]) + process.send([range(1, 3), range(5, 6)]) + process.settle()
    os.close(memfd)
    assert read_pages(connections[1]) == {0: b"\1" * SIZE, 1: None, 2: b"\3" * SIZE, 5: None}
    assert sent == Sent(2 * (8 + SIZE) + 2 * 9 + len("_guest.ram"), zeros=2)


def test_a_lost_connection_is_the_hosts_to_know(connections: tuple[Connection, Connection]) -> None:
    memfd = memory_of(b"\1" * SIZE)
    with closing(SendingProcess(GEOMETRY, memfd, InThread)) as process:
        process.begin(connections[0])
        connections[1].close()
        process.send([range(0, 1)])
        with pytest.raises(ConnectionLost, match="the other side closed the connection"):
            process.send([range(1, 2)])
    os.close(memfd)


def test_another_connection_has_another_process(connections: tuple[Connection, Connection]) -> None:
    memfd, started = memory_of(b"\1" * SIZE), []

    def start(what: str) -> OwnProcess:
        started.append(InThread(what))
        return started[-1]

    with closing(SendingProcess(GEOMETRY, memfd, start)) as process:
        for _ in range(2):
            process.begin(connections[0])
            process.send([range(0, 1)])
            process.settle()
    os.close(memfd)
    assert len(started) == 2
    assert not started[0]._thread.is_alive()


# -- the process that places ------------------------------------------------------------------------------------------


class Destination:
    """A process that places, and a host that says yes to every page."""

    def __init__(self, guest: GuestProcess, timeout: float = TIMEOUT, **before: Before) -> None:
        a, b = socket.socketpair()
        self.there, self.here = Connection(a, TIMEOUT), Connection(b, TIMEOUT)
        self.memory = destination_memory(guest)
        self.memory.sensitise()
        self.process = PlacingProcess(guest, lambda what: InThread(what, **before))
        self.placed: list[range] = []
        parser = StreamParser(SIZE, Begin.RESUMED, ram_section=2)
        self.process.begin(self.here, parser, timeout, lambda pages, _: self.placed.append(pages))
        self._writer = StreamWriter()

    def send(self, *messages: StreamMessage) -> None:
        self.there.send(self._writer.encode(messages))

    def take(self, messages: int = 1) -> list[StreamMessage | Held]:
        """The next messages; pages are placed."""
        taken = []
        for _ in range(messages):
            taken.append(message := self.process.next_message())
            if isinstance(message, Held):
                self.process.place(range(message.message.offset // SIZE, 64)[: message.message.count])
        return taken

    def close(self) -> None:
        self.process.close()
        self.memory.close()
        for connection in (self.there, self.here):
            connection.release()


@pytest.fixture
def guest() -> Iterator[GuestProcess]:
    with closing(GuestProcess(GuestOptions(size=64 * SIZE), incoming=True)) as made:
        yield made


def page(number: int, fill: int = 1) -> Page:
    return Page("guest.ram", number * SIZE, bytes([fill]) * SIZE)


@needs_uffd
def test_it_places_what_the_host_says_yes_to(guest: GuestProcess) -> None:
    with closing(Destination(guest)) as destination:
        destination.send(SectionPart(2), page(3), page(4), page(6), Page("guest.ram", 9 * SIZE, None), RamEnd())
        taken = destination.take(6)
        destination.process.settle()
    held = [message.message for message in taken if isinstance(message, Held)]
    pages = [p for run in destination.placed for p in run]
    assert pages == [3, 4, 6, 9]
    assert [message.data is None for message in held] == [False] * (len(held) - 1) + [True]
    assert [type(message) for message in taken if not isinstance(message, Held)] == [SectionPart, RamEnd]
    assert guest.map[3 * SIZE : 5 * SIZE] == b"\1" * 2 * SIZE


@needs_uffd
def test_it_places_nothing_that_the_host_has_not_said_yes_to(guest: GuestProcess) -> None:
    with closing(Destination(guest)) as destination:
        destination.send(SectionPart(2), page(3), page(6))
        destination.take(2)
        destination.process.next_message()
        destination.process.settle()
        assert destination.placed == [range(3, 4)]
    assert guest.map[6 * SIZE] == 0


@needs_uffd
def test_what_is_no_message_comes_after_the_pages_before_it(guest: GuestProcess) -> None:
    with closing(Destination(guest)) as destination:
        destination.send(SectionPart(2), page(3))
        destination.there.send([b"\xff" * 8])
        destination.take(2)
        with pytest.raises(RemoteProtocolError, match="is of no kind that is supported"):
            destination.take()
        destination.process.settle()
        assert destination.placed == [range(3, 4)]


@needs_uffd
def test_a_message_too_large_to_be_handed_over_is_refused(guest: GuestProcess) -> None:
    with closing(Destination(guest)) as destination:
        destination.send(Packaged(bytes(own_process.MOST_BYTES)))
        with pytest.raises(RemoteProtocolError, match="Packaged of more than 65536 bytes comes"):
            destination.take()


@needs_uffd
@pytest.mark.parametrize(
    ("sent", "closes", "why"),
    [
        (b"", False, "the source has sent nothing for 1 s"),
        (b"\2", False, "the source has sent only a part of a message for 1 s"),
        (b"", True, "the source closed the connection"),
        (b"\2", True, "the source closed the connection within a message"),
    ],
)
def test_a_stream_that_ends_or_stands_still(guest: GuestProcess, sent: bytes, closes: bool, why: str) -> None:
    with closing(Destination(guest, 1.0)) as destination:
        destination.there.send([sent])
        if closes:
            destination.there.finish()
        with pytest.raises(ConnectionLost, match=f"^{why}$"):
            destination.take()


@needs_uffd
def test_the_last_word_is_heard_although_the_host_has_said_more(guest: GuestProcess) -> None:
    with closing(Destination(guest, 1.0)) as destination:
        destination.send(SectionPart(2), page(3))
        destination.take(2)
        assert destination.process._process is not None
        assert destination.process._process._line.ready(TIMEOUT), "it has given up"
        destination.process.settle()
        assert destination.placed == [range(3, 4)]


@needs_uffd
def test_a_page_that_is_there_already_is_an_error_of_the_guest(guest: GuestProcess) -> None:
    with closing(Destination(guest)) as destination:
        destination.memory.place(range(3, 4), bytes(SIZE))
        destination.send(SectionPart(2), page(3))
        destination.take(2)
        with pytest.raises(GuestError, match="there already"):
            destination.take()


@needs_uffd
def test_a_process_that_dies_with_pages_to_place_has_lost_the_guest(guest: GuestProcess) -> None:
    """The core counts them as here, and a new connection would not bring them."""
    with closing(Destination(guest, hears=Calls(1, die, int))) as destination:
        destination.send(SectionPart(2), page(3))
        destination.take(2)
        with pytest.raises(GuestError, match="the process that places pages is gone"):
            destination.process.settle()


@needs_uffd
def test_a_process_that_dies_with_none_has_lost_a_connection(guest: GuestProcess) -> None:
    with closing(Destination(guest, says=Calls(1, die, Arrived))) as destination:
        destination.send(SectionPart(2))
        with pytest.raises(ConnectionLost, match="the process that places pages is gone"):
            destination.take()
        destination.process.settle()


@needs_uffd
def test_host_pages_of_several_target_pages_that_come_apart_are_the_hosts_to_place() -> None:
    with closing(GuestProcess(GuestOptions(size=64 * SIZE, target_page=1024), incoming=True)) as guest:
        a, b = socket.socketpair()
        with a, b, closing(PlacingProcess(guest, InThread)) as process:
            there = Connection(a, TIMEOUT)
            process.begin(
                Connection(b, TIMEOUT), StreamParser(1024, Begin.RESUMED, ram_section=2), TIMEOUT, lambda *_: None
            )
            pages = [Page("guest.ram", n * 1024, b"\1" * 1024) for n in (0, 1, 2, 3, 8, 9, 10, 11)]
            there.send(StreamWriter().encode([SectionPart(2), *pages]))
            found = [process.next_message() for _ in range(6)]
    assert [type(message) for message in found[:2]] == [SectionPart, Page]
