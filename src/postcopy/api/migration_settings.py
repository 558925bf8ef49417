"""How a guest of the engine is migrated: its memory, its work, times and files, and what does not go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from postcopy.api.asking import texts, times, whole_numbers
from postcopy.api.progress import Show
from postcopy.api.sizes import size_of
from postcopy.engine.memory import KINDS as MEMORIES
from postcopy.engine.memory import GuestOptions
from postcopy.engine.run import Look
from postcopy.engine.source import Phase
from postcopy.engine.source_host import AT_ONCE, FIRST_PASS, NEVER, SourceHost, SourceOptions
from postcopy.engine.workload import KINDS as WORKLOADS
from postcopy.errors import UsageError
from postcopy.report.files.file_format import FileFormat
from postcopy.suggestions import not_among
from postcopy.surface import setting

FASTEST = 1_000_000_000
"""The most touches per second that can be asked for."""

DAY = 86_400
"""The longest time that can be waited for, in seconds."""

RECOVER = 30.0
"""Seconds to try for a new connection where one is broken on purpose."""

MAY_BE_ZERO = ("settle", "recover")

LOG = FileFormat((), "an event log", begins='{"type":"postcopy-log"')


@dataclass(frozen=True, kw_only=True)
class GuestSettings:
    """A guest of the engine, and its migration.

    Attributes:
        size: bytes of memory, or an amount such as ``64M``.
        target_page: bytes of a target page: 1024, 2048 or 4096.
        memory: how faults are caught: ``userfaultfd`` or ``software``.
        vcpus: 1 or 2.
        workload: which pages the guest touches.
        rate: touches per second of each vCPU; 0 for no limit.
        seed: of the workload.
    """

    size: int | str = "64M"
    target_page: int = 4096
    memory: str = "userfaultfd"
    vcpus: int = 2
    workload: str = "random"
    rate: int = 20_000
    seed: int = 1

    def guest(self) -> GuestOptions:
        """The guest as the engine has it.

        Raises:
            UsageError: a number is out of range, or there is no such memory or workload.
        """
        whole_numbers(target_page=self.target_page, vcpus=self.vcpus, rate=self.rate, seed=self.seed)
        if self.target_page not in (1024, 2048, 4096):
            raise UsageError(f"{setting('target_page', self.target_page)}: 1024, 2048 or 4096")
        if self.vcpus not in (1, 2):
            raise UsageError(f"{setting('vcpus', self.vcpus)}: 1 or 2")
        if not 0 <= self.rate <= FASTEST:
            raise UsageError(f"{setting('rate', self.rate)}: 0 to {FASTEST:,}")
        if not -(1 << 63) <= self.seed < 1 << 63:
            raise UsageError(f"{setting('seed', self.seed)}: a number of at most 64 bits")
        for kind, name, known in (("memory", self.memory, MEMORIES), ("workload", self.workload, WORKLOADS)):
            if name not in known:
                raise UsageError(not_among(kind, name, known))
        size = size_of(str(self.size), "size", "64K", "64G", multiple=4096)
        return GuestOptions(size, self.target_page, self.memory, self.workload, self.vcpus, self.rate, 0.5, self.seed)


def switching(switch: str | float, timeout: float, recover: float = 0.0, *, preempt: bool = False) -> SourceOptions:
    """When a source switches to postcopy, and how long it waits.

    Args:
        switch: ``at-once``, ``first-pass``, ``never``, or a number of seconds.
        timeout: seconds that anything may stand still.
        recover: after a break in postcopy, seconds to try for a new connection.
        preempt: pages that are asked for have a connection of their own.

    Raises:
        UsageError: it is no such time.
    """
    when = f"{switch:g}" if isinstance(switch, int | float) else switch
    texts(switch=when)
    if when not in (AT_ONCE, FIRST_PASS, NEVER) and not re.fullmatch(r"\d+(\.\d+)?", when):
        raise UsageError(f"{setting('switch', when)}: {AT_ONCE}, {FIRST_PASS}, {NEVER}, or a number of seconds")
    if when[0].isdigit() and float(when) > DAY:
        raise UsageError(f"{setting('switch', when)}: at most {DAY:,} seconds")
    check_times(timeout=timeout, recover=recover)
    return SourceOptions(switch=when, timeout=timeout, recover=recover, preempt=preempt)


def check_times(**seconds: float) -> None:
    """Refuse times that no clock can wait for.

    Raises:
        UsageError: one is such.
    """
    times(**seconds)
    for name, value in seconds.items():
        if not 0 <= value <= DAY or (value == 0 and name not in MAY_BE_ZERO):
            more = "0" if name in MAY_BE_ZERO else "more than 0"
            raise UsageError(f"{setting(name, f'{value:g}')}: {more} to {DAY:,} seconds")


def refuse_log(log_to: Path | None, *, force: bool) -> None:
    """Refuse a file for the event log before anything begins.

    Raises:
        UsageError: it cannot be written, or is there and this package has not written it.
    """
    if log_to is not None:
        LOG.refuse(log_to, option=setting("log_to"), force=force)


def looking(progress: Show) -> Look:
    """Show how far a migration has come."""

    def look(host: SourceHost) -> None:
        core, report = host.core, host.report
        sent = (report.precopy_bytes + report.postcopy_bytes) / 2**20
        phase = core.phase.name.lower()
        if core.phase in (Phase.PRECOPY, Phase.POSTCOPY):
            phase += f", {core.dirty.count:,} pages to send"
        progress(f"{phase}; {sent:,.0f} MiB sent")

    return look


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of ``HOST:PORT``.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"\[?([^\]]+?)\]?:(\d{1,5})", text) if isinstance(text, str) else None
    if not match or int(match[2]) > 65535:
        raise UsageError(f"{text} is no HOST:PORT")
    return match[1], int(match[2])
