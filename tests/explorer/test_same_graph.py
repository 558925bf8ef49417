"""The concrete, the interpreted and the compiled interpretation see the same graph."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.status import Status
from postcopy.language import NO_DEADLOCK, Protocol
from postcopy.language.concrete import successors, violated_by
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.brute import brute_force, kernel_edges, orphans
from tests.strategies import heard_once, random_protocols, sends_stay, stale_has_history

pytestmark = pytest.mark.unmeasured

PLAIN = Options(reductions=(), engine=Engine.INTERPRETED)


def assert_same_graph(instance: Instance) -> None:
    graph = brute_force(instance)
    exploration = Exploration(instance, PLAIN)
    exploration.run()
    found = exploration.findings
    assert {exploration.kernel.layout.unpack(words) for words in exploration.stored()} == set(graph.depth)
    assert Counter(kernel_edges(instance, exploration)) == graph.edges
    assert (found.states, found.transitions) == (len(graph.depth), sum(graph.edges.values()))
    assert found.depth == max(graph.depth.values())


@pytest.mark.slow_but("1-1")
@pytest.mark.parametrize(("in_flight", "group"), [(1, 1), (2, 1)])
def test_with_all_properties_both_interpretations_have_the_same_graph(in_flight: int, group: int) -> None:
    assert_same_graph(Instance(Postcopy, 1, in_flight, SAFETY, group))


@pytest.mark.slow
@pytest.mark.parametrize("group", [1, 2])
def test_with_two_pages_both_interpretations_have_the_same_graph(group: int) -> None:
    assert_same_graph(Instance(Postcopy, 2, 1, (), group))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), pages=st.integers(1, 3), in_flight=st.integers(1, 2))
def test_random_small_protocols_have_the_same_graph_in_both_interpretations(
    protocol: type[Protocol], pages: int, in_flight: int
) -> None:
    instance = Instance(protocol, pages, in_flight)
    if len(brute_force(instance, limit=3000).depth) <= 3000:
        assert_same_graph(instance)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), pages=st.integers(1, 3), in_flight=st.integers(1, 2))
def test_random_small_protocols_get_the_verdict_of_a_brute_force_search(
    protocol: type[Protocol], pages: int, in_flight: int
) -> None:
    for prop in (heard_once, sends_stay, stale_has_history, NO_DEADLOCK):
        instance = Instance(protocol, pages, in_flight, (prop,))
        graph = brute_force(instance, limit=1500)
        if len(graph.depth) > 1500:
            return
        for symmetry in (False, True):
            verdict = explore(instance, Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED))
            steps = len(verdict.counterexample.steps) if verdict.counterexample else None
            assert steps == graph.bad.get(prop.name)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), size=st.sampled_from([(3, 2, 1), (4, 3, 1), (4, 2, 2), (6, 2, 3), (8, 2, 1)]))
def test_on_random_walks_of_larger_instances_the_kernel_takes_the_same_steps(
    data: st.DataObject, size: tuple[int, int, int]
) -> None:
    pages, in_flight, group = size
    instance = Instance(Postcopy, pages, in_flight, SAFETY, group)
    kernel = Kernel(instance, reductions=())
    functions, layout = kernel.functions, kernel.layout
    state = data.draw(st.sampled_from(instance.initial_states()))
    for _ in range(25):
        packed = layout.pack(state)
        assert layout.unpack(packed) == state
        seen: Counter[object] = Counter()
        for label, *words in functions.expand(*packed):
            after = layout.unpack(words)
            step = kernel.labels[label]
            broken = frozenset(p.name for n, p in enumerate(SAFETY) if step.violated >> n & 1)
            seen[instance.actions[step.action].name, after, broken] += 1
        steps = list(successors(instance, state))
        assert seen == Counter((s.action.name, s.state, frozenset(s.violated)) for s in steps)
        bits = functions.examine(*packed)
        assert {p.name for n, p in enumerate(SAFETY) if bits >> n & 1 and p.of_states} == set(
            violated_by(instance, state)
        )
        state = data.draw(st.sampled_from([s.state for s in steps]))


@pytest.mark.slow_but("symmetry")
@pytest.mark.parametrize("symmetry", [True, False], ids=["symmetry", "none"])
def test_the_compiled_search_finds_what_the_interpreted_one_finds(symmetry: bool) -> None:
    instance = Instance(Postcopy, 2, 1, SAFETY)
    slow = Exploration(instance, Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED))
    fast = Exploration(instance, Options((PAGES,) if symmetry else (), engine=Engine.COMPILED))
    slow.run()
    fast.run()
    assert fast.engine == Engine.COMPILED
    assert fast.stored() == slow.stored()
    same = ("status", "states", "transitions", "depth", "frontier", "fired", "witnesses")
    assert [getattr(fast.findings, a) for a in same] == [getattr(slow.findings, a) for a in same]


@pytest.mark.slow_but("3-300")
@pytest.mark.parametrize(("workers", "alone_until"), [(2, 20), (2, 100), (3, 300)])
def test_several_workers_find_what_one_finds(workers: int, alone_until: int) -> None:
    instance = Instance(Postcopy, 2, 1, (*SAFETY, *WITNESSES))
    alone = Exploration(instance, Options(engine=Engine.COMPILED))
    alone.run()
    shared = Compiled(machine_of(alone.kernel.plan), alone.question, workers, alone_until)
    found = shared.run(1 << 40)
    assert set(shared.stored()) == set(alone.stored())
    same = ("status", "states", "transitions", "depth", "frontier", "fired", "witnesses")
    assert [getattr(found, a) for a in same] == [getattr(alone.findings, a) for a in same]
    assert alone.findings.first
    for bit, at in alone.findings.first.items():
        assert len(shared.path(found.first[bit])) == len(alone.search.path(at))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["shut-sent-again", "lost-wake-up", "unpackaged"])
def test_several_workers_find_a_counterexample_as_short(fault: str) -> None:
    """One in a state, one by a step, one as a deadlock, whichever worker finds it and whatever the others find."""
    instance = Instance(FAULTS[fault], 2, 2, SAFETY)
    alone = Exploration(instance, Options(reductions=(), engine=Engine.INTERPRETED))
    alone.run()
    machine = machine_of(alone.kernel.plan)
    assert alone.verdict().counterexample is not None
    for _ in range(5):
        shared = Compiled(machine, alone.question, 3, alone_until=0)
        found = shared.run(1 << 40)
        assert found.status == alone.findings.status
        assert len(shared.path(found.at)) == len(alone.search.path(alone.findings.at))


@pytest.mark.slow_but("4500000-1", "6500000-2")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("max_memory", [3_000_000, 4_500_000, 5_300_000, 6_500_000])
def test_it_keeps_to_the_memory_allowed(max_memory: int, workers: int) -> None:
    options = Options(reductions=(), engine=Engine.COMPILED, max_memory=max_memory, workers=workers)
    made = Exploration(Instance(Postcopy, 3, 2, ()), options)
    made.run()
    found = made.findings
    assert found.status in (Status.FULL, Status.DONE)
    assert found.bytes <= max_memory
    assert found.bytes >= max_memory // 3 or found.status == Status.DONE


@pytest.mark.slow_but("3")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_states_parent_has_it_among_its_successors(workers: int) -> None:
    made = Exploration(Instance(Postcopy, 2, 1, ()), Options(engine=Engine.INTERPRETED))
    found = Compiled(machine_of(made.kernel.plan), made.question, workers, alone_until=0)
    found.run(1 << 40)
    assert orphans(made, found) == []
