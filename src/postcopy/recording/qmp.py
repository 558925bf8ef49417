"""A client of QMP, QEMU's control protocol, that keeps a transcript."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from postcopy.recording.errors import RecordingError

Entry: TypeAlias = dict[str, Any]
"""A command with its answer, or an event: with a time in seconds since the epoch, and the side."""
Transcript: TypeAlias = Callable[[Entry], None]
"""Takes each entry."""

PATIENCE = 20.0
"""How long QEMU may take to answer, in seconds."""
START = 20.0
"""How long it may take to open its socket, in seconds."""


class Qmp:
    """A connection to the QMP socket of one QEMU.

    Args:
        side: the name of this QEMU in the transcript.

    Attributes:
        patience: how long QEMU may take to answer, in seconds; may be changed.

    Raises:
        RecordingError: QEMU does not open its socket in time.
    """

    def __init__(self, address: Path, side: str, transcript: Transcript) -> None:
        self.side = side
        self.patience = PATIENCE
        self._transcript = transcript
        self._socket = _connected(address, side)
        self._arrived = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._statuses: list[str] = []
        self._ended = False
        self._asked = 0
        self._lines = self._socket.makefile("rb")
        self._lines.readline()  # the greeting
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self("qmp_capabilities")
        except RecordingError:
            self.close()
            raise

    def _read(self) -> None:
        try:
            for line in self._lines:
                self._take(json.loads(line))
        except (OSError, ValueError):
            pass
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self._arrived:
            if "event" in message:
                self._transcript({"t": time.time(), "side": self.side, **_event(message)})
                if message["event"] == "MIGRATION":
                    self._statuses.append(message["data"]["status"])
            elif "id" in message:
                self._answers[message["id"]] = message
            self._arrived.notify_all()

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Give a command, and wait for its answer. An underscore in an argument's name stands for a hyphen.

        Raises:
            RecordingError: QEMU refuses it, does not answer in time, or is gone.
        """
        answer = self.ask(command, **arguments)
        if "return" not in answer:
            raise RecordingError(f"{self.side}: {command} is refused: {answer['error']}")
        return answer["return"]

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The same, but a refusal is an answer too: ``return`` or ``error`` is in it."""
        given = {name.replace("_", "-"): value for name, value in arguments.items()}
        began = time.time()
        with self._arrived:
            self._asked += 1
            number = self._asked
        answer = self._exchange({"execute": command, "arguments": given, "id": number})
        took = round(time.time() - began, 4)
        answer.pop("id", None)
        self._transcript({"t": began, "side": self.side, "command": command, "arguments": given, **answer, "s": took})
        return answer

    def _exchange(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            self._socket.sendall(json.dumps(command).encode() + b"\n")
        except OSError:
            return {"error": "QEMU is gone"}
        with self._arrived:
            self._arrived.wait_for(lambda: command["id"] in self._answers or self._ended, self.patience)
            missing = "QEMU is gone" if self._ended else f"no answer in {self.patience:.0f} s"
            return self._answers.pop(command["id"], {"error": missing})

    def status(self, *wanted: str, within: float = 60.0) -> str:
        """Wait until the migration has one of these statuses; which one.

        Raises:
            RecordingError: it does not in time, or QEMU is gone.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._last() in wanted or self._ended, within)
            if (last := self._last()) not in wanted:
                why = "QEMU is gone" if self._ended else f"{within:.0f} s have passed"
                raise RecordingError(f"{self.side}: the migration is {last}, not {' or '.join(wanted)}: {why}")
            return last

    def _last(self) -> str:
        return self._statuses[-1] if self._statuses else "not begun"

    @property
    def statuses(self) -> list[str]:
        """All statuses that the migration has had."""
        with self._arrived:
            return list(self._statuses)

    def close(self) -> None:
        """End the connection."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(5)
        self._lines.close()
        self._socket.close()


def _connected(address: Path, side: str) -> socket.socket:
    deadline = time.monotonic() + START
    while True:
        attempt = socket.socket(socket.AF_UNIX)
        try:
            attempt.connect(str(address))
            return attempt
        except OSError:
            attempt.close()
            if time.monotonic() > deadline:
                raise RecordingError(f"{side}: QEMU does not open its QMP socket in {START:.0f} s") from None
            time.sleep(0.02)


def _event(message: dict[str, Any]) -> dict[str, Any]:
    return {"event": message["event"], "data": message.get("data", {})}
