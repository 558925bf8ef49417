"""Worker processes, one for each core, among which tasks are shared out."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from postcopy.prover.confirmation.worker import Said, Task

PATIENCE = 300.0
"""Seconds after which a worker is ended that does not come back. The provers' own limits end nearly all questions long
before."""

COMMAND = (sys.executable, "-m", "postcopy.prover.confirmation.worker")

Label = TypeVar("Label")


class _Worker(Generic[Label]):
    """A process, and the task that it works on."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self.label: Label | None = None
        self.since = 0.0

    def take(self, label: Label, task: Task) -> None:
        """Begin with a task."""
        self.label, self.since = label, time.monotonic()
        process = self._running()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has died: `answer` finds that out
            process.stdin.write(msgspec.json.encode(task) + b"\n")
            process.stdin.flush()

    @property
    def output(self) -> int:
        """The descriptor from which the answer can be read."""
        process = self._running()
        assert process.stdout is not None
        return process.stdout.fileno()

    def answer(self) -> Said:
        """The answer that has come; where the process has died, that there is none."""
        process = self._running()
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.endswith(b"\n"):
            return msgspec.json.decode(line, type=Said)
        self.end()
        return Said("unknown", f"the prover's process ended with {process.returncode}", time.monotonic() - self.since)

    def end(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # an interrupt at the terminal is for this process, which ends the workers
            )
        return self._process


def answers_to(
    tasks: Iterable[tuple[Label, Task]],
    workers: int = 0,
    patience: float = PATIENCE,
    command: Sequence[str] = COMMAND,
) -> Generator[tuple[Label, Said], None, None]:
    """The answers to tasks, in the order in which they come. Tasks are only taken when a worker is free.

    However this ends, by an interrupt too, all worker processes are ended with it.

    Args:
        tasks: each with a label of the caller's.
        workers: how many processes; 0 for one for each core.
        patience: seconds after which a worker is ended that does not come back.
        command: what is started as a worker; for tests.
    """
    free: list[_Worker[Label]] = [_Worker(command) for _ in range(workers or os.cpu_count() or 1)]
    everyone, waiting = tuple(free), iter(tasks)
    with selectors.DefaultSelector() as busy:
        try:
            while True:
                while free and (task := next(waiting, None)) is not None:
                    worker = free.pop()
                    worker.take(*task)
                    busy.register(worker.output, selectors.EVENT_READ, worker)
                if not busy.get_map():
                    return
                yield from _finished(busy, free, patience)
        finally:
            for worker in everyone:
                worker.end()


def _finished(
    busy: selectors.BaseSelector, free: list[_Worker[Label]], patience: float
) -> Iterator[tuple[Label, Said]]:
    """Wait until a worker has an answer, or has taken too long for it."""
    ready = {key.fd for key, _ in busy.select(min(1.0, patience))}
    for key in list(busy.get_map().values()):
        worker: _Worker[Label] = key.data
        late = time.monotonic() - worker.since > patience
        if key.fd in ready or late:
            busy.unregister(key.fd)
            if key.fd in ready:
                said = worker.answer()
            else:
                worker.end()
                said = Said("unknown", f"no answer within {patience:g} s", patience)
            assert worker.label is not None
            free.append(worker)
            yield worker.label, said
