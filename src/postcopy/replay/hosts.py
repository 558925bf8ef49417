"""Two QEMUs with a valve between them, set as a story has it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from postcopy.recording.errors import RecordingError
from postcopy.recording.guest import pages_in
from postcopy.recording.pair import Pair, Setting
from postcopy.replay.valve import Valve

MIB = 1 << 20
SLOW = 1 << 16
"""What the source may send in postcopy while a story has pages to send, in bytes per second."""
ANSWER = 4.0
"""How long a monitor may take to answer, in seconds."""
UNKNOWN_DEVICE = ("-device", "virtio-rng-pci")
"""A device of the source alone: the destination cannot load it."""

_REGISTER = re.compile(r"\b(E[BCD]X)=([0-9a-f]{8})")
_EXIT_ON_ERROR = (9, 1)
"""The first version with the argument exit-on-error."""
_SWITCHOVER_ACK = (8, 1)
"""The first version with the capability switchover-ack."""
_PER_DEVICE = (11, 0)
"""The first version whose newest machines wait for SWITCHOVER_ACK where a device asks for it alone."""
_OLD_MACHINE = "pc-i440fx-10.0"
"""One that always waits."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a story needs of its hosts.

    Attributes:
        source_postcopy: the source has the capability for postcopy.
        destination_postcopy: the destination has it.
        preempt: there is a connection for pages that are asked for.
        disk_lock: the guest has a disk that one host can lock.
        exit_on_error: the destination's process ends on an error.
        pause_before_switchover: the operator lets the switchover go on.
        accepts_later: the destination accepts the first connection in a step of its own.
        idle: nothing is dirty when the source stops the guest.
        precopy: the migration comes to its end in precopy.
        slow: the source has pages to send for as long as the story wants it.
        unknown_device: the destination cannot load a device.
    """

    source_postcopy: bool = True
    destination_postcopy: bool = True
    preempt: bool = False
    disk_lock: bool = False
    exit_on_error: bool = True
    pause_before_switchover: bool = False
    accepts_later: bool = False
    idle: bool = False
    precopy: bool = False
    slow: bool = False
    unknown_device: bool = False


class Position(msgspec.Struct, frozen=True):
    """Where the guest is in its work, by its registers.

    Attributes:
        passed: pages that it has written since its start.
        waited: how often it will yet pause before the next page.
    """

    passed: int
    waited: int


class Hosts(Pair):
    """Both QEMUs, started by ``with``, and ended by its end.

    Args:
        program: the QEMU, a name or a path.
        version: its version.
        wanted: how both are set.
        directory: where traces and transcripts go: a directory that is empty.
    """

    def __init__(self, program: str, version: tuple[int, ...], wanted: Wanted, directory: Path) -> None:
        limits = {"max-bandwidth": 1 << 40, "downtime-limit": 2000} if wanted.precopy else {"downtime-limit": 1}
        held_back = ("switchover-ack",) if wanted.idle and version >= _SWITCHOVER_ACK else ()
        setting = Setting(
            memory=2,
            delay=1_500_000 if wanted.idle else 300,
            capabilities=("return-path", "events", *held_back),
            parameters={"max-bandwidth": 4 * MIB, "max-postcopy-bandwidth": SLOW if wanted.slow else 0, **limits},
        )
        super().__init__(program, setting, directory)
        self.wanted, self.version, self.directory = wanted, version, directory
        self._valve: Valve | None = None
        self._read_to: dict[tuple[str, str], int] = {}

    @property
    def valve(self) -> Valve:
        """What is between them."""
        assert self._valve is not None
        return self._valve

    def _begin(self) -> None:
        if self.wanted.disk_lock:
            (self.directory / "disk").write_bytes(bytes(MIB))
        super()._begin()
        for qmp in (self.source, self.destination):
            qmp.patience = ANSWER

    def _stand_between(self, address: Path, target: Path) -> None:
        self._valve = Valve(address, target)

    def _capabilities(self, side: str) -> tuple[str, ...]:
        wanted = self.wanted
        has = wanted.source_postcopy if side == "source" else wanted.destination_postcopy
        preempt = ("postcopy-preempt",) if wanted.preempt else ()
        paused = ("pause-before-switchover",) if wanted.pause_before_switchover else ()
        return (*super()._capabilities(side), *paused, *(("postcopy-ram", *preempt) if has else ()))

    def _arguments(self, side: str) -> tuple[str, ...]:
        given = list(super()._arguments(side))
        if self.wanted.disk_lock:
            disk = f"file.driver=file,file.filename={self.directory / 'disk'},file.locking=on"
            given += ["-drive", f"if=none,id=disk,driver=raw,{disk}", "-device", "ide-hd,drive=disk"]
        if self.wanted.idle and self.version >= _PER_DEVICE:
            given += ["-machine", _OLD_MACHINE]
        if self.wanted.unknown_device and side == "source":
            given += UNKNOWN_DEVICE
        return tuple(given)

    def _listen(self, command: str, **how: bool) -> Path:
        if command == "migrate-incoming" and self.version >= _EXIT_ON_ERROR:
            how["exit_on_error"] = self.wanted.exit_on_error
        return super()._listen(command, **how)

    def start_guest(self) -> None:
        """Wait until the guest is at work.

        Raises:
            RecordingError: it does not begin.
        """
        if not self.wanted.idle:
            self.boot(1)
        elif not self.becomes(lambda: self._is_at_work(), 20):
            raise RecordingError("the guest does not begin to write within 20 s")

    def _is_at_work(self) -> bool:
        position = self.position("source")
        return position is not None and position.passed > 0

    def recover_at(self) -> None:
        """Let a paused destination listen anew.

        Raises:
            RecordingError: it refuses.
        """
        self.valve.target = self._listen("migrate-recover")

    # -- what can be seen ----------------------------------------------------------------------------------------------

    @staticmethod
    def becomes(look: Callable[[], object], within: float) -> bool:
        """Whether this becomes true in time."""
        deadline = time.monotonic() + within
        while not look():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def gone(self, side: str) -> bool:
        """The process has ended."""
        return self.exit_code(side, 0) is not None

    def running(self, side: str) -> bool | None:
        """QEMU says that the guest runs on this side; None where it says nothing."""
        qmp = self.source if side == "source" else self.destination
        answer = qmp.ask("query-status")
        return bool(answer["return"]["running"]) if "return" in answer else None

    def position(self, side: str) -> Position | None:
        """Where the guest is on this side, without a touch of its memory; None where the monitor does not answer."""
        qmp = self.source if side == "source" else self.destination
        answer = qmp.ask("human-monitor-command", command_line="info registers")
        found = {name: int(value, 16) for name, value in _REGISTER.findall(str(answer.get("return", "")))}
        if len(found) < 3:
            return None
        pages = pages_in(self.setting.memory)
        return Position(max(0, found["EBX"] - 1) * pages + found["EDX"], found["ECX"])

    def traced(self, side: str, event: str) -> bool:
        """Whether this side has written a trace event, after those of its name that were asked for before.

        Args:
            event: its name, as a regular expression.
        """
        with suppress(OSError):
            text = (self.directory / f"{side}.log").read_text(errors="replace")
            begin = self._read_to.get((side, event), 0)
            if (found := re.compile(rf"[: ]{event}(?![\w])").search(text, begin)) is not None:
                self._read_to[side, event] = found.end()
                return True
        return False

    def complaint(self, side: str) -> str:
        """The last line that this side has written on its standard error."""
        with suppress(OSError):
            lines = (self.directory / f"{side}.stderr").read_text(errors="replace").splitlines()
            return next((line for line in reversed(lines) if line.strip()), "")
        return ""

    def close(self) -> None:
        """End both QEMUs, and break all connections."""
        if self._valve is not None:
            self._valve.close()  # a QEMU that waits for bytes with its big lock would not answer
        super().close()
