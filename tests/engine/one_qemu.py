"""One real QEMU, the other side of a migration of the engine's; it runs the guest that recordings have."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from postcopy.recording.guest import COUNTERS, Counters, firmware, pages_in, read_counters
from postcopy.recording.qmp import Qmp

INSTALLED = "qemu-system-x86_64"
UNPACKED = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "postcopy/qemu"
"""Where tools/get-qemu puts other versions."""
MEMORY = 2
"""Of the guest, in MiB."""
PATIENCE = 60.0
"""How long anything may take, in seconds."""


def qemus() -> dict[str, str]:
    """The QEMUs that are here: the installed one, and those that tools/get-qemu has unpacked."""
    found = {"installed": shutil.which(INSTALLED) or ""}
    found |= {path.parent.name: str(path) for path in sorted(UNPACKED.glob(f"*/{INSTALLED}"))}
    return {name: path for name, path in found.items() if path}


def userfaultfd_is_there() -> bool:
    """Root may use it, and others where the system is set so: QEMU's destination needs it."""
    setting = Path("/proc/sys/vm/unprivileged_userfaultfd")
    return os.geteuid() == 0 or (setting.exists() and setting.read_text().strip() == "1")


class OneQemu:
    """A QEMU that runs or waits for a guest: made by `one_qemu`.

    Attributes:
        qmp: its QMP.
        console: what the guest has printed here.
    """

    def __init__(self, program: str, directory: Path, arguments: tuple[str, ...], vcpus: int) -> None:
        self._directory, self._vcpus = directory, vcpus
        self.console, self.errors = directory / "console", directory / "stderr"
        (directory / "firmware").write_bytes(firmware(pages_in(MEMORY), vcpus, 2000))
        command = [program, "-machine", "pc", "-accel", "tcg,thread=multi", "-m", str(MEMORY), "-smp", str(vcpus)]
        command += ["-bios", str(directory / "firmware"), "-nodefaults", "-no-user-config", "-display", "none"]
        command += ["-debugcon", f"file:{self.console}", "-qmp", f"unix:{directory / 'qmp'},server=on,wait=off"]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stderr=errors)
        self.qmp: Qmp

    def connect(self) -> None:
        """Open QMP."""
        self.qmp = Qmp(self._directory / "qmp", "qemu", lambda _entry: None)

    def set_up(self, *capabilities: str, **parameters: int) -> None:
        """Switch capabilities of migration on, beside those that every test needs."""
        names = ("return-path", "events", *capabilities)
        self.qmp("migrate-set-capabilities", capabilities=[{"capability": name, "state": True} for name in names])
        if parameters:
            self.qmp("migrate-set-parameters", **parameters)

    def listen(self) -> int:
        """Wait for a source; at which port."""
        self.qmp("migrate-incoming", uri="tcp:127.0.0.1:0")
        addresses: list[dict[str, Any]] = self.qmp("query-migrate")["socket-address"]
        return int(addresses[0]["port"])

    def migrate(self, port: int) -> None:
        """Start a migration to this port.

        A QEMU that has just got a guest is not ready for that at once. 7.2 then refuses with "duplicate yank instance",
        and from there on for ever, because it takes that migration for one in progress.
        """
        end = time.monotonic() + PATIENCE
        while any(instance["type"] == "migration" for instance in self.qmp("query-yank")):
            assert time.monotonic() < end, "the migration that has come does not end"
            time.sleep(0.02)
        self.qmp("migrate", uri=f"tcp:127.0.0.1:{port}")

    def go_on(self) -> None:
        """Let the guest run here after it has left: QEMU needs a moment to know that it has."""
        end = time.monotonic() + PATIENCE
        while (status := self.qmp("query-status")["status"]) != "postmigrate":
            assert time.monotonic() < end, status
            time.sleep(0.02)
        self.qmp("cont")

    def boot(self, passes: int = 2) -> None:
        """Wait until the guest has been through its pages so often."""
        end = time.monotonic() + PATIENCE
        while not self.console.exists() or self.console.stat().st_size < passes:
            assert time.monotonic() < end, self._why_it_stands()
            time.sleep(0.02)

    def _why_it_stands(self) -> str:
        """What this QEMU says where its guest does not go on."""
        words = self.errors.read_text(errors="replace").strip()
        if self.process.poll() is not None:
            return f"QEMU has ended with {self.process.returncode}: {words}"
        registers = self.qmp("human-monitor-command", **{"command-line": "info registers"})
        return f"the guest stands still: {self.qmp('query-status')} {self.qmp('query-migrate')} {words}\n{registers}"

    def counters(self) -> Counters:
        """What the guest has counted."""
        copy = self._directory / "counters"
        self.qmp("pmemsave", val=COUNTERS.start, size=len(COUNTERS), filename=str(copy))
        return read_counters(copy.read_bytes(), self._vcpus)

    def check_guest(self) -> Counters:
        """Wait until each vCPU has read all of its pages once more; what the guest has counted then."""
        before, end = self.counters(), time.monotonic() + PATIENCE
        while True:
            now = self.counters()
            if all(a + 2 <= b for a, b in zip(before.passes, now.passes, strict=True)):
                return now
            assert time.monotonic() < end, self._why_it_stands()
            time.sleep(0.02)

    def close(self) -> None:
        """End it."""
        if hasattr(self, "qmp"):
            self.qmp.ask("quit")
            self.qmp.close()
        try:
            self.process.wait(5 if hasattr(self, "qmp") else 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def one_qemu(program: str, *arguments: str, vcpus: int = 1) -> Iterator[OneQemu]:
    """A QEMU; it has ended afterwards, and its files are gone."""
    with ExitStack() as end:
        directory = Path(end.enter_context(tempfile.TemporaryDirectory(prefix="postcopy-")))
        qemu = OneQemu(program, directory, arguments, vcpus)
        end.callback(qemu.close)
        qemu.connect()
        yield qemu
