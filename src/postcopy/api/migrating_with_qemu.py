"""`take_from_qemu` and `give_to_qemu`: the other side is a QEMU, and the guest is kept in a file between the two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from postcopy.api.asking import functions, path_of, path_or_none
from postcopy.api.migration_settings import check_times, host_and_port, looking, refuse_log, switching
from postcopy.api.progress import Show, silent
from postcopy.api.text_result import LinesResult
from postcopy.engine.errors import EngineError
from postcopy.engine.eventlog import head, write_log
from postcopy.engine.kept_file import read_kept, write_kept
from postcopy.engine.report import Latency, latency
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import About, about, run_from_qemu, run_to_qemu
from postcopy.engine.source import NO_DESCRIPTION
from postcopy.engine.source_host import AT_ONCE
from postcopy.report.files.file_format import FileFormat
from postcopy.surface import setting

KEPT = FileFormat((), "a guest in QEMU's format", comment=NO_DESCRIPTION.json.decode().rstrip())


class Taken(msgspec.Struct, frozen=True):
    """What a destination says with ``--json``.

    Attributes:
        guest: None where it has not come.
        kept: the file; empty where the guest has not come, or could not be written.
    """

    outcome: str
    why: str
    guest: About | None
    kept: str
    requests: int
    latency: Latency | None


class Given(msgspec.Struct, frozen=True):
    """What a source says with ``--json``.

    Attributes:
        guest: the guest that was to be given away.
        kept: the file has it still, and no QEMU.
    """

    outcome: str
    why: str
    guest: About
    kept: bool
    precopy_bytes: int
    postcopy_bytes: int
    requests: int


class _ByQemu(LinesResult):
    """A guest that was to come from a QEMU, or to go to one."""

    _command = "run"

    @property
    def sentence(self) -> str:
        """How the migration ended, and where the guest is."""
        return self.lines[0]


@dataclass(frozen=True, repr=False)
class TakeResult(_ByQemu):
    """A guest that was to come from a QEMU.

    Attributes:
        name: the file.
        found: all that ``--json`` prints.
        source_has_it: the guest goes on at the QEMU.
    """

    name: str
    found: Taken
    source_has_it: bool

    @property
    def verdict(self) -> str:
        """``completed``: the file has the guest; ``failed``: the QEMU has it; ``lost``."""
        return "completed" if self.found.kept else "failed" if self.source_has_it else "lost"

    @property
    def lines(self) -> list[str]:
        """What the terminal says of it."""
        return _taken(self.found, self.source_has_it)

    @property
    def record(self) -> Taken:
        """All that ``--json`` prints."""
        return self.found

    def __bool__(self) -> bool:
        """True: the file has the guest. False: it is lost.

        Raises:
            UndecidedError: it goes on at the QEMU.
        """
        if self.verdict == "failed":
            raise self._undecided(self.sentence)
        return self.verdict == "completed"


@dataclass(frozen=True, repr=False)
class GiveResult(_ByQemu):
    """A guest that was to be given to a QEMU.

    Attributes:
        name: the file.
        found: all that ``--json`` prints.
    """

    name: str
    found: Given

    @property
    def verdict(self) -> str:
        """``completed``: the QEMU has the guest; ``failed``: the file has it still; ``lost``: that is not known."""
        if self.found.outcome == "completed":
            return "completed"
        return "failed" if self.found.kept else "lost"

    @property
    def lines(self) -> list[str]:
        """What the terminal says of it."""
        return _given(self.found, self.name)

    @property
    def record(self) -> Given:
        """All that ``--json`` prints."""
        return self.found

    def __bool__(self) -> bool:
        """True: the QEMU has the guest. False: nothing is known of it.

        Raises:
            UndecidedError: the file has it still.
        """
        if self.verdict == "failed":
            raise self._undecided(self.sentence)
        return self.verdict == "completed"


def take_from_qemu(
    keep: str | Path,
    listen: str = "127.0.0.1:0",
    *,
    timeout: float = 30.0,
    patience: float = 60.0,
    recover: float = 0.0,
    preempt: bool = False,
    tls: str | Path | None = None,
    insecure: bool = False,
    log_to: str | Path | None = None,
    force: bool = False,
    announce: Show = silent,
) -> TakeResult:
    """Wait for a QEMU that migrates its guest, and keep the guest in a file.

    Args:
        keep: the file, in QEMU's format.
        listen: where to wait, as ``HOST:PORT``; port 0 for any that is free.
        timeout: seconds that anything may stand still.
        patience: seconds to wait for the QEMU.
        recover: after a break in postcopy, seconds to wait for a new connection; 0: the migration fails.
        preempt: pages that are asked for have a connection of their own; the QEMU needs its capability
            postcopy-preempt.
        tls: directory with ca.pem, cert.pem and key.pem.
        insecure: cross a network in the clear.
        log_to: file for the event log.
        force: replace files that this package has not written.
        announce: is called with ``waiting on HOST:PORT`` once it waits.

    Raises:
        UsageError: a number is out of range, or a file cannot be written.
        PostcopyError: no QEMU connected, or it began with something that the engine cannot take.
    """
    functions(announce=announce)
    host, port = host_and_port(listen)
    file, log = path_of("keep", keep), path_or_none("log_to", log_to)
    refuse_log(log, force=force)
    check_times(timeout=timeout, patience=patience, recover=recover)
    KEPT.refuse(file, option=setting("keep"), force=force)
    network = Network(host, port, path_or_none("tls", tls), insecure, timeout, patience, recover, preempt)
    found = run_from_qemu(
        network, keep_log=log is not None, announce=lambda at, port: announce(f"waiting on {at}:{port}")
    )
    report, guest = found.report, found.guest
    why, kept = report.why, ""
    if guest is not None:
        try:
            write_kept(file, guest)
            kept = str(file)
        except EngineError as error:
            why = f"{error}. The QEMU that it came from has stopped the guest, and can continue it (QMP: cont)"
    if log is not None:  # after the guest: a full disk may refuse the one or the other
        write_log(log, head(found.geometry), found.lines)
    known = None if guest is None else about(guest)
    times = latency(sorted(1000 * t for t in report.latencies))
    taken = Taken(report.outcome, why, known, kept, report.requests, times)
    return TakeResult(str(file), taken, found.source_has_it)


def _taken(taken: Taken, source_has_it: bool) -> list[str]:
    said = f"migration {taken.outcome}" + (f": {taken.why}" if taken.why else "")
    if taken.guest is None:
        return [f"{said}; the guest {'goes on at the source' if source_has_it else 'is lost'}"]
    lines = [f"{said}; the guest is kept in {taken.kept}" if taken.kept else said, _about(taken.guest)]
    if taken.latency is not None:
        median, most = taken.latency.median, taken.latency.most
        lines.append(
            f"requests: {taken.requests:,}, median {median:.2f} ms, most {most:.2f} ms until the page was there"
        )
    return lines


def _about(guest: About) -> str:
    return (
        f"guest: {guest.machine}, {guest.devices} states of devices, {guest.pages:,} pages in {guest.blocks} blocks, "
        f"digest of all pages {guest.digest}"
    )


def give_to_qemu(
    to: str,
    devices_from: str | Path,
    *,
    switch: str | float = AT_ONCE,
    timeout: float = 30.0,
    recover: float = 0.0,
    preempt: bool = False,
    tls: str | Path | None = None,
    insecure: bool = False,
    log_to: str | Path | None = None,
    force: bool = False,
    progress: Show = silent,
) -> GiveResult:
    """Give the guest in a file to a QEMU that waits.

    Args:
        to: the QEMU, as ``HOST:PORT``.
        devices_from: the guest, with its memory, in QEMU's format: a file of `take_from_qemu`.
        switch: to postcopy: ``at-once``, ``first-pass``, ``never``, or after so many seconds.
        timeout: seconds that anything may stand still.
        recover: after a break in postcopy, seconds to try for a new connection; 0: the migration fails.
        preempt: pages that are asked for have a connection of their own; the QEMU needs its capability
            postcopy-preempt.
        tls: directory with ca.pem, cert.pem and key.pem.
        insecure: cross a network in the clear.
        log_to: file for the event log.
        force: replace a file that this package has not written.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: a number is out of range, or the file for the log cannot be written.
        PostcopyError: the file is no such guest, or the migration could not begin.
    """
    functions(progress=progress)
    host, port = host_and_port(to)
    file, log = path_of("devices_from", devices_from), path_or_none("log_to", log_to)
    refuse_log(log, force=force)
    options = switching(switch, timeout, recover, preempt=preempt)
    network = Network(host, port, path_or_none("tls", tls), insecure, timeout)
    guest = read_kept(file)
    found = run_to_qemu(guest, options, network, keep_log=log is not None, look=looking(progress))
    report = found.report
    if log is not None:
        write_log(log, head(guest.geometry), found.lines)
    requests = report.counts.get("got a request", 0)
    given = Given(
        *(report.outcome, report.why, about(guest), found.kept),
        *(report.precopy_bytes, report.postcopy_bytes, requests),
    )
    return GiveResult(str(file), given)


def _given(given: Given, file: str) -> list[str]:
    said = f"migration {given.outcome}" + (f": {given.why}" if given.why else "")
    if given.outcome == "completed":
        where = "the QEMU has the guest"
    elif given.kept:
        where = f"the guest is still in {file}, and in no QEMU"
    else:
        where = f"the QEMU may have run the guest: do not give {file} to another before you know"
    sent = (given.precopy_bytes + given.postcopy_bytes) / 2**20
    return [f"{said}; {where}", _about(given.guest), f"sent: {sent:,.1f} MiB, {given.requests:,} requests"]
