"""The memory of a guest of QEMU that is kept. In place of its CPUs a thread touches pages that are missing."""

from __future__ import annotations

import queue
import random
import threading

import numpy as np

from postcopy.engine.errors import GuestError
from postcopy.engine.guests import Fault
from postcopy.engine.kept_guest import KeptGuest
from postcopy.engine.messages import Contents

TOUCHER = "vCPU 0"


class KeptMemory:
    """Memory into which pages are loaded and placed. Methods may be called by several threads.

    Args:
        seed: of the order in which missing pages are touched.
    """

    def __init__(self, guest: KeptGuest, seed: int = 1) -> None:
        self._guest, self._rows = guest, guest.contents.rows
        self._here = np.zeros(guest.geometry.pages, bool)
        self._arrived = threading.Condition()
        self._over = False
        self._faults: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._random = random.Random(seed)
        self._toucher = threading.Thread(target=self._touch, name=TOUCHER, daemon=True)

    def load(self, pages: range, data: Contents | None) -> None:
        """Write target pages of precopy; None stands for zeros."""
        part = slice(pages.start, pages.stop)
        self._rows[part] = 0 if data is None else np.asarray(memoryview(data)).reshape(len(pages), -1)
        with self._arrived:
            self._here[part] = True
            self._arrived.notify_all()

    def drop(self, pages: range) -> None:
        """Throw pages away."""
        part = slice(pages.start, pages.stop)
        with self._arrived:
            self._here[part] = False
        self._rows[part] = 0

    def place(self, pages: range, data: Contents | None) -> None:
        """Place whole host pages, and wake the thread that waits for one of them.

        Raises:
            GuestError: one of them is there.
        """
        there = np.flatnonzero(self._here[pages.start : pages.stop])
        if len(there):
            raise GuestError(f"page {pages.start + there[0]} is there already (R13)")
        self.load(pages, data)

    def sensitise(self) -> None:
        """Touching a missing page is a fault from here on. Pages are touched once the CPUs would run (R7)."""
        self._toucher.start()

    def release(self) -> None:
        """All pages are there."""
        self.close()

    def faults(self, timeout: float) -> list[Fault]:
        """Faults, when there are some; none after `stop_faults` or the timeout, in seconds."""
        try:
            page = self._faults.get(timeout=timeout)
        except queue.Empty:
            return []
        return [] if page is None else [(page, TOUCHER)]

    def stop_faults(self) -> None:
        """Let a thread that waits for faults return without any."""
        self._faults.put(None)

    def close(self) -> None:
        """Let every thread return that waits for a page or a fault."""
        with self._arrived:
            self._over = True
            self._arrived.notify_all()
        self._guest.running.set()
        self.stop_faults()

    def _touch(self) -> None:
        """Touch one missing page after another, and wait for each."""
        self._guest.running.wait()
        with self._arrived:
            while not self._over and len(missing := np.flatnonzero(~self._here)):
                page = int(missing[self._random.randrange(len(missing))])
                self._faults.put(page)
                self._arrived.wait_for(lambda: self._over or self._here[page])  # noqa: B023  (called in this round)
