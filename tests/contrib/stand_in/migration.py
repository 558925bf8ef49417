"""Stands in for the class of QEMU's `tests/functional/migration.py` that the functional test extends.

It has the same methods as far as that test uses them, on the QEMU that QEMU_TEST_QEMU_BINARY names, with its logs in
the directory that MESON_BUILD_ROOT names. The test itself was run in QEMU's tree, too.
"""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from postcopy.recording.errors import RecordingError
from postcopy.recording.qmp import Qmp


class Machine:
    """A QEMU."""

    def __init__(self, machine: str, name: str, arguments: tuple[str, ...], sockets: Path) -> None:
        self.args, self._machine, self._name, self._sockets = list(arguments), machine, name, sockets
        self._process: subprocess.Popen[bytes] | None = None

    def add_args(self, *arguments: str) -> None:
        self.args += arguments

    def launch(self) -> None:
        address = self._sockets / f"{self._name}.qmp"
        command = [os.environ["QEMU_TEST_QEMU_BINARY"], "-display", "none", "-machine", self._machine]
        command += ["-qmp", f"unix:{address},server=on,wait=off", *self.args]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._qmp = Qmp(address, self._name, lambda entry: None)

    def cmd(self, command: str, **arguments: Any) -> Any:
        return self._qmp(command, **arguments)

    def qmp(self, command: str, **arguments: Any) -> dict[str, Any]:
        try:
            return {"return": self._qmp(command, **arguments)}
        except RecordingError as error:
            return {"error": {"desc": str(error)}}

    def shutdown(self) -> None:
        if self._process is not None:
            self._qmp.close()
            self._process.terminate()
            self._process.wait()
            self._process = None


class MigrationTest(unittest.TestCase):
    """What a functional test of migration has."""

    timeout = 10.0

    def setUp(self) -> None:
        self.log = logging.getLogger("qemu-test")
        self._machines: dict[str, Machine] = {}
        self._directory = Path(os.environ["MESON_BUILD_ROOT"]) / self.id()
        self._directory.mkdir()
        self._sockets = tempfile.TemporaryDirectory()

    def tearDown(self) -> None:
        for machine in self._machines.values():
            machine.shutdown()
        self._sockets.cleanup()

    def set_machine(self, machine: str) -> None:
        self.machine = machine

    def log_file(self, name: str) -> str:
        return str(self._directory / name)

    def get_vm(self, *arguments: str, name: str) -> Machine:
        self._machines[name] = Machine(self.machine, name, arguments, Path(self._sockets.name))
        return self._machines[name]

    def configure_machine(self, vm: Machine) -> None:
        raise NotImplementedError

    def migrate_vms(self, dst_uri: str, src_uri: str, dst_vm: Machine, src_vm: Machine) -> None:
        raise NotImplementedError

    def migration_with_unix(self) -> None:
        uri = f"unix:{self._sockets.name}/migration.sock"
        dst_vm, src_vm = self.get_vm("-incoming", "defer", name="dst-qemu"), self.get_vm(name="src-qemu")
        for vm in (dst_vm, src_vm):
            self.configure_machine(vm)
            vm.launch()
        self.migrate_vms(uri, uri, dst_vm, src_vm)

    def assert_migration(self, src_vm: Machine, dst_vm: Machine) -> None:
        end = time.monotonic() + self.timeout
        for vm in (src_vm, dst_vm):
            while vm.cmd("query-migrate").get("status") not in ("completed", "failed"):
                assert time.monotonic() < end
                time.sleep(0.1)
            assert vm.cmd("query-migrate")["status"] == "completed"
