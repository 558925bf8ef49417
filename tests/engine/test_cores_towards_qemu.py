"""What the cores have for a QEMU on the other side, and refuse where there is none."""

from __future__ import annotations

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import State
from postcopy.engine.effects import LoadDevice
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.log import Step, Thread
from postcopy.engine.messages import (
    Capabilities,
    Configuration,
    Description,
    Discard,
    Eof,
    Listen,
    Packaged,
    Ping,
    Pong,
    Run,
    StreamMessage,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.parsing import read_package
from postcopy.engine.source import SourceCore
from postcopy.engine.writing import StreamWriter
from tests.engine.cores import CPU, PAGE, Pair, Phase, small, snapshot


def to_listen() -> Pair:
    """Up to LISTEN; the pong of the package is still to come."""
    pair = Pair(qemu=True)
    pair.to_package([range(2)])
    pair.destination.listen()
    return pair


def test_a_whole_migration() -> None:
    pair = Pair(qemu=True)
    pair.to_package([range(1, 4)])
    pair.destination.listen()
    assert pair.destination.package_left == 2
    assert pair.destination.next_in_package() == [LoadDevice(CPU)]
    assert pair.deliver(pair.after_package) == [Pong(4)], "before the pong of the package"
    (pong,) = pair.destination.next_in_package()
    assert pong == Pong(3)
    pair.source.receive(pong)
    assert pair.destination.next_in_package() == []
    pair.destination.devices_loaded()
    pair.destination.run()
    pair.to_end()
    assert pair.source.phase is Phase.COMPLETED
    assert pair.destination.state is State.END
    answered = [(r.thread, r.step) for r in pair.log if r.step in (Step.ANSWERED, Step.ANSWERED_LATER)]
    later = Step.ANSWERED_LATER
    assert answered == [
        (Thread.MAIN, Step.ANSWERED),
        *((Thread.MAIN, later), (Thread.LISTEN, later), (Thread.MAIN, later)),
    ]
    assert pair.memory == {page: bytes([page + 1]) * PAGE for page in range(4)}


def test_what_was_never_sent_is_discarded_too() -> None:
    for qemu, discards in (
        (True, [Discard("low", ((0, 3 * PAGE),)), Discard("high", ((0, PAGE),)), Ping(2)]),
        (False, []),
    ):
        core = SourceCore(small(), qemu=qemu)
        core.start()
        while (step := core.opening) is not None:
            step()
        core.start_postcopy()
        core.cpus_stopped_to_switch([])
        assert core.send_discards() == discards


def test_no_sent_map_is_kept() -> None:
    pair = Pair(qemu=True)
    pair.to_precopy()
    pair.send_pages()
    assert not pair.source.sent


def test_what_is_in_and_around_the_package() -> None:
    pair = Pair(qemu=True)
    pair.to_switch()
    assert pair.source.send_discards() == [Ping(2)]
    with pytest.raises(LocalProtocolError, match="PING 2 has not been answered: the QEMU may refuse the guest"):
        pair.source.send_package([CPU])
    pair.source.receive(Pong(2))
    package, after = pair.source.send_package([CPU])
    assert after == Ping(4)
    assert isinstance(package, Packaged)
    assert read_package(package.data, PAGE, opaque_devices=True) == [Listen(), CPU, Ping(3), Run()]


def test_the_end_of_precopy_is_followed_by_a_description() -> None:
    pair = Pair(qemu=True)
    pair.to_precopy()
    pair.source.cpus_stopped_to_finish([])
    pair.send_pages()
    *_, end, described = pair.source.end_precopy([CPU])
    assert (end, type(described)) == (Eof(), Description)


def test_the_configuration_goes_on_as_it_came() -> None:
    parts = (Capabilities(("x-ignore-shared",)), Uuid(bytes(range(16))), TargetPageBits(10))
    source = SourceCore(small(), machine="pc", configuration=parts, qemu=True)
    source.start()
    opening = source.open()
    assert opening[1:-1] == [Configuration("pc"), *parts]
    destination = DestinationCore(small(), machine="pc", qemu=True)
    assert [list(destination.receive(message)) for message in opening] == [[]] * len(opening)


WRONG: list[tuple[StreamMessage, str]] = [
    (Capabilities(("mapped-ram", "x-ignore-shared", "colo")), "capabilities that the engine lacks: colo, mapped-ram"),
    (TargetPageBits(12), r"target pages have 4096 bytes there, 1024 here \(R21\)"),
]


@pytest.mark.parametrize(("part", "why"), WRONG)
def test_a_configuration_that_does_not_fit(part: StreamMessage, why: str) -> None:
    core = DestinationCore(small(), machine="pc", qemu=True)
    core.receive(Configuration("pc"))
    before = snapshot(core)
    with pytest.raises(RemoteProtocolError, match=why):
        core.receive(part)
    assert snapshot(core) == before


@pytest.mark.parametrize("value", [1, 5, 66])
def test_a_pong_that_answers_no_ping(value: int) -> None:
    pair = to_listen()
    with pytest.raises(RemoteProtocolError, match=rf"PONG {value} answers no ping \(R19\)"):
        pair.source.receive(Pong(value))


def test_a_pong_comes_once() -> None:
    pair = to_listen()
    pair.source.receive(Pong(3))
    with pytest.raises(RemoteProtocolError, match="PONG 3 answers no ping"):
        pair.source.receive(Pong(3))


def test_devices_are_not_loaded_while_a_ping_waits() -> None:
    pair = to_listen()
    pair.destination.next_in_package()
    with pytest.raises(LocalProtocolError, match=r"1 devices are still to be loaded \(R7\)"):
        pair.destination.devices_loaded()


def test_without_a_qemu_no_ping_is_answered_in_the_package_or_after_it() -> None:
    package = Packaged(b"".join(StreamWriter().encode([Listen(), Ping(3), Run()])))
    pair = Pair()
    pair.to_precopy()
    with pytest.raises(RemoteProtocolError, match="more in it than LISTEN, devices and RUN"):
        pair.destination.receive(package)
    pair = Pair()
    pair.to_package()
    pair.destination.listen()
    with pytest.raises(RemoteProtocolError, match=r"Ping comes in LISTEN \(R9\)"):
        pair.deliver([Ping(4)])


def test_a_qemu_s_package_has_nothing_else_in_it() -> None:
    pair = Pair(qemu=True)
    pair.to_precopy()
    twice = Packaged(b"".join(StreamWriter(opaque_devices=True).encode([Listen(), Listen(), Run()])))
    with pytest.raises(RemoteProtocolError, match="more in it than LISTEN, devices and RUN"):
        pair.destination.receive(twice)
