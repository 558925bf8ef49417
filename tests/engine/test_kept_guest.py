"""Guests of QEMU that are kept: in memory, in a file, and on their way between the engine and itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import LoadPages, Output
from postcopy.engine.errors import ConnectionLost, EngineError, GuestError, RemoteProtocolError, WireError
from postcopy.engine.kept_file import read_kept, write_kept
from postcopy.engine.kept_guest import KeptGuest
from postcopy.engine.kept_memory import TOUCHER, KeptMemory
from postcopy.engine.messages import (
    Advise,
    Block,
    Configuration,
    Description,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    OpenReturnPath,
    Packaged,
    Page,
    Pages,
    Pong,
    RamEnd,
    RamSize,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
    SwitchoverStart,
    TargetPageBits,
)
from postcopy.engine.opening import Opening, read_opening
from postcopy.engine.parsing import StreamParser
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import ToQemu, about, run_to_qemu
from postcopy.engine.source_host import AT_ONCE, FIRST_PASS, NEVER, SourceOptions
from postcopy.engine.wire import MULTIFD_MAGIC
from tests.engine.kept import (
    BLOCKS,
    DEVICES,
    END,
    OPENING,
    PAGES,
    PARTS,
    SIZE,
    SOON,
    content,
    kept_guest,
    page,
    stream,
    take,
)

# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_guest_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    before = kept_guest()
    write_kept(tmp_path / "guest", before)
    after = read_kept(tmp_path / "guest")
    assert bytes(after.map) == bytes(before.map) == b"".join(map(content, range(PAGES)))
    assert (after.opening.machine, after.opening.configuration, after.geometry.blocks) == ("pc", PARTS, BLOCKS)
    assert [(d.name, d.instance, d.version, d.data) for d in after.devices()] == [
        (d.name, d.instance, d.version, d.data) for d in DEVICES
    ]
    assert about(after) == about(before)
    assert [path.name for path in tmp_path.iterdir()] == ["guest"]


def test_sections_are_numbered_behind_that_of_memory() -> None:
    assert [device.section for device in kept_guest().devices()] == [3, 4]


def changed(guest: KeptGuest, first: int, second: int) -> str:
    rows = guest.contents.rows
    rows[[first, second]] = rows[[second, first]]
    return guest.digest()


def test_the_digest_is_that_of_all_pages_in_their_places() -> None:
    digest = kept_guest().digest()
    assert digest == kept_guest().digest()
    assert changed(kept_guest(), 1, 2) != digest
    assert changed(kept_guest(), 599, 601) != digest, "in different blocks"
    other = kept_guest()
    other.contents.rows[601, SIZE - 1] ^= 1
    assert other.digest() != digest
    renamed = kept_guest()
    renamed.geometry.blocks = (Block("ram", BLOCKS[0].length), BLOCKS[1])
    assert renamed.digest() != digest


def as_qemu_writes(directory: Path, *more: StreamMessage, pages: int = PAGES) -> Path:
    """A file with commands in it, as one has that QEMU saves; pages one by one."""
    sections = [*END, SwitchoverStart(), SectionPart(2), *map(page, range(pages)), *END, *more]
    path = directory / "saved"
    path.write_bytes(stream([*OPENING, *sections, SectionEnd(2), *END, *DEVICES, Eof(), Description(b"{}")]))
    return path


def test_a_file_of_qemu_s_is_read(tmp_path: Path) -> None:
    assert read_kept(as_qemu_writes(tmp_path)).digest() == kept_guest().digest()


def test_what_is_no_guest_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "guest"
    write_kept(path, kept_guest())
    whole = path.read_bytes()
    other = tmp_path / "other"

    def refusal(data: bytes) -> str:
        other.write_bytes(data)
        with pytest.raises(EngineError) as error:
            read_kept(other)
        assert str(error.value).startswith(f"{other} holds no guest that could be given to a QEMU: ")
        return str(error.value).partition("QEMU: ")[2]

    assert refusal(b"My own work.\n") == "stream offset 0: magic 0x4d79206f is not QEVM: this is no migration stream"
    assert refusal(b"") == "it ends before the end of the stream"
    assert "ends within a message" in refusal(whole[: len(whole) // 2])
    assert refusal(stream(OPENING)) == "it ends before the end of the stream"
    assert refusal(as_qemu_writes(tmp_path, pages=PAGES - 2).read_bytes()) == "2 of its 602 pages are missing"
    package = Packaged(stream([Listen(), Run()]))
    assert refusal(as_qemu_writes(tmp_path, package).read_bytes()).startswith("Packaged is in it, which no migration")
    odd = stream([*OPENING, *END, SectionPart(2), Page("other", 0, None)])
    assert refusal(odd) == "there is no block other"


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot read a guest from .*none: No such file or directory"):
        read_kept(tmp_path / "none")
    with pytest.raises(EngineError, match=r"cannot write the guest to .*: No such file or directory"):
        write_kept(tmp_path / "none" / "guest", kept_guest())
    (tmp_path / "guest").mkdir()
    with pytest.raises(EngineError, match=r"cannot write the guest to .*: Is a directory"):
        write_kept(tmp_path / "guest", kept_guest())
    assert [path.name for path in tmp_path.iterdir()] == ["guest"], "nothing else is left"


# -- the head of a stream ---------------------------------------------------------------------------------------------


def opened(*messages: StreamMessage) -> Opening:
    return read_opening(iter(messages).__next__, SIZE)


def test_what_a_stream_says_of_its_guest() -> None:
    found = opened(*OPENING)
    assert (found.messages, found.machine, found.configuration) == (OPENING, "pc", PARTS)
    assert (found.geometry.blocks, found.geometry.target_page, found.geometry.host_page) == (BLOCKS, SIZE, SIZE)
    smaller = opened(Header(), Configuration("arm"), TargetPageBits(10), Advise(SIZE, 1024), RamSize(BLOCKS))
    assert (smaller.geometry.target_page, smaller.configuration) == (1024, (TargetPageBits(10),))


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ((Header(), Eof()), "Eof comes before the sizes of memory"),
        ((Header(), page(0)), "Page comes before the sizes of memory"),
        ((Header(), RamSize((Block("odd", 100),))), "does not fit here: block odd: 100 bytes are no whole number of"),
        (
            (Header(), Advise(SIZE, 2 * SIZE), RamSize(BLOCKS)),
            "does not fit here: a host page of 4096 bytes is smaller",
        ),
        ((Header(),) * 20, "16 messages, and the sizes of memory are not among them"),
    ],
)
def test_what_does_not_begin_as_a_guest_of_qemu_does(messages: Sequence[StreamMessage], why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        opened(*messages)


@pytest.mark.parametrize("size", [1 << 60, 1 << 63])
def test_more_memory_than_there_is(size: int) -> None:
    with pytest.raises(GuestError, match="there is no room for a guest with"):
        KeptGuest(opened(Header(), Configuration("pc"), RamSize((Block("ram", size),))))


# -- memory -----------------------------------------------------------------------------------------------------------


def test_missing_pages_are_touched_one_after_another() -> None:
    guest = KeptGuest(opened(*OPENING[:-1], RamSize((Block("ram", 5 * SIZE),))))
    memory = KeptMemory(guest)
    memory.load(range(5), bytes([7]) * 5 * SIZE)
    memory.drop(range(1, 4))
    assert not guest.contents.rows[1:4].any()
    memory.sensitise()
    assert memory.faults(0.01) == [], "before the CPUs would run"
    guest.start()
    touched = []
    for _ in range(3):
        ((missing, who),) = memory.faults(SOON)
        assert memory.faults(0.01) == []
        touched.append(missing)
        memory.place(range(missing, missing + 1), bytes([missing]) * SIZE)
    assert (sorted(touched), who) == ([1, 2, 3], TOUCHER)
    assert memory.faults(0.01) == [], "all are there"
    assert guest.contents.rows[:, 9].tolist() == [7, 1, 2, 3, 7]
    with pytest.raises(GuestError, match=r"page 2 is there already \(R13\)"):
        memory.place(range(2, 4), None)
    memory.stop_faults()
    assert memory.faults(SOON) == []


def test_a_thread_that_waits_for_a_page_ends_with_the_migration() -> None:
    guest = KeptGuest(opened(*OPENING))
    memory = KeptMemory(guest)
    memory.sensitise()
    guest.start()
    assert len(memory.faults(SOON)) == 1
    memory.release()
    for thread in threading.enumerate():
        if thread.name == TOUCHER:
            thread.join(SOON)
            assert not thread.is_alive()


def test_a_guest_that_is_given_up() -> None:
    guest = kept_guest()
    assert guest.lost == ""
    guest.start()
    guest.stop()
    assert not guest.running.is_set()
    guest.kill()
    guest.wait_for_death()
    assert guest.lost == "the guest was given up"


# -- between the engine and itself ------------------------------------------------------------------------------------


def give(port: int, switch: str) -> ToQemu:
    return run_to_qemu(kept_guest(), SourceOptions(switch=switch, timeout=SOON), Network(port=port), keep_log=True)


@pytest.mark.parametrize("switch", [AT_ONCE, FIRST_PASS, NEVER])
def test_a_guest_that_came_is_the_guest_that_left(switch: str) -> None:
    given: list[ToQemu] = []
    taken = take(lambda port: given.append(give(port, switch)))
    assert taken.guest is not None, taken.report.why
    assert about(taken.guest) == about(kept_guest())
    assert bytes(taken.guest.map) == bytes(kept_guest().map)
    assert taken.guest.devices() == kept_guest().devices()
    assert given[0].report.outcome == "completed"
    assert not given[0].kept
    assert ("sent the package" in given[0].report.counts) is (switch == AT_ONCE)
    assert not taken.source_has_it


class LosesAByte(DestinationCore):
    """Writes one page of precopy wrong."""

    def _precopy_pages(self, message: Page | Pages) -> Sequence[Output]:
        (effect,) = super()._precopy_pages(message)
        assert isinstance(effect, LoadPages)
        return [LoadPages(effect.pages, None) if 1 in effect.pages else effect]


def test_a_page_that_is_wrong_shows_in_the_digest() -> None:
    taken = take(lambda port: give(port, NEVER), LosesAByte)
    assert taken.guest is not None
    assert about(taken.guest) != about(kept_guest())


def test_the_file_keeps_a_guest_that_no_destination_has_taken() -> None:
    class Refuses(DestinationCore):
        def _advise(self, message: Advise) -> Sequence[Output]:
            self.capability = False
            return super()._advise(message)

    given: list[ToQemu] = []
    taken = take(lambda port: given.append(give(port, AT_ONCE)), Refuses)
    assert taken.guest is None
    assert taken.source_has_it
    assert given[0].kept
    assert given[0].report.outcome == "failed"
    assert given[0].report.why == (
        "the destination says that it has failed; a QEMU for this guest needs -machine pc, the same memory and devices "
        "as before, and postcopy-ram switched on unless --switch never is given; its standard error may say more"
    )


# -- sources that are no good -----------------------------------------------------------------------------------------


def sending(*data: bytes) -> Callable[[int], None]:
    """A source that sends bytes, and closes the connection."""

    def act(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), SOON) as caller:
            for part in data:
                caller.sendall(part)
            caller.shutdown(socket.SHUT_WR)
            while caller.recv(1 << 16):
                pass

    return act


def test_a_source_that_expects_no_answers() -> None:
    opening = [message for message in OPENING if not isinstance(message, OpenReturnPath)]
    with pytest.raises(EngineError, match=r"expects no answers, .*: switch its capability return-path on"):
        take(sending(stream(opening)))


def test_a_connection_of_multifd() -> None:
    with pytest.raises(WireError, match="this is a connection of multifd: switch the capability multifd off"):
        take(sending(MULTIFD_MAGIC.to_bytes(4), bytes(100)))


def test_a_source_that_goes_away_before_it_has_said_anything_of_its_guest() -> None:
    with pytest.raises(ConnectionLost, match="the source closed the connection"):
        take(sending(stream(OPENING[:3])))


PRECOPY = [*OPENING, *END, SectionPart(2), *map(page, range(PAGES)), *END]
PACKAGE = Packaged(stream([Listen(), *DEVICES, Run()]))


def test_a_guest_whose_source_is_lost_in_precopy_is_still_there() -> None:
    found = take(sending(stream(PRECOPY)))
    assert found.guest is None
    assert found.source_has_it
    assert found.report.why == "the source closed the connection"


def test_a_guest_whose_source_is_lost_in_postcopy_is_lost() -> None:
    found = take(sending(stream([*PRECOPY, Discard("pc.ram", ((0, SIZE),)), PACKAGE])))
    assert found.guest is None
    assert not found.source_has_it


def test_all_that_was_answered_and_asked_for() -> None:
    """The source sends the page that was asked for, and then the end, as a QEMU does."""
    replies = ReplyParser()
    heard: list[object] = []

    def act(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), SOON) as caller:
            caller.sendall(stream([*PRECOPY, Discard("pc.ram", ((SIZE, SIZE),)), PACKAGE]))
            while len(heard) < 2:
                replies.feed(caller.recv(1 << 12))
                heard.extend(replies)
            caller.sendall(stream([SectionPart(2), page(1), *END, SectionEnd(2), *END, Eof()]))
            while data := caller.recv(1 << 12):
                replies.feed(data)
                heard.extend(replies)

    found = take(act)
    assert found.guest is not None
    assert found.guest.digest() == kept_guest().digest()
    assert found.report.requests == 1
    assert heard[0] == Pong(1)
    assert [type(reply).__name__ for reply in heard] == ["Pong", "Request", "Shut"]


def test_the_framing_of_the_opening_is_what_the_parser_gives() -> None:
    """`OPENING` is what a stream of it is read as."""
    parser = StreamParser(SIZE, opaque_devices=True)
    parser.feed(stream(OPENING))
    assert tuple(parser) == OPENING
    assert isinstance(OPENING[-2], SectionStart)
    assert isinstance(END[0], RamEnd)
    assert isinstance(END[1], Footer)
