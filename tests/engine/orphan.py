"""A host of which nothing but its guest matters: ``python -m tests.engine.orphan MEMORY SITUATION``.

It brings its guest into a situation, says the process's number, and waits to be killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import msgspec

from postcopy.engine.memory import GuestOptions, GuestProcess, destination_memory
from postcopy.engine.messages import Device

SITUATIONS = {
    "waits for a request": False,
    "runs": False,
    "is stopped": False,
    "loads a device whose page is missing": True,
    "loads a device, and is stopped": True,
    "runs on missing pages": True,
}
"""By name, whether the guest waits for its state."""
RING = Device(3, "ring", 0, 1, msgspec.msgpack.encode([0, 1, 2, 3]))
OPTIONS = GuestOptions(size=1 << 20, vcpus=1, rate=0)

if __name__ == "__main__":
    memory, situation = sys.argv[1:]
    options = msgspec.structs.replace(OPTIONS, memory=memory)
    guest = GuestProcess(options, incoming=SITUATIONS[situation])
    if SITUATIONS[situation]:
        sensitive = destination_memory(guest)
        sensitive.sensitise()
    if "loads" in situation:
        threading.Thread(target=guest.load, args=(RING,), daemon=True).start()
        assert [toucher for _, toucher in sensitive.faults(20.0)] == ["device load"]
    elif "runs" in situation:
        guest.ask("start")
    if "stopped" in situation:
        os.kill(guest.pid, signal.SIGSTOP)
    print(guest.pid, flush=True)
    time.sleep(600)
