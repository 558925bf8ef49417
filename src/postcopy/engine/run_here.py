"""A whole run on this machine: the source in this process, the destination in one of its own, TCP between them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

import msgspec

from postcopy.engine.destination_process import Answer, Assignment, Ended, Failed, Waiting
from postcopy.engine.errors import EngineError
from postcopy.engine.eventlog import head, write_log
from postcopy.engine.memory import GuestOptions
from postcopy.engine.run import DestinationResult, Look, Network, SourceResult, run_source
from postcopy.engine.source_host import SourceOptions
from postcopy.engine.uffd import require_linux


class Run(msgspec.Struct):
    """A migration from this process to another one on this machine.

    Attributes:
        destination: None where the destination's process did not come to its end.
    """

    guest: GuestOptions
    source: SourceResult
    destination: DestinationResult | None


def run_here(
    guest_options: GuestOptions,
    options: SourceOptions,
    *,
    log_to: Path | None,
    keep_log: bool,
    settle: float = 0.5,
    look: Look = lambda _: None,
) -> Run:
    """Start a destination in a process of its own, and migrate a guest to it over TCP.

    Raises:
        EngineError: it could not begin.
    """
    require_linux()  # before a destination waits for a source that will not come
    assignment = Assignment(guest_options, options.timeout, settle, keep_log, options.recover, options.preempt)
    with _destination_process(assignment) as process:
        assert process.stdout is not None
        first = _line(process.stdout)
        if not isinstance(first, Waiting):
            raise EngineError(first.why if isinstance(first, Failed) else "the destination ended before it began")
        network = Network(port=first.port, timeout=options.timeout)
        source = run_source(guest_options, options, network, keep_log=keep_log, look=look)
        last = _line(process.stdout)
        destination = last.result if isinstance(last, Ended) else None
        process.wait()
    if log_to is not None:
        lines = sorted([*source.lines, *(destination.lines if destination else [])], key=lambda line: line.t)
        write_log(log_to, head(guest_options.geometry()), lines)
    return Run(guest_options, source, destination)


def _destination_process(assignment: Assignment) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "postcopy.engine.destination_process", msgspec.json.encode(assignment).decode()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # an interrupt at the terminal is for the source to act on
    )


def _line(stream: IO[bytes]) -> Answer:
    line = stream.readline()
    return msgspec.json.decode(line, type=Answer) if line else Failed("the destination's process has died")
