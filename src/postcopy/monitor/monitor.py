"""The monitor: a proxy and the judges of what passes through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from postcopy.monitor.addresses import Address
from postcopy.monitor.compiled import Compiled
from postcopy.monitor.decoding import Direction, Migrations
from postcopy.monitor.judge import Alarm, Judge, Status, Verdict
from postcopy.monitor.proxy import Proxy, Receiver

MIB = 1 << 20
RECENT = 60
"""So many of the last rates are kept."""


class Live(msgspec.Struct, frozen=True):
    """What a monitor shows while it runs.

    Attributes:
        migration: which migration this is, from 1: after one that has failed, another can come.
        status: where it stands.
        connections: how many connections have been made.
        passed: how many bytes have passed.
        rate: MiB/s, of late.
        rates: the last rates, oldest first.
        seconds: since the first connection.
        cannot_connect: why the last connection to the destination failed; empty where it did not.
    """

    migration: int
    status: Status
    connections: int
    passed: int
    rate: float
    rates: tuple[float, ...]
    seconds: float
    cannot_connect: str


@dataclass(frozen=True)
class Ended:
    """The verdict of a monitor.

    Attributes:
        verdict: refuted if one of the migrations is; else unknown if one is; else that they conform.
        migrations: where each of them stands.
    """

    verdict: Verdict
    migrations: tuple[Status, ...]


class Monitor:
    """Passes on, decodes and judges.

    Args:
        compiled: what to judge by.
        listen: where the source connects.
        target: where the destination listens.
        stop: break all connections at the first alarm, before its bytes are passed on.
        alarmed: is called with each new alarm.
        tick: is called several times a second.

    Raises:
        UsageError: it cannot listen there.
    """

    def __init__(
        self,
        compiled: Compiled,
        listen: Address,
        target: Address,
        *,
        stop: bool = False,
        alarmed: Callable[[Alarm], None] = lambda _: None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._stop, self._alarmed, self._on_tick = stop, alarmed, tick
        self._migrations = Migrations(lambda: Judge(compiled))
        self._reported = 0
        self._rates: list[float] = []
        self._last = (time.monotonic(), 0)
        self._first = 0.0
        self.proxy = Proxy(listen, target, self._receivers, self._judged, self._tick, hold=stop)

    def serve(self) -> Ended:
        """Go on until a migration has ended and its connections are closed, or until an interrupt."""
        try:
            self.proxy.serve(self._over)
        except KeyboardInterrupt:
            pass
        finally:
            self.proxy.close()
        self._report()
        return self.ended()

    def ended(self) -> Ended:
        """The verdict on what has passed."""
        found = tuple(judge.status() for judge in self._migrations.judges)
        verdicts = {status.verdict for status in found}
        worst = next(its for its in _WORST_FIRST if its in verdicts)
        return Ended(worst, found)

    def live(self) -> Live:
        """What there is to show. May be asked by another thread."""
        rates = tuple(self._rates)
        return Live(
            migration=len(self._migrations.judges),
            status=self._migrations.current.status(),
            connections=self.proxy.connections,
            passed=self.proxy.passed,
            rate=rates[-1] if rates else 0.0,
            rates=rates,
            seconds=time.monotonic() - self._first if self._first else 0.0,
            cannot_connect=self.proxy.cannot_connect,
        )

    def _receivers(self, number: int) -> tuple[Receiver, Receiver]:
        self._first = self._first or time.monotonic()
        source, destination = (Direction(number, host, self._migrations) for host in ("source", "destination"))
        return source, destination

    def _judged(self) -> bool:
        """Report alarms as they come; whether they are to stop everything."""
        if self._migrations.current.refused:
            self._report()
            return self._stop
        return False

    def _report(self) -> None:
        alarms = [alarm for judge in self._migrations.judges for alarm in judge.alarms]
        for alarm in alarms[self._reported :]:
            self._alarmed(alarm)
        self._reported = len(alarms)

    def _over(self) -> bool:
        judge = self._migrations.current
        stopped = self._stop and judge.refused > 0
        return not self.proxy.open and (judge.over or stopped)

    def _tick(self) -> None:
        now, passed = time.monotonic(), self.proxy.passed
        self._rates = [*self._rates, (passed - self._last[1]) / MIB / (now - self._last[0])][-RECENT:]
        self._last = now, passed
        self._on_tick()


_WORST_FIRST: tuple[Verdict, ...] = ("refuted", "unknown", "conforms")


def line(live: Live) -> str:
    """Where a migration stands, in a line."""
    status = live.status
    alarms = f", {status.alarms:,} alarms" if status.alarms else ""
    if not live.connections:
        return live.cannot_connect or "waiting for a connection"
    states = ", ".join(f"{label} {count:,}" for label, count in status.by_state.items() if count)
    return f"{status.phase}: {states or 'no pages yet'}; {status.waiting:,} waiting; {live.rate:,.0f} MiB/s{alarms}"


def summary(status: Status) -> Iterator[str]:
    """The verdict on a migration for a person, a line each."""
    states = ", ".join(f"{label} {count:,}" for label, count in status.by_state.items() if count)
    size = f"{status.messages:,} messages, {status.pages:,} pages: {states or 'none'}"
    if status.verdict == "conforms":
        yield f"conforms: nothing that has passed contradicts {status.protocol} ({status.phase}; {size})"
    elif status.verdict == "unknown":
        yield f"unknown: {status.why_unknown} ({status.phase}; {size})"
    else:
        yield f"refuted: {status.alarms:,} alarms, {status.protocol} does not do what has passed ({size})"
