"""`run_source` and `run_destination`: one side of a migration from machine to machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from postcopy.api.asking import functions, path_or_none
from postcopy.api.migration_settings import (
    GuestSettings,
    check_times,
    host_and_port,
    looking,
    refuse_log,
    switching,
)
from postcopy.api.progress import Show, silent
from postcopy.api.text_result import TextResult
from postcopy.engine import run as engine
from postcopy.engine.destination_host import DestinationReport
from postcopy.engine.eventlog import head, write_log
from postcopy.engine.run import Check, Network
from postcopy.engine.source_host import FIRST_PASS, SourceReport


@dataclass(frozen=True, repr=False)
class SideResult(TextResult):
    """One side of a migration from machine to machine.

    Attributes:
        name: ``source`` or ``destination``.
        found: what this side has counted.
        guest: the guest's check of its memory; None where the guest is not here.
    """

    _command = "run"

    name: str
    found: SourceReport | DestinationReport
    guest: Check | None

    @property
    def verdict(self) -> str:
        """``completed``; ``damaged``; ``not here``: the guest is not on this side, where it should be; or ``failed``:
        the guest goes on at the source."""
        if self.name == "source" and self.found.outcome == "completed":
            return "completed"
        if self.guest is None or self.guest.where == "lost":
            return "not here"
        if self.guest.damage:
            return "damaged"
        return "failed" if self.name == "source" else "completed"

    @property
    def sentence(self) -> str:
        """How the migration ended, and what the guest has found."""
        said = f"migration {self.found.outcome}" + (f": {self.found.why}" if self.found.why else "")
        guest = self.guest
        if guest is None:
            return f"{said}; the guest is not here"
        found = "its memory is as it wrote it" if not guest.damage else "damage: " + "; ".join(guest.damage)
        return f"{said}; the guest runs here: {guest.reads:,} reads, {guest.writes:,} writes, {found}"

    @property
    def record(self) -> SourceReport | DestinationReport:
        """All that ``--json`` prints."""
        return self.found

    def print_to(self, console: Console) -> None:
        """Print the sentence."""
        console.print(self.sentence, markup=False, soft_wrap=True)

    def __bool__(self) -> bool:
        """True: the migration is completed, as far as this side knows. False: the guest is damaged, or not here.

        Raises:
            UndecidedError: it failed, and the guest goes on at the source.
        """
        if self.verdict == "failed":
            raise self._undecided(self.sentence)
        return self.verdict == "completed"


def run_source(
    to: str,
    *,
    size: int | str = "64M",
    target_page: int = 4096,
    memory: str = "userfaultfd",
    vcpus: int = 2,
    workload: str = "random",
    rate: int = 20_000,
    seed: int = 1,
    switch: str | float = FIRST_PASS,
    timeout: float = 30.0,
    recover: float = 0.0,
    preempt: bool = False,
    tls: str | Path | None = None,
    insecure: bool = False,
    log_to: str | Path | None = None,
    force: bool = False,
    progress: Show = silent,
) -> SideResult:
    """Start a guest and migrate it to a destination that waits: `run_destination`, or ``postcopy run destination``.

    Args:
        to: the destination, as ``HOST:PORT``.
        size: guest memory, in bytes or as ``"64M"``; the same on both sides, as are target_page and vcpus.
        target_page: bytes of a target page: 1024, 2048 or 4096.
        memory: how faults are caught: ``userfaultfd`` or ``software``.
        vcpus: of the guest: 1 or 2.
        workload: which pages the guest touches, as `run` takes it.
        rate: touches per second of each vCPU; 0 for no limit.
        seed: of the workload.
        switch: to postcopy: ``at-once``, ``first-pass``, ``never``, or after so many seconds.
        timeout: seconds that anything may stand still.
        recover: after a break in postcopy, seconds to try for a new connection, at both hosts; 0: the migration fails.
        preempt: pages that are asked for have a connection of their own, at both hosts.
        tls: directory with ca.pem, cert.pem and key.pem.
        insecure: cross a network in the clear.
        log_to: file for the event log.
        force: replace a file that this package has not written.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: a number is out of range, or the file for the log cannot be written.
        PostcopyError: the migration could not begin.
    """
    functions(progress=progress)
    host, port = host_and_port(to)
    log = path_or_none("log_to", log_to)
    refuse_log(log, force=force)
    guest = GuestSettings(
        size=size, target_page=target_page, memory=memory, vcpus=vcpus, workload=workload, rate=rate, seed=seed
    ).guest()
    options = switching(switch, timeout, recover, preempt=preempt)
    network = Network(host, port, path_or_none("tls", tls), insecure, timeout)
    result = engine.run_source(guest, options, network, keep_log=log is not None, look=looking(progress))
    if log is not None:
        write_log(log, head(guest.geometry()), result.lines)
    return SideResult("source", result.report, result.guest)


def run_destination(
    listen: str = "127.0.0.1:0",
    *,
    size: int | str = "64M",
    target_page: int = 4096,
    memory: str = "userfaultfd",
    vcpus: int = 2,
    timeout: float = 30.0,
    patience: float = 60.0,
    recover: float = 0.0,
    preempt: bool = False,
    settle: float = 0.5,
    tls: str | Path | None = None,
    insecure: bool = False,
    log_to: str | Path | None = None,
    force: bool = False,
    announce: Show = silent,
) -> SideResult:
    """Wait for a source and take its guest: `run_source`, or ``postcopy run source``.

    Args:
        listen: where to wait, as ``HOST:PORT``; port 0 for any that is free.
        size: guest memory, in bytes or as ``"64M"``; the same on both sides, as are target_page and vcpus.
        target_page: bytes of a target page: 1024, 2048 or 4096.
        memory: how faults are caught: ``userfaultfd`` or ``software``.
        vcpus: of the guest: 1 or 2.
        timeout: seconds that anything may stand still.
        patience: seconds to wait for a source.
        recover: after a break in postcopy, seconds to try for a new connection, at both hosts; 0: the migration fails.
        preempt: pages that are asked for have a connection of their own, at both hosts.
        settle: seconds that the guest goes on before it is checked.
        tls: directory with ca.pem, cert.pem and key.pem.
        insecure: cross a network in the clear.
        log_to: file for the event log.
        force: replace a file that this package has not written.
        announce: is called with ``waiting on HOST:PORT`` once it waits.

    Raises:
        UsageError: a number is out of range, or the file for the log cannot be written.
        PostcopyError: the migration could not begin, or no source connected.
    """
    functions(announce=announce)
    host, port = host_and_port(listen)
    log = path_or_none("log_to", log_to)
    refuse_log(log, force=force)
    check_times(timeout=timeout, patience=patience, recover=recover, settle=settle)
    settings = GuestSettings(size=size, target_page=target_page, memory=memory, vcpus=vcpus, rate=0, seed=0)
    guest = settings.guest()
    network = Network(host, port, path_or_none("tls", tls), insecure, timeout, patience, recover, preempt)
    result = engine.run_destination(
        guest,
        network,
        keep_log=log is not None,
        settle=settle,
        announce=lambda at, port: announce(f"waiting on {at}:{port}"),
    )
    if log is not None:
        write_log(log, head(guest.geometry()), result.lines)
    return SideResult("destination", result.report, result.guest)
