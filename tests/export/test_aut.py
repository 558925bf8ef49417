"""The .aut export is the explored graph, edge by edge."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.errors import UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.export.aut import aut
from postcopy.language import Protocol
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.model.postcopy import Postcopy
from tests.explorer.brute import brute_force
from tests.export.tiny import Tiny
from tests.strategies import random_protocols

EDGE = re.compile(r'\((\d+),"(\w+(?:\([\w,]+\))?)",(\d+)\)')


def edges(lines: list[str]) -> list[tuple[int, str, int]]:
    """The transitions; every line has to be one."""
    matches = [EDGE.fullmatch(line) for line in lines[1:]]
    return [(int(match[1]), match[2], int(match[3])) for match in matches if match]


def assert_same_graph(instance: Instance) -> None:
    lines = list(aut(read(instance)))
    graph, found = brute_force(instance), edges(lines)
    starts = len(instance.initial_states())
    assert lines[0] == f"des (0,{sum(graph.edges.values()) + starts},{len(graph.depth) + 1})"
    assert len(found) == len(lines) - 1
    assert {end for before, _, end in found if before == 0} == set(range(1, starts + 1))
    assert {state for edge in found for state in (edge[0], edge[2])} == set(range(len(graph.depth) + 1))
    degrees = Counter(Counter(before for before, _, _ in graph.edges.elements()).values())
    assert Counter(Counter(before for before, _, _ in found if before).values()) == degrees


def test_a_tiny_protocol_is_written_edge_by_edge() -> None:
    assert_same_graph(Instance(Tiny, 2, 1))


@pytest.mark.unmeasured
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), pages=st.integers(1, 3), in_flight=st.integers(1, 2))
def test_random_protocols_are_written_edge_by_edge(protocol: type[Protocol], pages: int, in_flight: int) -> None:
    instance = Instance(protocol, pages, in_flight)
    if len(brute_force(instance, limit=500).depth) <= 500:
        assert_same_graph(instance)


def test_the_protocol_has_as_many_states_steps_and_actions_as_the_explorer_says() -> None:
    instance = Instance(Postcopy, 2, 1)
    verdict = explore(instance, Options(reductions=(), engine=Engine.INTERPRETED))
    lines = list(aut(read(instance)))
    assert lines[0] == f"des (0,{verdict.transitions + 8},{verdict.states + 1})"
    fired = Counter(label.split("(")[0] for _, label, _ in edges(lines))
    wanted: Counter[str] = Counter()
    for name, times in verdict.fired.items():
        wanted[re.sub(r"\[\d+\]", "", name).replace(".", "_")] += times
    assert fired - Counter(initially=8) == +wanted


def test_labels_say_which_choices_were_made() -> None:
    labels = {label for _, label, _ in edges(list(aut(read(Instance(Tiny, 2, 1)))))}
    assert {"initially(FALSE)", "initially(TRUE)", "left_begins", "left_sends(0)", "right_touches(0,1)"} <= labels


def test_a_graph_that_is_too_large_is_refused() -> None:
    with pytest.raises(UsageError, match=r"more than 100 states are too many .*: use fewer pages"):
        list(aut(read(Instance(Tiny, 2, 1)), limit=100))
