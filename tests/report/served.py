"""A page of `postcopy explore`, served beside the tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from postcopy.report.pages.serving import Server
from postcopy.report.pages.stepping import Stepping


@contextmanager
def served(stepping: Stepping) -> Iterator[Server]:
    """A server of its own, on any port, in a thread of its own."""
    with Server(stepping.answer, 0) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()
