"""`monitor_migration`: stand between two QEMUs, pass on what they send, and judge it as it passes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import FrameType

from rich.console import Console

from postcopy.api.asking import ProtocolLike, functions, load, texts, unless_none, whole_numbers
from postcopy.api.progress import Show, silent
from postcopy.api.text_result import TextResult
from postcopy.catalogue.loading import by_name
from postcopy.monitor.addresses import address
from postcopy.monitor.compiled import Compiled, compile_monitor
from postcopy.monitor.judge import Alarm, Status, tell
from postcopy.monitor.monitor import Ended, Monitor, line, summary
from postcopy.report.pages.monitoring import Monitoring
from postcopy.report.pages.serving import Server

DEFAULT = ("whole-bitmap-discard+recovery", "whole-bitmap-discard+recovery-with-preempt")
"""The document's protocol with what QEMU has changed on the wire, without and with preempt: it may do either."""


@dataclass(frozen=True, repr=False)
class MonitorResult(TextResult):
    """The verdict on what has passed between two QEMUs.

    Attributes:
        name: the protocol that it was held against.
        found: the verdict, and where each migration stands.
        alarms: the alarms as they came.
    """

    _command = "monitor"

    name: str
    found: Ended
    alarms: tuple[Alarm, ...]

    @property
    def verdict(self) -> str:
        """``conforms``: nothing that has passed contradicts the protocol; ``refuted``; or ``unknown``."""
        return self.found.verdict

    @property
    def lines(self) -> list[str]:
        """The verdict on each migration."""
        return [said for status in self.found.migrations for said in summary(status)]

    @property
    def sentence(self) -> str:
        """The verdict on the last migration."""
        return self.lines[-1]

    @property
    def record(self) -> tuple[Status, ...]:
        """Where each migration stands."""
        return self.found.migrations

    def print_to(self, console: Console) -> None:
        """Print the alarms and the verdict."""
        said = [told for alarm in self.alarms for told in tell(alarm)]
        console.print("\n".join([*said, *self.lines]), markup=False, soft_wrap=True)

    def __bool__(self) -> bool:
        """False: something has passed that the protocol does not have. It is never True: what has not passed was not
        judged.

        Raises:
            UndecidedError: nothing contradicts the protocol, or that is not known.
        """
        if self.verdict != "refuted":
            raise self._undecided(self.sentence)
        return False


def compiled_for(against: ProtocolLike | None) -> Compiled:
    """What to judge by: the automata of a protocol, or of the usual ones.

    Args:
        against: the protocol; None for the usual ones.
    """
    if against is None:
        return compile_monitor("what QEMU does", [by_name(name) for name in DEFAULT])
    name, protocol = load(against)
    return compile_monitor(name, [protocol])


def monitor_migration(
    listen: str,
    to: str,
    *,
    against: ProtocolLike | None = None,
    stop: bool = False,
    web: int | None = None,
    announce: Show = silent,
    alarmed: Callable[[Alarm], None] = lambda _: None,
    progress: Show = silent,
) -> MonitorResult:
    """Stand between two QEMUs: pass on what they send, and judge it as it passes, until the migration has ended.

    Ctrl-C, or in the main thread the signal SIGTERM, ends it with the verdict on what has passed.

    Args:
        listen: where the source connects: ``tcp:HOST:PORT`` or ``unix:PATH``.
        to: where the destination listens.
        against: the protocol, such as ``qemu-7.2+preempt=off+disk_lock=off``; None for the document's with recovery,
            preempt and discards of the whole bitmap.
        stop: break all connections at the first alarm.
        web: port of a page on this machine; 0 for any, None for no page.
        announce: is called with a line once it listens, and once a page is shown.
        alarmed: is called with each alarm as it comes.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: an address is none, cannot be listened at, or there is no such protocol.
        SpecError: the protocol cheats or errs.
    """
    texts(listen=listen, to=to)
    here, there = address(listen), address(to)
    unless_none(whole_numbers, web=web)
    functions(announce=announce, alarmed=alarmed, progress=progress)
    progress("compiling the protocol (the first time for this protocol only)")
    compiled, alarms = compiled_for(against), list[Alarm]()

    def alarm(found: Alarm) -> None:
        alarms.append(found)
        alarmed(found)

    progress("waiting for a connection")
    with _terminates():
        monitor = Monitor(compiled, here, there, stop=stop, alarmed=alarm, tick=lambda: progress(line(monitor.live())))
        announce(f"listens at {monitor.proxy.address}, passes on to {there}")
        with closing(monitor.proxy), _pages(monitor, web, announce):
            ended = monitor.serve()
    compiled.keep()
    return MonitorResult(compiled.name, ended, tuple(alarms))


@contextmanager
def _pages(monitor: Monitor, port: int | None, announce: Show) -> Iterator[None]:
    """The web page, in a thread of its own."""
    if port is None:
        yield
        return
    with Server(Monitoring(monitor.live).answer, port) as server:
        announce(f"is shown at {server.address}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()


@contextmanager
def _terminates() -> Iterator[None]:
    """A signal to terminate is taken as Ctrl-C is: the verdict on what has passed is given. Only the main thread hears
    signals."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
