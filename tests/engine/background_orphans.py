"""A host with nothing but processes for background pages: ``python -m tests.engine.background_orphans``.

It says their numbers, and waits to be killed. One of them is stopped; the other one waits for the host.
"""

from __future__ import annotations

import os
import signal
import time

from postcopy.engine import placing_process, sending_process
from postcopy.engine.starting import start_process

if __name__ == "__main__":
    processes = [start_process(what) for what in (sending_process.WHAT, placing_process.WHAT)]
    time.sleep(0.5)  # until they are what they are to be
    os.kill(processes[0].pid, signal.SIGSTOP)
    print(*[process.pid for process in processes], flush=True)
    time.sleep(600)
