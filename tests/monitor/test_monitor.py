"""The monitor between two ends: every byte passes, whatever is thought of it, and the verdicts are three."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postcopy.errors import UsageError
from postcopy.monitor.addresses import Address, address
from postcopy.monitor.compiled import Compiled
from postcopy.monitor.decoding import Direction, Migrations
from postcopy.monitor.judge import Alarm, Judge
from postcopy.monitor.monitor import Ended, Monitor, line, summary
from postcopy.monitor.proxy import Proxy, Unread
from tests.engine.recordings import connections
from tests.monitor.ends import Destination, addresses, in_thread, send

PRECOPY = {its.to: its.data for its in connections("7.2-precopy")}
EOS = struct.pack(">Q", 0x10) + b"\x7e\0\0\0\x02"


def through(
    compiled: Compiled,
    kind: str,
    folder: Path,
    data: bytes,
    *,
    stop: bool = False,
    alarmed: Callable[[Alarm], None] = lambda _: None,
) -> tuple[Ended, bytes, bytes]:
    """The verdict on what a source sends, what the destination has received, and what the source was answered."""
    here, there = addresses(kind, folder)
    destination = Destination(there, PRECOPY["source"], len(data))
    monitor = Monitor(compiled, here, destination.address, stop=stop, alarmed=alarmed)
    end = time.monotonic() + 20

    def serve() -> Ended:
        monitor.proxy.serve(
            lambda: (monitor.proxy.connections > 0 and not monitor.proxy.open) or time.monotonic() > end
        )
        monitor.proxy.close()
        return monitor.ended()

    with in_thread(serve) as found:
        answered = send(monitor.proxy.address, data, len(PRECOPY["source"]))
    destination.close()
    (ended,) = found
    assert isinstance(ended, Ended)
    return ended, bytes(destination.received[0]), answered


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_migration_passes_and_conforms(compiled: Compiled, kind: str, tmp_path: Path) -> None:
    alarms: list[Alarm] = []
    ended, received, answered = through(compiled, kind, tmp_path, PRECOPY["destination"], alarmed=alarms.append)
    assert received == PRECOPY["destination"]
    assert answered == PRECOPY["source"]
    assert (ended.verdict, alarms) == ("conforms", []), ended
    assert ended.migrations[0].phase == "completed"
    assert ended.migrations[0].by_state["sent"] == ended.migrations[0].pages == 594
    assert "nothing that has passed contradicts" in "\n".join(summary(ended.migrations[0]))


def spoilt() -> bytes:
    """The recording with one page more, behind the end of memory in a block."""
    data = PRECOPY["destination"]
    at = data.index(EOS, data.index(b"pc.ram") + 100)
    return data[:at] + struct.pack(">Q", 1 << 40 | 0x02) + b"\x06pc.ram\0" + data[at:]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_an_alarm_and_every_byte_passes(compiled: Compiled, kind: str, tmp_path: Path) -> None:
    alarms: list[Alarm] = []
    ended, received, _ = through(compiled, kind, tmp_path, spoilt(), alarmed=alarms.append)
    assert received == spoilt()
    assert ended.verdict == "refuted"
    assert len(alarms) == 1
    assert "0x10000000000" in alarms[0].words
    assert "connection 0, byte" in alarms[0].place
    assert "refuted: 1 alarms" in "\n".join(summary(ended.migrations[0]))


def test_stop_cuts_before_the_message(compiled: Compiled, tmp_path: Path) -> None:
    ended, received, answered = through(compiled, "unix", tmp_path, spoilt(), stop=True)
    assert ended.verdict == "refuted"
    assert len(received) < len(spoilt())
    assert spoilt().startswith(received)
    assert answered == b""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x16\x03\x01" + random.Random(1).randbytes(9000), "TLS"),
        (PRECOPY["destination"][:2000] + random.Random(2).randbytes(9000), "offset"),
        (struct.pack(">II", 0x5145564D, 4) + bytes(100), "version 4"),
    ],
    ids=["tls", "noise", "another version"],
)
def test_what_cannot_be_read_passes_and_is_unknown(compiled: Compiled, data: bytes, why: str, tmp_path: Path) -> None:
    ended, received, _ = through(compiled, "tcp", tmp_path, data)
    assert received == data
    assert ended.verdict == "unknown"
    assert why in ended.migrations[0].why_unknown


def test_an_error_of_the_judge_costs_no_byte(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(Judge, "take", fails)
    ended, received, _ = through(compiled, "unix", tmp_path, PRECOPY["destination"])
    assert received == PRECOPY["destination"]
    assert ended.verdict == "unknown"
    assert "the monitor itself has failed: ZeroDivisionError: on purpose" in ended.migrations[0].why_unknown


def test_a_second_migration_has_a_judge_of_its_own(compiled: Compiled) -> None:
    migrations = Migrations(lambda: Judge(compiled))
    for number in range(2):
        direction = Direction(number, "source", migrations)
        data = PRECOPY["destination"][:5000]
        direction.room()[: len(data)] = data
        direction.filled(len(data))
    assert [judge.status().verdict for judge in migrations.judges] == ["conforms", "conforms"]


def test_a_large_stream_passes_a_slow_reader(tmp_path: Path) -> None:
    """More than any buffer holds: what is left over waits, and nothing is lost or swapped."""
    data = random.Random(3).randbytes(8 << 20)
    here, there = addresses("unix", tmp_path)
    destination = Destination(there, b"well received", len(data))
    proxy = Proxy(here, destination.address, lambda _: (Unread(), Unread(1 << 12)))
    with in_thread(lambda: proxy.serve(lambda: proxy.connections > 0 and not proxy.open)):
        assert send(proxy.address, data, 1) == b"well received"
    proxy.close()
    destination.close()
    assert bytes(destination.received[0]) == data
    assert proxy.passed == len(data) + len(b"well received")


def test_no_destination(compiled: Compiled, tmp_path: Path) -> None:
    monitor = Monitor(compiled, *addresses("unix", tmp_path))
    end = time.monotonic() + 10
    with in_thread(lambda: monitor.proxy.serve(lambda: bool(monitor.proxy.cannot_connect) or time.monotonic() > end)):
        assert send(monitor.proxy.address, b"hello", 1) == b""
    assert "No such file" in line(monitor.live())
    monitor.proxy.close()
    assert monitor.ended().verdict == "unknown"


def test_where_there_is_one_already(tmp_path: Path) -> None:
    here, there = addresses("unix", tmp_path)
    listener = here.listen()
    with pytest.raises(UsageError, match="cannot listen at unix:"):
        Proxy(here, there, lambda _: (Unread(), Unread()))
    listener.close()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tcp:127.0.0.1:4444", Address("127.0.0.1", 4444, "")),
        ("tcp:[::1]:80", Address("::1", 80, "")),
        ("tcp::4444", Address("0.0.0.0", 4444, "")),
        ("localhost:0", Address("localhost", 0, "")),
        ("unix:/run/here", Address("", 0, "/run/here")),
        ("/run/here", Address("", 0, "/run/here")),
    ],
)
def test_addresses(text: str, meant: Address) -> None:
    assert address(text) == meant
    assert address(str(meant)) == meant


@pytest.mark.parametrize("text", ["tcp:127.0.0.1", "tcp:host:port", "exec:cat", "tcp:host:99999", ""])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        address(text)
