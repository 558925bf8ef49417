"""The trial of partial-order reduction finds what could be saved: a trial that never finds anything says nothing."""

from __future__ import annotations

import importlib.util
from functools import cache
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@cache
def trial() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "partial_order.py"
    spec = importlib.util.spec_from_file_location("partial_order", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


UP = ("up", None)


def counters(most: int) -> dict[Any, Any]:
    """Two threads, each of which counts up its own number."""
    steps = {
        (a, b): {
            "first": {UP: (a + 1, b)} if a < most else {},
            "second": {UP: (a, b + 1)} if b < most else {},
        }
        for a, b in product(range(most + 1), repeat=2)
    }
    return {state: {thread: own for thread, own in each.items() if own} for state, each in steps.items()}


def test_threads_that_do_not_meet_are_followed_one_by_one() -> None:
    graph = counters(5)
    assert trial().qualifying(graph, "first") == {(a, b) for a, b in graph if a < 5}
    assert trial().reduced(graph, [(0, 0)]) == 11


def test_a_thread_that_another_gives_a_choice_does_not_qualify() -> None:
    """After two steps of the first: only the one before can be seen from where it happens."""
    graph = counters(2)
    for (a, b), steps in graph.items():
        if a == 2 and b < 2:
            steps["second"] = {UP: (a, b + 1), ("stays behind", None): (a, 2)}
    assert trial().commute(graph, (0, 0), "second")
    assert not trial().commute(graph, (1, 0), "second")
    assert trial().qualifying(graph, "second") == {(2, 0), (2, 1)}


@pytest.mark.parametrize("thread", ["first", "second"])
def test_what_does_not_commute_does_not_qualify(thread: str) -> None:
    graph = {
        0: {"first": {("adds", None): 1}, "second": {("doubles", None): 2}},
        1: {"second": {("doubles", None): 3}},
        2: {"first": {("adds", None): 4}},
        3: {},
        4: {},
    }
    assert 0 not in trial().qualifying(graph, thread)
    assert trial().reduced(graph, [0]) == 5
