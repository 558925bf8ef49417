"""A source and a destination: two QEMUs with the same guest, and the proxy between them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from postcopy.recording.errors import RecordingError
from postcopy.recording.guest import COUNTERS, Counters, firmware, pages_in, read_counters
from postcopy.recording.process import start
from postcopy.recording.proxy import Proxy
from postcopy.recording.qmp import Entry, Qmp
from postcopy.recording.wire_files import WireWriter

TRACED = (
    *("migration_*", "migrate_*", "postcopy_*", "ram_*", "multifd_*", "savevm_*", "loadvm_*", "qemu_savevm_*"),
    *("qemu_loadvm_*", "source_return_path_*", "open_return_path_*", "get_queued_page*", "unqueue_page*"),
)
"""QEMU's trace events that are recorded."""
NOT_TRACED = ("*_pending*", "savevm_state_iterate", "migration_rate_limit_*", "migration_transferred_bytes")
"""Those among them that come again and again while the source waits for its limit of bandwidth."""

CAPABILITIES = ("postcopy-ram", "return-path", "events")
SIDES = ("source", "destination")
PATIENCE = 60.0
"""How long the guest may take for a pass through its pages, in seconds."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """How both QEMUs are set.

    Attributes:
        memory: the guest's memory in MiB.
        vcpus: how many vCPUs it has.
        delay: for how many `pause` instructions each of them waits after each page.
        capabilities: those of migration that are switched on.
        source_only: those of them that are switched on at the source alone.
        optional: the same, where QEMU has them.
        parameters: of migration, both sides' alike.
        rate: bytes per second that the proxy passes on to the destination; None for all that come.
        arguments: more for QEMU's command line, both sides' alike.
        source_arguments: more for the source's.
    """

    memory: int = 32
    vcpus: int = 1
    delay: int = 100
    capabilities: tuple[str, ...] = CAPABILITIES
    source_only: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    parameters: Mapping[str, int] = {}
    rate: int | None = None
    arguments: tuple[str, ...] = ()
    source_arguments: tuple[str, ...] = ()


class Pair:
    """Two QEMUs that a scenario drives: started by ``with``, and ended by its end.

    Args:
        program: the QEMU, a name or a path.
        setting: how both are set.
        directory: where what is recorded goes. Sockets are in a directory of their own, whose path is short.

    Attributes:
        commands: the command line of each side.
    """

    def __init__(self, program: str, setting: Setting, directory: Path) -> None:
        self.setting = setting
        self.commands: dict[str, list[str]] = {}
        self._program, self._directory = program, directory
        self._end = ExitStack()
        self._sockets = Path(self._end.enter_context(tempfile.TemporaryDirectory(prefix="postcopy-")))
        self._transcript = self._end.enter_context((directory / "qmp.jsonl").open("w"))
        self._lock = threading.Lock()
        self._incoming = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._qmp: dict[str, Qmp] = {}
        self._proxy: Proxy | None = None

    def __enter__(self) -> Self:
        """Start both.

        Raises:
            RecordingError: one does not start, or refuses its setting.
        """
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End both."""
        self.close()

    @property
    def source(self) -> Qmp:
        """The source's QMP."""
        return self._qmp["source"]

    @property
    def destination(self) -> Qmp:
        """The destination's QMP."""
        return self._qmp["destination"]

    @property
    def proxy(self) -> Proxy:
        """What is between them."""
        assert self._proxy is not None
        return self._proxy

    def _begin(self) -> None:
        setting = self.setting
        (self._sockets / "firmware").write_bytes(firmware(pages_in(setting.memory), setting.vcpus, setting.delay))
        (self._sockets / "traced").write_text("".join(f"{event}\n" for event in traced_by(self._program)))
        for side in SIDES:
            self._start(side)
        for side in SIDES:
            qmp = self._qmp[side] = Qmp(self._sockets / f"{side}.qmp", side, self._keep)
            known = {each["capability"] for each in qmp("query-migrate-capabilities")}
            names = [*self._capabilities(side), *(name for name in setting.optional if name in known)]
            qmp("migrate-set-capabilities", capabilities=[{"capability": name, "state": True} for name in names])
            if setting.parameters:
                qmp("migrate-set-parameters", **setting.parameters)
        self._stand_between(self._sockets / "wire", self._listen("migrate-incoming"))

    def _stand_between(self, address: Path, target: Path) -> None:
        """Listen for the source at one address, and connect to the destination at the other."""
        self._proxy = Proxy(address, target, WireWriter(self._directory), self.setting.rate)

    def _capabilities(self, side: str) -> tuple[str, ...]:
        """Those of migration that are switched on at this side."""
        setting = self.setting
        return tuple(name for name in setting.capabilities if side == "source" or name not in setting.source_only)

    def _arguments(self, side: str) -> tuple[str, ...]:
        """More for the command line of this side."""
        return (*self.setting.arguments, *(self.setting.source_arguments if side == "source" else ()))

    def _keep(self, entry: Entry) -> None:
        with self._lock:
            if not self._transcript.closed:
                self._transcript.write(json.dumps(entry) + "\n")

    def _start(self, side: str) -> None:
        setting, sockets = self.setting, self._sockets
        command = [self._program, "-name", f"{side},debug-threads=on", "-machine", "pc", "-accel", "tcg,thread=multi"]
        command += ["-m", str(setting.memory), "-smp", str(setting.vcpus), "-bios", str(sockets / "firmware")]
        command += ["-nodefaults", "-no-user-config", "-display", "none", "-debugcon", f"file:{self.console(side)}"]
        command += ["-qmp", f"unix:{sockets / side}.qmp,server=on,wait=off", "-msg", "timestamp=on"]
        command += ["-D", str(self._directory / f"{side}.log"), "-trace", f"events={sockets / 'traced'}"]
        command += [*self._arguments(side), *(("-incoming", "defer") if side == "destination" else ())]
        self.commands[side] = command
        with (self._directory / f"{side}.stderr").open("wb") as errors:
            self._processes[side] = start(command, errors)

    def _listen(self, command: str, **how: bool) -> Path:
        """Let the destination listen for the first time or once more; where it does."""
        self._incoming += 1
        address = self._sockets / f"incoming-{self._incoming}"
        self.destination(command, uri=f"unix:{address}", **how)
        return address

    def console(self, side: str) -> Path:
        """What the guest prints on this side."""
        return self._directory / f"{side}.console"

    # -- what a scenario does -----------------------------------------------------------------------------------------

    def boot(self, passes: int = 2) -> None:
        """Wait until the guest has been through its pages so often."""
        deadline = time.monotonic() + PATIENCE
        console = self.console("source")
        while not console.exists() or console.stat().st_size < passes:
            self._check_time(deadline, f"the guest has not been through its pages {passes} times")
            time.sleep(0.02)

    def migrate(self, **how: bool) -> None:
        """Start the migration, or resume it."""
        self.source("migrate", uri=f"unix:{self.proxy.address}", **how)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def switch(self) -> None:
        """Ask for postcopy, and wait until it is under way."""
        self.source("migrate-start-postcopy")
        self.source.status("postcopy-active", "completed")

    def recover(self) -> None:
        """Connect again after a cut: both sides have to be paused, or to pause soon."""
        for qmp in (self.source, self.destination):
            qmp.status("postcopy-paused")
        self.proxy.target = self._listen("migrate-recover")
        self.migrate(resume=True)

    def kill(self, side: str) -> None:
        """End this QEMU at once."""
        self._processes[side].kill()
        self._processes[side].wait()

    def end(self) -> None:
        """Wait until the migration is over at both sides, for better or worse."""
        for side in SIDES:
            if self.exit_code(side, 0) is None:
                self._qmp[side].status("completed", "failed", "cancelled")

    # -- what came of it ----------------------------------------------------------------------------------------------

    def statuses(self, side: str) -> tuple[str, ...]:
        """All statuses that the migration has had on this side."""
        return tuple(self._qmp[side].statuses)

    def exit_code(self, side: str, within: float) -> int | None:
        """With what QEMU has ended, or ends within so many seconds; None where it goes on."""
        try:
            return self._processes[side].wait(within)
        except subprocess.TimeoutExpired:
            return None

    def guest_runs(self, side: str) -> bool:
        """QEMU says that the guest runs on this side."""
        answer = self._qmp[side].ask("query-status")
        return bool(answer.get("return", {}).get("running"))

    def counters(self, side: str) -> Counters:
        """What the guest has counted up to now, in the memory of this side."""
        copy = self._sockets / "counters"
        self._qmp[side]("pmemsave", val=COUNTERS.start, size=len(COUNTERS), filename=str(copy))
        return read_counters(copy.read_bytes(), self.setting.vcpus)

    def check_guest(self, side: str) -> Counters:
        """Wait until each vCPU has read all of its pages once more, on this side; what the guest has counted then.

        Raises:
            RecordingError: the guest stands still.
        """
        before = self.counters(side)
        deadline = time.monotonic() + PATIENCE
        while True:
            now = self.counters(side)
            if all(a + 2 <= b for a, b in zip(before.passes, now.passes, strict=True)):
                return now
            self._check_time(deadline, f"the guest at the {side} stands still")
            time.sleep(0.05)

    @staticmethod
    def _check_time(deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise RecordingError(f"{what} in {PATIENCE:.0f} s")

    def close(self) -> None:
        """End both QEMUs."""
        for side, process in self._processes.items():
            qmp = self._qmp.get(side)
            if process.poll() is None and qmp is not None:
                qmp.ask("quit")
            if self.exit_code(side, 5 if qmp else 0) is None:
                self.kill(side)
            if qmp is not None:
                qmp.close()
        if self._proxy is not None:
            self._proxy.close()
        with self._lock:
            self._end.close()


def traced_by(program: str) -> list[str]:
    """The trace events of `TRACED` that this QEMU has: their names differ between versions.

    Raises:
        RecordingError: it does not start.
    """
    return [
        event
        for event in output_of(program, "-trace", "help").split()
        if any(fnmatchcase(event, pattern) for pattern in TRACED)
        and not any(fnmatchcase(event, pattern) for pattern in NOT_TRACED)
    ]


def output_of(program: str, *arguments: str) -> str:
    """What this QEMU prints, and then ends.

    Raises:
        RecordingError: it does not start, or ends with an error.
    """
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise RecordingError(
            f"{program} does not start: install qemu-system-x86, or use tools/get-qemu: {error}"
        ) from error
