"""The cores by hand: a whole migration, and everything that they refuse. What is refused changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.bitmaps import Bitmaps
from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import State
from postcopy.engine.effects import (
    DropPages,
    GiveUpGuest,
    LoadDevice,
    PlacePages,
    ReleaseMemory,
    Sensitise,
    StartGuest,
)
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import (
    Advise,
    AskBitmap,
    Block,
    Capabilities,
    Configuration,
    Description,
    Discard,
    Eof,
    Listen,
    MultifdFlush,
    OpenReturnPath,
    Packaged,
    Page,
    Pages,
    Ping,
    Pong,
    RamSize,
    ReceivedBitmap,
    Request,
    Resume,
    ResumeAck,
    Run,
    Shut,
    StreamMessage,
    SwitchoverAck,
    SwitchoverStart,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.source import SourceCore
from postcopy.engine.writing import StreamWriter
from tests.engine.cores import CPU, PAGE, Pair, Phase, small, snapshot

unhurried = settings(deadline=None)  # the machine may be busy


def packaged(*inside: StreamMessage) -> Packaged:
    return Packaged(b"".join(StreamWriter().encode(inside)))


# -- what is allowed ------------------------------------------------------------------------------------------------


def test_a_migration_with_two_dirtied_pages() -> None:
    pair = Pair()
    pair.to_postcopy([range(1, 3)])
    assert [o for o in pair.outputs if isinstance(o, DropPages)] == [DropPages(range(1, 3))]
    assert [type(o) for o in pair.outputs[-3:]] == [Sensitise, LoadDevice, StartGuest]
    (request,) = pair.destination.fault(2, "vCPU 0")
    assert isinstance(request, Request)
    pair.source.receive(request)
    assert pair.source.next_pages() == range(2, 3)
    assert pair.deliver([pair.page(2)]) == [PlacePages(range(2, 3), bytes([3]) * PAGE)]
    pair.source.receive(request)
    assert pair.send_pages() == [1]
    pair.to_end()
    assert (pair.source.phase, pair.destination.state) == (Phase.COMPLETED, State.END)
    assert not pair.source.guest_may_run
    assert pair.destination.guest_runs
    assert pair.memory == {n: bytes([n + 1]) * PAGE for n in range(4)}
    assert isinstance(pair.outputs[-1], ReleaseMemory)
    assert pair.steps == [
        "started",
        "opened the return path",
        "opened its return path",
        "pinged",
        "answered a ping",
        "got a pong",
        "advised",
        "prepared for postcopy",
        *["sent a page in precopy", "loaded a page in precopy"] * 4,
        "switch asked for",
        "took pages from the dirty log",
        "stopped the CPUs to switch",
        "sent the discards",
        "discarded pages",
        "sent the package",
        "read the package",
        "listens",
        "loaded the devices",
        "started the CPUs",
        "requested a page",
        "got a request",
        "served a request",
        "received a page in postcopy",
        "got a request",
        "dropped a request",
        "sent a page in the background",
        "received a page in postcopy",
        "ended postcopy",
        "came to the end",
        "sent its word that all has arrived",
        "got the word that all has arrived",
    ]


def test_a_migration_that_ends_in_precopy() -> None:
    pair = Pair()
    pair.to_precopy()
    pair.send_pages(2)
    pair.source.merge_dirty([range(0, 1)])
    pair.source.start_postcopy()
    pair.source.cpus_stopped_to_finish([range(1, 2)])
    assert pair.send_pages() == [2, 3, 0, 1]
    assert pair.deliver(pair.source.end_precopy([CPU]))[-3:] == [LoadDevice(CPU), ReleaseMemory(), StartGuest()]
    (shut,) = pair.destination.shut()
    pair.source.receive(shut)  # type: ignore[arg-type]
    assert (pair.source.phase, pair.destination.state) == (Phase.COMPLETED, State.END)
    assert pair.destination.guest_runs
    assert not pair.source.guest_may_run


def test_a_switch_at_once_discards_nothing_and_sends_everything_once() -> None:
    pair = Pair()
    pair.to_precopy()
    pair.source.start_postcopy()
    pair.source.cpus_stopped_to_switch([])
    assert pair.source.send_discards() == []
    pair.deliver(pair.source.send_package([CPU]))
    pair.outputs += pair.destination.listen()
    assert pair.send_pages() == [0, 1, 2, 3]
    pair.deliver(pair.source.end_postcopy())
    with pytest.raises(LocalProtocolError, match=r"the end waits for RUN, in LISTEN \(R9\)"):
        pair.destination.end()
    assert pair.destination.next_in_package() == [LoadDevice(CPU)]
    assert pair.destination.next_in_package() == []


def test_discards_come_in_twelves_and_stay_within_blocks() -> None:
    pair = Pair(small(30))
    pair.to_switch([range(n, n + 1) for n in range(0, 28, 2)] + [range(28, 30)])
    first, second, high = pair.source.send_discards()
    assert isinstance(first, Discard)
    assert len(first.ranges) == 12
    assert second == Discard("low", ((24 * PAGE, PAGE), (26 * PAGE, PAGE), (28 * PAGE, PAGE)))
    assert high == Discard("high", ((0, PAGE),))


@unhurried
@given(sent=st.integers(0, 2**48 - 1), dirty=st.integers(0, 2**48 - 1), group=st.sampled_from([1, 2, 4]))
def test_the_discard_commands_are_those_that_are_proved(sent: int, dirty: int, group: int) -> None:
    geometry = Geometry([Block("ram", 48 * PAGE)], PAGE, group * PAGE)
    source = Pair(geometry).source
    source.phase, source.switch_asked = Phase.PRECOPY, True
    source.sent.assign(sent)
    source.dirty.assign(dirty)
    source.cpus_stopped_to_switch([])
    bits = Bitmaps(48, group)
    discard, left = bits.switch(sent, dirty)
    expected = [[(first * PAGE, count * PAGE) for first, count in command] for command in bits.commands(discard)]
    assert [list(command.ranges) for command in source.send_discards() if isinstance(command, Discard)] == expected
    assert int(source.dirty) == left


def several(pair: Pair, pages: range) -> Pages:
    data = b"".join(bytes([n + 1]) * PAGE for n in pages)
    return Pages(*pair.geometry.locate(pages.start), len(pages), PAGE, data)


@unhurried
@given(most=st.lists(st.integers(1, 9), min_size=1), dirtied=st.sets(st.integers(0, 28)), asked=st.integers(0, 28))
def test_several_pages_at_once_are_the_steps_of_single_ones(most: list[int], dirtied: set[int], asked: int) -> None:
    at_once, one_by_one = Pair(small(30)), Pair(small(30))
    for pair in (at_once, one_by_one):
        pair.to_postcopy([range(n, n + 1) for n in sorted(dirtied)])
        pair.source.receive(Request("low", asked * PAGE, PAGE))
    for n in itertools.cycle(most):
        pages = at_once.source.next_pages(n)
        if not pages:
            break
        at_once.deliver([several(at_once, pages)])
    one_by_one.send_pages()
    steps = [[step for record in pair.log for step in record.steps] for pair in (at_once, one_by_one)]
    for host in ("source", "destination"):
        assert [r for r in steps[0] if r.host == host] == [r for r in steps[1] if r.host == host]
    assert at_once.memory == one_by_one.memory
    assert snapshot(at_once.source) == snapshot(one_by_one.source)
    assert snapshot(at_once.destination) == snapshot(one_by_one.destination)


def test_in_precopy_too() -> None:
    pair = Pair(small(6))
    pair.to_precopy()
    assert pair.source.next_pages(4) == range(4)
    pair.deliver([several(pair, range(4))])
    assert int(pair.destination.received) == int(pair.source.sent) == 0b1111
    assert pair.memory == {n: bytes([n + 1]) * PAGE for n in range(4)}


def test_host_pages_of_several_pages_come_at_once_when_they_are_whole() -> None:
    pair = Pair(small(8, group=2))
    pair.to_postcopy([range(0, 6)])
    assert [pair.source.next_pages(9) for _ in range(2)] == [range(0, 1), range(1, 2)]
    data = several(pair, range(4)).data
    assert pair.deliver([several(pair, range(4))]) == [PlacePages(range(4), data)]
    before = snapshot(pair.destination)
    with pytest.raises(LocalProtocolError, match=r"if they are whole host pages \(R21\)"):
        pair.deliver([several(pair, range(4, 5))])
    assert snapshot(pair.destination) == before


def test_a_host_page_goes_out_and_comes_in_whole() -> None:
    pair = Pair(small(8, group=4))
    pair.to_precopy()
    pair.send_pages(2)
    pair.source.start_postcopy()
    pair.source.cpus_stopped_to_switch([])
    assert pair.source.discards == (range(0, 4),)
    pair.deliver(pair.source.send_discards())
    pair.deliver(pair.source.send_package([]))
    pair.destination.listen()
    assert pair.destination.fault(6) == [Request("high", 0, 4 * PAGE)]
    pair.source.receive(Request("high", 0, 4 * PAGE))
    assert pair.source.requests == (4,)
    assert pair.send_pages(1) == [4]
    assert (pair.source.rest_of_host_page, tuple(pair.destination.assembly)) == ((5, 6, 7), (4,))
    pair.source.receive(Request("low", 0, 4 * PAGE))
    assert pair.send_pages(2) == [5, 6]
    assert pair.source.next_pages(5) == range(7, 8)
    (placed,) = pair.deliver([Page("high", 3 * PAGE, None)])
    assert placed == PlacePages(range(4, 8), b"".join(bytes([n]) * PAGE for n in (5, 6, 7, 0)))
    assert pair.send_pages() == [0, 1, 2, 3]


def test_a_host_page_of_zeros_is_placed_as_zeros() -> None:
    pair = Pair(small(4, group=2))
    pair.to_package([range(0, 2)])
    pair.destination.listen()
    assert [pair.deliver([Page("low", n * PAGE, None)]) for n in (1, 0)] == [[], [PlacePages(range(0, 2), None)]]


def test_a_late_wish_for_postcopy_is_harmless() -> None:
    pair = Pair()
    pair.to_precopy()
    assert pair.source.start_postcopy()
    assert pair.source.start_postcopy()
    pair.source.cpus_stopped_to_switch([])
    before = snapshot(pair.source)
    assert not pair.source.start_postcopy()
    assert snapshot(pair.source) == before


def test_a_request_after_the_last_page_is_ignored() -> None:
    pair = Pair()
    pair.to_postcopy()
    pair.deliver(pair.source.end_postcopy())
    pair.source.receive(Request("low", 0, PAGE))
    assert pair.source.requests == ()
    pair.destination.end()
    assert pair.destination.fault(0) == []
    assert pair.destination.lose("closed") == []


@pytest.mark.parametrize("handed_over", [False, True])
@pytest.mark.parametrize("how", ["lost", "refused"])
def test_a_failure_gives_the_guest_back_only_before_the_package(handed_over: bool, how: str) -> None:
    pair = Pair()
    (pair.to_package if handed_over else pair.to_switch)([range(0, 2)])
    if how == "lost":
        pair.source.lose("closed")
    else:
        pair.source.receive(Shut(1))
    assert (pair.source.phase, pair.source.guest_may_run) == (Phase.FAILED, not handed_over)
    assert pair.source.over
    before = snapshot(pair.source)
    pair.source.lose("again")
    assert snapshot(pair.source) == before


def test_cancelling_gives_the_guest_back() -> None:
    pair = Pair()
    pair.to_switch()
    pair.source.cancel()
    assert (pair.source.phase, pair.source.guest_may_run) == (Phase.CANCELLED, True)


@pytest.mark.parametrize("to", [Pair.to_precopy, Pair.to_postcopy])
def test_the_destination_gives_the_guest_up(to: Callable[[Pair], None]) -> None:
    pair = Pair()
    to(pair)
    assert pair.destination.lose("closed") == [GiveUpGuest()]
    assert (pair.destination.state, pair.destination.guest_runs) == (State.FAILED, False)


@pytest.mark.parametrize(
    ("here", "why"),
    [({"capability": False}, "postcopy is not switched on here"), ({"host_support": False}, "this host cannot")],
)
def test_a_destination_that_cannot_do_postcopy_says_so(here: dict[str, Any], why: str) -> None:
    pair = Pair(**here)
    pair.source.start()
    for step in (pair.source.open, pair.source.ping):
        pair.deliver(step())
    assert pair.deliver(pair.source.advise()[:1]) == [Shut(1), GiveUpGuest()]
    assert why in pair.log[-1].why
    pair.source.receive(Shut(1))
    assert pair.source.guest_may_run


def test_without_the_capability_nothing_is_advised() -> None:
    source = SourceCore(small(), capability=False)
    source.start()
    source.open()
    source.ping()
    assert not any(isinstance(m, Advise) for m in source.advise())
    with pytest.raises(LocalProtocolError, match="not switched on"):
        source.start_postcopy()


# -- what is refused of this side -----------------------------------------------------------------------------------

Do = Callable[[Pair], Any]


def stay(_: Pair) -> None:
    pass


def opened(pair: Pair) -> None:
    pair.source.start()
    pair.deliver(pair.source.open())


def pinged(pair: Pair) -> None:
    opened(pair)
    pair.source.ping()


def unsized(pair: Pair) -> None:
    opened(pair)
    pair.deliver(pair.source.ping())
    pair.deliver(pair.source.advise()[:1])


def finishing(pair: Pair) -> None:
    pair.to_precopy()
    pair.source.cpus_stopped_to_finish([])


def listening(pair: Pair) -> None:
    pair.to_package()
    pair.destination.listen()


def ended(pair: Pair) -> None:
    pair.to_postcopy()
    pair.deliver(pair.source.end_postcopy())


def completed(pair: Pair) -> None:
    pair.to_postcopy()
    pair.to_end()


LOCAL: list[tuple[Do, Do, str]] = [
    (
        stay,
        lambda p: p.source.open(),
        "'opened the return path' is no step in IDLE: the stream is opened once, first (R19)",
    ),
    (stay, lambda p: p.source.next_pages(), "no pages are sent in IDLE (R13)"),
    (stay, lambda p: p.source.cancel(), "'cancelled' is no step in IDLE: it would not bring the guest back (R27)"),
    (stay, lambda p: p.source.start_postcopy(), "in IDLE: the migration has not been started (R2)"),
    (stay, lambda p: p.source.lose(""), "'lost the connection' is no step in IDLE: there is no connection"),
    (Pair.to_precopy, lambda p: p.source.start(), "'started' is no step in PRECOPY: a migration is started once"),
    (Pair.to_precopy, lambda p: p.source.ping(), "in PRECOPY: the ping follows the opening (R19)"),
    (Pair.to_precopy, lambda p: p.source.advise(), "in PRECOPY: ADVISE follows the ping (R1)"),
    (Pair.to_precopy, lambda p: p.source.cpus_stopped_to_switch([]), "the operator has not asked for postcopy (R2)"),
    (
        Pair.to_precopy,
        lambda p: p.source.send_discards(),
        "'sent the discards' is no step in PRECOPY: the CPUs stop before (R11)",
    ),
    (
        Pair.to_precopy,
        lambda p: p.source.end_precopy([]),
        "'ended precopy' is no step in PRECOPY: the CPUs stop before (R2)",
    ),
    (Pair.to_precopy, lambda p: p.destination.listen(), "the main thread is at STREAM: LISTEN is the package's first"),
    (Pair.to_precopy, lambda p: p.destination.receive_listening(Eof()), "there is no listen thread in ADVISE (R8)"),
    (Pair.to_precopy, lambda p: p.destination.fault(0), "memory is not sensitive in ADVISE (R16)"),
    (Pair.to_precopy, lambda p: p.destination.shut(), "there is no SHUT to send in ADVISE (R24)"),
    (Pair.to_switch, lambda p: p.source.send_package([]), "in SWITCHING: it follows the discards (R4)"),
    (
        Pair.to_switch,
        lambda p: p.source.merge_dirty([range(1)]),
        "in SWITCHING: the dirty log is read in precopy only (R10)",
    ),
    (Pair.to_switch, lambda p: p.source.next_pages(), "no pages are sent in SWITCHING (R13)"),
    (Pair.to_switch, lambda p: p.source.cpus_stopped_to_finish([]), "in SWITCHING: it follows precopy (R2)"),
    (Pair.to_switch, lambda p: p.source.end_postcopy(), "in SWITCHING: it follows postcopy (R24)"),
    (
        Pair.to_package,
        lambda p: p.source.cancel(),
        "in POSTCOPY: it would not bring the guest back (R27)",
    ),
    (Pair.to_package, lambda p: p.source.send_package([]), "in POSTCOPY: it follows the discards (R4)"),
    (
        Pair.to_package,
        lambda p: p.destination.receive(Ping(1)),
        "at PACKAGE and reads no stream (R20)",
    ),
    (
        Pair.to_package,
        lambda p: p.destination.run(),
        "at PACKAGE: RUN is the package's last command (R7)",
    ),
    (
        Pair.to_package,
        lambda p: p.destination.next_in_package(),
        "devices come between LISTEN and RUN (R7)",
    ),
    (listening, lambda p: p.destination.devices_loaded(), "1 devices are still to be loaded (R7)"),
    (Pair.to_postcopy, lambda p: p.destination.end(), "the end of the stream has not been read (R24)"),
    (Pair.to_postcopy, lambda p: p.destination.run(), "the main thread is at LEFT"),
    (completed, lambda p: p.destination.shut(), "SHUT is sent once (R24)"),
    (Pair.to_postcopy, lambda p: p.destination.receive(Eof()), "the main thread is at LEFT and reads no stream (R20)"),
    (lambda p: p.to_postcopy([range(1)]), lambda p: p.source.end_postcopy(), "1 pages and 0 requests are still"),
    (finishing, lambda p: p.source.end_precopy([]), "4 pages are still to be sent (R24)"),
]


@pytest.mark.parametrize(("until", "then", "why"), LOCAL, ids=[w for _, _, w in LOCAL])
def test_what_this_side_may_not_do_now(until: Do, then: Do, why: str) -> None:
    pair = Pair()
    until(pair)
    before = snapshot(pair.source), snapshot(pair.destination), len(pair.log)
    with pytest.raises(LocalProtocolError) as error:
        then(pair)
    assert why in str(error.value)
    assert (snapshot(pair.source), snapshot(pair.destination), len(pair.log)) == before


# -- what is refused of the other side ------------------------------------------------------------------------------


SIZES = small().blocks

QEMUS = (AskBitmap("low"), Resume(), TargetPageBits(12), Capabilities(()), Uuid(bytes(16)), MultifdFlush())

REMOTE: list[tuple[Do, StreamMessage, str]] = [
    (stay, Ping(1), "Ping comes before the configuration"),
    (stay, Configuration("pc"), "the machine is pc there and postcopy-engine here"),
    (opened, Configuration("pc"), "a second configuration"),
    (opened, Advise(4096, 4096), "4096 and 4096 bytes there, 1024 and 1024 here (R21)"),
    (opened, Page("low", 0, None), "a page comes before the sizes of memory"),
    (opened, RamSize((Block("low", PAGE),)), "memory is low of 1024 bytes there and low of 3072 bytes, high of 1024"),
    (opened, packaged(Listen(), Run()), "PACKAGED comes in NONE (R4)"),
    (opened, Discard("low", ((0, PAGE),)), "DISCARD comes in NONE (R11)"),
    (unsized, packaged(Listen(), Run()), "PACKAGED comes before the sizes of memory (R4)"),
    (Pair.to_precopy, RamSize(SIZES), "the sizes of memory come a second time"),
    (Pair.to_precopy, Advise(PAGE, PAGE), "ADVISE comes in ADVISE (R9)"),
    (Pair.to_precopy, Listen(), "LISTEN comes outside of the package (R4)"),
    (Pair.to_precopy, Run(), "RUN comes outside of the package (R4)"),
    (Pair.to_precopy, Page("high", PAGE, None), "block high has no page at 0x400"),
    (Pair.to_precopy, Page("other", 0, None), "there is no block other"),
    (Pair.to_precopy, Page("low", 1, None), "block low has no page at 0x1"),
    (Pair.to_precopy, Page("low", 0, b"short"), "1 page of 5 bytes: a page has 1024 (R21)"),
    (Pair.to_precopy, Discard("low", ((0, 9 * PAGE),)), "block low: 0x0 and 9216 bytes are no whole host pages of it"),
    (Pair.to_precopy, Discard("low", ((0, PAGE), (0, 0))), "block low: 0x0 and 0 bytes are no whole host pages of it"),
    (Pair.to_precopy, Eof(), "the stream ends, and 4 pages have not come, page 0 the first (R24)"),
    (Pair.to_precopy, packaged(), "the package does not begin with LISTEN (R5)"),
    (Pair.to_precopy, packaged(CPU, Listen(), Run()), "the package does not begin with LISTEN (R5)"),
    (Pair.to_precopy, packaged(Listen()), "the package does not end with RUN (R7)"),
    (Pair.to_precopy, packaged(Listen(), CPU), "the package does not end with RUN (R7)"),
    (Pair.to_precopy, packaged(Listen(), Listen(), Run()), "the package has more in it than LISTEN, devices and RUN"),
    (Pair.to_precopy, Packaged(b"\x08"), "package offset 0: ends within a message, after 1 bytes of it"),
    (Pair.to_postcopy, Page("low", 0, None), "page 0 comes in postcopy although it is here (R13)"),
    (
        Pair.to_precopy,
        Pages("low", 0, 4, PAGE, None),
        "block low ends before the last of 4 pages from 0x0 on",
    ),
    (Pair.to_precopy, Pages("low", 0, 2, PAGE, bytes(PAGE)), "2 pages of 1024 bytes: a page has 1024 (R21)"),
    (Pair.to_postcopy, Discard("low", ((0, PAGE),)), "DISCARD comes in RUNNING (R11)"),
    (Pair.to_postcopy, Advise(PAGE, PAGE), "Advise comes in RUNNING (R9)"),
    (Pair.to_postcopy, packaged(Listen(), Run()), "Packaged comes in RUNNING (R9)"),
    (
        lambda p: p.to_postcopy([range(2, 4)]),
        Eof(),
        "the stream ends, and 2 pages have not come, page 2 the first (R24)",
    ),
    (ended, Page("low", 0, None), "Page comes after the end of the stream (R24)"),
    *((opened, message, f"{type(message).__name__} comes: the engine has nothing of that kind") for message in QEMUS),
    (Pair.to_postcopy, Resume(), "Resume comes in RUNNING (R9)"),
    (Pair.to_postcopy, AskBitmap("low"), "AskBitmap comes in RUNNING (R9)"),
]


@pytest.mark.parametrize(("until", "message", "why"), REMOTE, ids=[w for _, _, w in REMOTE])
def test_what_a_source_may_not_do(until: Do, message: StreamMessage, why: str) -> None:
    pair = Pair()
    until(pair)
    before = snapshot(pair.destination), len(pair.log)
    with pytest.raises(RemoteProtocolError) as error:
        pair.deliver([message])
    assert why in str(error.value)
    assert (snapshot(pair.destination), len(pair.log)) == before


def test_without_a_return_path_nothing_is_answered() -> None:
    late: list[StreamMessage] = [Ping(1), Eof(), packaged(Listen(), Run())]
    for message, what in zip(late, ["PING", "the end of the stream", "PACKAGED"], strict=True):
        pair = Pair()
        pair.source.start()
        opening = [m for m in pair.source.open() if not isinstance(m, OpenReturnPath)]
        pair.source.ping()
        pair.deliver([*opening, *pair.source.advise()])
        pair.send_pages()
        with pytest.raises(RemoteProtocolError, match=rf"{what} comes before the return path is open \(R19\)"):
            pair.destination.receive(message)
    refusing = DestinationCore(small(), capability=False)
    refusing.receive(Configuration(refusing.machine))
    with pytest.raises(RemoteProtocolError, match="ADVISE comes before the return path is open"):
        refusing.receive(Advise(PAGE, PAGE))


def test_host_pages_may_not_be_mixed() -> None:
    pair = Pair(small(4, group=2))
    pair.to_package([range(0, 4)])
    pair.destination.listen()
    pair.deliver([pair.page(0)])
    with pytest.raises(RemoteProtocolError, match=r"page 2 comes before the host page under way is whole \(R21\)"):
        pair.deliver([pair.page(2)])
    with pytest.raises(RemoteProtocolError, match=r"page 0 comes in postcopy although it is here \(R13\)"):
        pair.deliver([pair.page(0)])


REPLIES: list[tuple[Do, Any, str]] = [
    (stay, Pong(1), "Pong comes in IDLE (R19)"),
    (Pair.to_precopy, Pong(1), "PONG 1 answers no ping (R19)"),
    (opened, Pong(1), "PONG 1 answers no ping (R19)"),
    (pinged, Pong(7), "PONG 7 answers no ping (R19)"),
    (
        Pair.to_switch,
        Request("low", 0, PAGE),
        "a request comes in SWITCHING: no page can be missing yet (R16)",
    ),
    (Pair.to_package, Request("low", 0, 2 * PAGE), "a request for 2 pages, a host page is 1 (R21)"),
    (Pair.to_package, Request("low", 0, 100), "block low: 0x0 and 100 bytes are no whole host pages of it"),
    (Pair.to_package, Request("no", 0, PAGE), "there is no block no"),
    (Pair.to_package, Shut(0), "SHUT comes in POSTCOPY, not after the end of the stream (R24)"),
    (completed, Shut(0), "Shut comes in COMPLETED (R19)"),
    *(
        (Pair.to_precopy, reply, f"{name} comes{there}, and nothing asks for it (R19)")
        for reply, name, there in (
            (ReceivedBitmap("low", bytes(8)), "a bitmap", " in PRECOPY"),
            (ResumeAck(1), "RESUME_ACK", " in PRECOPY"),
            (SwitchoverAck(), "SwitchoverAck", ""),
        )
    ),
]


def test_what_tells_qemus_devices_of_the_switch_is_passed_over() -> None:
    pair = Pair()
    pair.to_precopy()
    before = snapshot(pair.destination), len(pair.log)
    assert pair.deliver([SwitchoverStart(), Description(b"{}")]) == []
    assert (snapshot(pair.destination), len(pair.log)) == before


@pytest.mark.parametrize(("until", "reply", "why"), REPLIES, ids=[w for _, _, w in REPLIES])
def test_what_a_destination_may_not_do(until: Do, reply: Any, why: str) -> None:
    pair = Pair()
    until(pair)
    before = snapshot(pair.source), len(pair.log)
    with pytest.raises(RemoteProtocolError) as error:
        pair.source.receive(reply)
    assert why in str(error.value)
    assert (snapshot(pair.source), len(pair.log)) == before


@pytest.mark.parametrize(
    ("blocks", "pages", "why"),
    [
        ([], (1024, 1024), "guest memory needs blocks"),
        ([Block("a", 1024), Block("a", 1024)], (1024, 1024), "of different names"),
        ([Block("a", 1000)], (1024, 1024), "no whole number of host pages"),
        ([Block("a", 4096)], (512, 1024), "at least 1024: 512"),
        ([Block("a", 4096)], (4096, 1024), "smaller than a target page"),
    ],
)
def test_what_is_no_guest_memory(blocks: list[Block], pages: tuple[int, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Geometry(blocks, *pages)
