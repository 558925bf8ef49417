"""Stands for QEMU where only our own side is tested: QMP, a migration of a few bytes, and a guest that counts.

The environment's FAULT makes it misbehave: see the uses.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

FAULT = os.environ.get("FAULT", "")
EVENTS = "migrate_set_state\nram_save_page\nmigrate_pending_estimate\nvga_std_write_io\n"


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else ""


class Fake:
    def __init__(self) -> None:
        self.is_destination = bool(option("-incoming"))
        self.running = not self.is_destination
        self.began = time.monotonic()
        self.lock = threading.Lock()
        self.switch = threading.Event()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(option("-qmp").removeprefix("unix:").partition(",")[0])
        listener.listen(1)
        self.qmp = listener.accept()[0]
        self.say({"QMP": {}})

    def say(self, message: dict[str, Any]) -> None:
        with self.lock:
            self.qmp.sendall(json.dumps(message).encode() + b"\n")

    def status(self, status: str) -> None:
        self.say({"event": "MIGRATION", "data": {"status": status}})

    def serve(self) -> None:
        for line in self.qmp.makefile("rb"):
            asked = json.loads(line)
            name, arguments = asked["execute"], asked["arguments"]
            if f"refuses {name}" == FAULT:
                self.say({"error": {"desc": "no"}, "id": asked["id"]})
            elif f"dies at {name}" == FAULT:
                os._exit(3)
            elif f"is silent at {name}" != FAULT:
                self.say({"return": self.answer(name, arguments), "id": asked["id"]})
                if name == "quit":
                    return
        time.sleep(60)  # QEMU goes on where only its QMP has been closed

    def answer(self, name: str, given: dict[str, Any]) -> Any:
        match name:
            case "query-migrate-capabilities":
                return [{"capability": "postcopy-ram", "state": False}]
            case "query-status":
                return {"running": self.running}
            case "pmemsave":
                Path(given["filename"]).write_bytes(self.counters())
            case "migrate-incoming":
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(given["uri"].removeprefix("unix:"))
                listener.listen(1)
                threading.Thread(target=self.incoming, args=(listener,), daemon=True).start()
            case "migrate-start-postcopy":
                self.switch.set()
            case "migrate":
                threading.Thread(target=self.migrate, args=(given["uri"],), daemon=True).start()
        return {}

    def counters(self) -> bytes:
        passes = 0 if FAULT == "the guest stands still" else int((time.monotonic() - self.began) * 50)
        errors = 3 if FAULT == "the guest finds errors" else 0
        return struct.pack("<16xI12x8I", errors, passes, *[0] * 7)

    def incoming(self, listener: socket.socket) -> None:
        connection = listener.accept()[0]
        self.status("active")
        while (data := connection.recv(100)) and not data.endswith(b"end"):
            pass
        if not data:
            self.status("failed")
            return
        connection.sendall(b"got it")
        self.running = True
        self.status("completed")

    def migrate(self, uri: str) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(uri.removeprefix("unix:"))
        self.status("active")
        connection.sendall(b"stream")
        self.switch.wait()
        connection.sendall(b"end")
        connection.recv(100)
        self.running = FAULT == "both run"
        self.status("postcopy-active")
        self.status("completed")


def main() -> None:
    if "--version" in sys.argv:
        print("QEMU emulator version 1.2.3 (a fake)" if FAULT != "is no QEMU" else "cat (GNU coreutils) 9.1")
    elif option("-trace") == "help":
        print(EVENTS, end="")
    else:
        Path(option("-debugcon").removeprefix("file:")).write_text("..")
        Path(option("-D")).write_text(Path(option("-trace").removeprefix("events=")).read_text())
        Fake().serve()


if __name__ == "__main__":
    main()
