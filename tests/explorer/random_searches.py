"""Searches of random protocols, by which two ways to search are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel import compiler
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine, Options
from postcopy.language import NO_DEADLOCK, Protocol
from postcopy.language.instance import Instance
from tests.strategies import heard_once, random_protocols, sends_stay, stale_has_history

SIXTY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
SEARCHES: dict[str, st.SearchStrategy[Any]] = {
    "protocol": random_protocols(),
    "pages": st.integers(1, 3),
    "in_flight": st.integers(1, 2),
    "symmetry": st.booleans(),
    "prop": st.sampled_from([None, heard_once, sends_stay, stale_has_history, NO_DEADLOCK]),
}
"""What `exploration_of` takes."""


@contextmanager
def compiled_quickly() -> Iterator[None]:
    """Kernels are compiled with as little work as possible: each runs once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "OPTIMIZE", 0)
        yield


def exploration_of(
    protocol: type[Protocol], pages: int, in_flight: int, symmetry: bool, prop: Any
) -> Exploration | None:
    """A search that has not begun; None where there are too many initial states."""
    instance = Instance(protocol, pages, in_flight, () if prop is None else (prop,))
    made = Exploration(instance, Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED))
    return None if len(made.kernel.initial) > 3000 else made
