"""A host with nothing but processes for background pages: ``python -m tests.engine.background_orphans``.

It says their numbers, and waits to be killed. One of them is stopped; the other one waits for the host.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from postcopy.engine import placing_process, sending_process
from postcopy.engine.starting import start_process

if __name__ == "__main__":
    processes = [start_process(what) for what in (sending_process.WHAT, placing_process.WHAT)]
    while not all("poll" in Path(f"/proc/{process.pid}/wchan").read_text() for process in processes):
        time.sleep(0.01)  # until they wait for the host
    os.kill(processes[0].pid, signal.SIGSTOP)
    print(*[process.pid for process in processes], flush=True)
    time.sleep(600)
