"""Run the questions of a suite: each in a process of its own, several at a time, within time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from postcopy.suites.entries import Entry, Found, Kind

GRACE = 60.0
"""Seconds after its time in which a check may end by itself, with what it has found; then its process is killed."""

_PAUSE = 0.02


class _Process:
    """A question that is being answered."""

    def __init__(self, entry: Entry, page: Path | None, folder: Path) -> None:
        self.entry = entry
        self._began = time.monotonic()
        self._reply, self._said = folder / "reply", folder / "said"
        arguments = [sys.executable, "-m", "postcopy.suites.worker", *([str(page)] if page is not None else [])]
        with self._reply.open("wb") as reply, self._said.open("wb") as said:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=reply, stderr=said, start_new_session=True
            )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(entry))
            self._process.stdin.close()

    def found(self) -> Found | None:
        """What came of it, once it has come to its end; None before."""
        seconds = time.monotonic() - self._began
        grace = 0.0 if self.entry.kind is Kind.PROVE else GRACE
        if self._process.poll() is None:
            if seconds < self.entry.seconds + grace:
                return None
            self.kill()
            why = f"inconclusive: {self.entry.seconds:g} seconds were over"
            return Found(verdict="inconclusive", sentence=why, seconds=round(seconds, 3))
        try:
            return msgspec.json.decode(self._reply.read_bytes(), type=Found)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Found(verdict="error", sentence=self._why_it_died(), seconds=round(seconds, 3))

    def _why_it_died(self) -> str:
        code = self._process.returncode
        last = self._said.read_text(errors="replace").strip().splitlines()[-1:]
        by = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
        return f"its process ended with {by}{': ' + last[0] if last else ''}"

    def kill(self) -> None:
        """End it, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def run(
    entries: Sequence[Entry],
    jobs: int,
    max_memory: int,
    done: Callable[[Entry, Found], None],
    page_of: Callable[[Entry], Path | None] = lambda _: None,
) -> None:
    """Answer questions. However this ends, no process stays behind.

    Args:
        entries: the questions; none may take more than all together may.
        jobs: how many at the same time, at most.
        max_memory: bytes that the states of all may take that run at the same time.
        done: is called with each answer as it comes.
        page_of: where the page of a question goes, if anywhere.
    """
    waiting, running = list(entries), list[_Process]()
    texts = tempfile.TemporaryDirectory(prefix="postcopy-suite-", ignore_cleanup_errors=True)
    try:
        while waiting or running:
            for entry in list(waiting):
                taken = sum(each.entry.max_memory for each in running)
                if len(running) < jobs and taken + entry.max_memory <= max_memory:
                    waiting.remove(entry)
                    running.append(_Process(entry, page_of(entry), Path(tempfile.mkdtemp(dir=texts.name))))
            for process in list(running):
                found = process.found()
                if found is not None:
                    running.remove(process)
                    done(process.entry, found)
            time.sleep(_PAUSE)
    finally:
        for process in running:
            process.kill()
        texts.cleanup()
