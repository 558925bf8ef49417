"""The automata that all tests of the monitor use: they are compiled once, and kept on disk for the next time."""

from __future__ import annotations

import pytest

from postcopy.api.monitoring import DEFAULT
from postcopy.catalogue.loading import by_name
from postcopy.monitor.compiled import Compiled, compile_monitor


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return compile_monitor("what QEMU does", [by_name(name) for name in DEFAULT])
