"""The destination of a migration on this machine, in a process of its own.

``python -m postcopy.engine.destination_process`` takes its assignment as one argument in JSON. It writes JSON lines:
where it waits for the source, or why it cannot; then the result of the migration.
"""

from __future__ import annotations

import os
import sys
from typing import TypeAlias

import msgspec

from postcopy.engine.errors import EngineError
from postcopy.engine.memory import GuestOptions
from postcopy.engine.run import DestinationResult, Network, run_destination


class Assignment(msgspec.Struct, frozen=True):
    """What the process is to do.

    Attributes:
        guest: the guest that it takes; its workload is the source's matter.
        timeout: seconds that anything may stand still.
        settle: seconds that the guest goes on before it is checked.
        keep_log: keep the records of the event log, not only their counts.
        recover: seconds to wait for a new connection after a break in postcopy.
        preempt: there is a connection for urgent pages.
    """

    guest: GuestOptions
    timeout: float
    settle: float
    keep_log: bool
    recover: float
    preempt: bool


class Waiting(msgspec.Struct, frozen=True, tag="waiting"):
    """The process waits for the source at this port of 127.0.0.1."""

    port: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The process could not begin, or no source came."""

    why: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The migration is over."""

    result: DestinationResult


Answer: TypeAlias = Waiting | Failed | Ended
"""What the process writes, one a line."""


def main(argument: str) -> int:
    """Be the destination; returns the exit code of the process."""
    try:
        return _be_destination(argument)
    except BrokenPipeError:  # the process that would read the result is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered goes nowhere
        return 1


def _be_destination(argument: str) -> int:
    assignment = msgspec.json.decode(argument, type=Assignment)
    network = Network(timeout=assignment.timeout, recover=assignment.recover, preempt=assignment.preempt)
    try:
        result = run_destination(
            assignment.guest,
            network,
            keep_log=assignment.keep_log,
            settle=assignment.settle,
            announce=lambda _host, port: _write(Waiting(port)),
        )
    except EngineError as error:
        _write(Failed(str(error)))
        return 1
    _write(Ended(result))
    return 0


def _write(answer: Answer) -> None:
    print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
