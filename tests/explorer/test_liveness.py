"""What must happen in the end: what a fair run is, page by page, with and without symmetry, against a plain search."""

from collections.abc import Callable, Hashable
from typing import Any, Literal, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.catalogue.properties import BY_NAME, DEFAULT
from postcopy.errors import SpecError
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.liveness.check import check_liveness
from postcopy.explorer.liveness.fairness import broken, duties, is_fair, moves, units
from postcopy.explorer.liveness.history_bits import history_masks
from postcopy.explorer.liveness.promises import Liveness
from postcopy.explorer.liveness.state_graph import recorded
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.explorer.search.findings import Space
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.loops import machine_of
from postcopy.language import (
    ALL,
    Bitmap,
    LeadsTo,
    Machine,
    Page,
    Property,
    Protocol,
    Thread,
    View,
    action,
    eventually,
    require,
)
from postcopy.language.concrete import ConcreteInterpretation
from postcopy.language.instance import Instance, State
from postcopy.language.trace import Trace, rebase
from postcopy.language.values import ConcretePages
from postcopy.model.fault import Fault
from postcopy.model.faults_liveness import EndlessScan, SwitchWaitsForCleanBitmap
from postcopy.properties.liveness import LIVENESS
from postcopy.report.story.contradiction import explain
from tests.explorer import tiny_liveness as tiny
from tests.explorer.brute import brute_force
from tests.explorer.compiled_edges import compiled_edges
from tests.explorer.naive_liveness import never_kept
from tests.strategies import random_protocols


def asked(protocol: type[Protocol], prop: Property, pages: int = 2, symmetry: bool = True, group: int = 1) -> Verdict:
    return explore(
        Instance(protocol, pages, 1, [prop], group), Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED)
    )


def lasso(verdict: Verdict) -> Trace:
    run = verdict.counterexample
    assert verdict.outcome is Outcome.LIVENESS
    assert run is not None
    assert is_fair(run)
    return run


# -- page by page ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry", [True, False])
@pytest.mark.parametrize("pages", [1, 2, 3])
def test_customers_are_all_served_in_turn_although_one_waits_at_all_times(pages: int, symmetry: bool) -> None:
    assert asked(tiny.Counting, tiny.served, pages, symmetry).outcome is Outcome.HOLDS
    assert asked(tiny.Counting, tiny.emptied, pages, symmetry).outcome is (
        Outcome.HOLDS if pages == 1 else Outcome.LIVENESS
    )


@pytest.mark.parametrize("symmetry", [True, False])
def test_a_customer_that_is_never_chosen_starves_while_another_is_served_again_and_again(symmetry: bool) -> None:
    run = lasso(asked(tiny.Unfair, tiny.served, symmetry=symmetry))
    promises = broken(run, tiny.served)
    assert run.loop is not None
    assert [promise.page for promise in promises] == [run.steps[0].page]
    assert {step.page for step in run.steps[run.loop :]} == {1 - cast(int, run.steps[0].page)}


@pytest.mark.parametrize("group", [1, 2])
def test_a_loop_that_closes_up_to_a_renaming_is_repeated_until_it_closes(group: int) -> None:
    """Two pages in turn: with symmetry one round is one customer, in truth it takes two."""
    run = lasso(asked(tiny.Counting, tiny.emptied, pages=2, group=group))
    assert run.loop is not None
    assert run.states[run.loop] == run.states[-1]
    assert {step.page for step in run.steps[run.loop :] if step.action.method == "serves"} == {0, 1}


def test_a_promise_for_each_vcpu_is_followed_vcpu_by_vcpu() -> None:
    run = lasso(asked(tiny.Night, tiny.woken))
    assert [promise.cpu for promise in broken(run, tiny.woken)] == [1]


# -- who is to be treated fairly ------------------------------------------------------------------------------------


def test_the_environment_is_not_obliged_to_act() -> None:
    run = lasso(asked(tiny.May, tiny.closed))
    assert (run.steps, run.loop) == ((), 0)


@pytest.mark.parametrize("symmetry", [True, False])
def test_a_thread_that_only_looks_or_assigns_what_is_there_has_not_acted(symmetry: bool) -> None:
    """It is not excused by being busy, and where it cannot work it counts as unable to move."""
    assert asked(tiny.Idling, tiny.done, symmetry=symmetry).outcome is Outcome.HOLDS
    run = lasso(asked(tiny.Idling, tiny.done_whatever_happens, symmetry=symmetry))
    assert [step.action.method for step in run.steps] == ["locks"]
    assert run.loop == 1


def test_a_thread_chooses_among_its_own_steps_unless_one_is_fair_by_itself() -> None:
    run = lasso(asked(tiny.Busy, tiny.call_answered))
    assert run.loop is not None
    assert {step.action.method for step in run.steps[run.loop :]} == {"turns"}
    assert asked(tiny.Attentive, tiny.call_answered).outcome is Outcome.HOLDS


def test_the_units_of_the_protocol_are_its_threads_and_the_look_for_the_command() -> None:
    from postcopy.model.postcopy import Postcopy

    found = units(Instance(Postcopy, 1, 1))
    assert [u.thread for u in found if not u.action] == [
        "migration thread", "return-path thread", "main thread", "listen thread", "fault thread",
    ]  # fmt: skip
    assert [u.actions for u in found if u.action] == [frozenset({"source.stops_cpus_to_switch"})]


@pytest.mark.parametrize("protocol", [tiny.Favourite, tiny.FavouriteInTwoActions, tiny.FavouriteOfFairAction])
def test_one_thread_may_serve_one_vcpu_for_ever_however_many_parameters_its_actions_have(
    protocol: type[Protocol],
) -> None:
    run = lasso(asked(protocol, tiny.each_served))
    assert len(broken(run, tiny.each_served)) == 1
    assert [unit.thread for unit in units(run.instance) if not unit.action] == ["server"]


def test_a_thread_for_each_vcpu_serves_its_own() -> None:
    assert asked(tiny.NoFavourite, tiny.each_served).outcome is Outcome.HOLDS
    assert [unit.thread for unit in units(Instance(tiny.NoFavourite, 1, 1))] == ["server 0", "server 1"]


def test_a_step_of_one_thread_says_which_vcpu_it_is_for() -> None:
    steps = [(a.name, a.thread, a.doc) for a in Instance(tiny.Favourite, 1, 1).actions]
    assert steps == [
        ("desk.asks[0]", "vCPU 0", "asks"),
        ("desk.asks[1]", "vCPU 1", "asks"),
        ("desk.serves[0]", "server", "serves one that waits, for vCPU 0"),
        ("desk.serves[1]", "server", "serves one that waits, for vCPU 1"),
    ]


@pytest.mark.parametrize("symmetry", [True, False])
def test_a_strongly_fair_step_is_taken_if_it_is_possible_again_and_again(symmetry: bool) -> None:
    run = lasso(asked(tiny.TakesTheLock, tiny.waits_in_vain, symmetry=symmetry))
    assert run.loop is not None
    assert {step.action.method for step in run.steps[run.loop :]} == {"locks", "unlocks"}
    assert asked(tiny.TakesTheFairLock, tiny.waits_in_vain, symmetry=symmetry).outcome is Outcome.HOLDS
    at_last = lasso(asked(tiny.TakesTheFairLock, tiny.comes_back, symmetry=symmetry))
    contradiction = explain(at_last)
    assert contradiction is not None
    assert "“takes the lock” is taken in step" in contradiction.culprits


@pytest.mark.parametrize("fair", [True, "strongly"])
def test_a_step_of_the_environment_cannot_be_fair(fair: bool | Literal["strongly"]) -> None:
    with pytest.raises(SpecError, match="an action cannot be fair and environment"):
        action(Thread("operator"), environment=True, fair=fair)


@pytest.mark.parametrize("fair", ["strong", "weakly", 1, None])
def test_there_are_two_kinds_of_fairness(fair: Any) -> None:
    with pytest.raises(SpecError, match=r'write fair=True .* fair="strongly" for one') as caught:
        action(Thread("clerk"), fair=fair)
    assert "\n" not in str(caught.value)


# -- against a plain search -----------------------------------------------------------------------------------------


@eventually("A page in the bitmap leaves it")
def leaves(state: View, page: Page) -> LeadsTo:
    """It stays."""
    return LeadsTo(when=state.left.bits0[page], then=not state.left.bits0[page])


@eventually("The first choice changes back and the channel empties")
def settles(state: View) -> LeadsTo:
    """It need not: random protocols do anything."""
    return LeadsTo(when=not state.wire.empty, then=state.wire.empty or state.left.bits0.empty)


def expected(instance: Instance, prop: Property) -> bool:
    """Whether the property is violated, by a search of the whole graph of concrete states, page by page."""
    graph = brute_force(instance)
    edges: dict[Hashable, list[tuple[str, Hashable]]] = {state: [] for state in graph.depth}
    for origin, name, target in graph.edges:
        edges[origin].append((name, target))

    def answer(state: Hashable, page: int | None) -> LeadsTo:
        program = ConcreteInterpretation(instance, cast(State, state))
        each = {} if page is None else {"page": ConcretePages(1 << page, instance.pages, instance.group)}
        return prop.promises(View(program), **each)

    return any(
        never_kept(
            edges,
            lambda a, b: moves(instance, a, b),
            [unit.actions for unit in units(instance)],
            list(instance.initial_states()),
            lambda state, page=page: answer(state, page).when,
            lambda state, page=page: answer(state, page).then,
            frozenset(number for number, unit in enumerate(units(instance)) if unit.strong),
        )
        for page in (range(instance.pages) if prop.each else [None])
    )


def turning(
    one: bool | None, two: bool | None, alone: bool, to_one: bool | None, to_two: bool | None
) -> Callable[..., None]:
    """An action that asks for a page's bits and turns them: such protocols go round, and often for ever."""

    def turns(self: Turning, page: Page) -> None:
        """turns a page"""
        if one is not None:
            require(self.one[page] if one else not self.one[page])
        if two is not None:
            require(self.two[page] if two else not self.two[page])
        if alone:
            require((self.two - page).empty)
        if to_one is not None:
            self.one = self.one | page if to_one else self.one - page
        if to_two is not None:
            self.two = self.two | page if to_two else self.two - page

    return turns


class Turning(Machine):
    one = Bitmap("one bit of each page", initial=ALL)
    two = Bitmap("another bit of each page")


@st.composite
def turning_protocols(draw: st.DrawFn) -> type[Protocol]:
    bit = st.sampled_from([None, False, True])
    fields: dict[str, object] = {}
    for number in range(draw(st.integers(2, 5))):
        thread = Thread(draw(st.sampled_from(["first thread", "second thread", "third thread"])))
        fields[thread.label.replace(" ", "_")] = thread
        environment = draw(st.sampled_from([False, False, False, True]))
        how = action(
            thread,
            environment=environment,
            fair=False if environment else draw(st.sampled_from([False, False, True, "strongly"])),
        )
        fields[f"turns{number}"] = how(turning(draw(bit), draw(bit), draw(st.booleans()), draw(bit), draw(bit)))
    fourth = fields["fourth_thread"] = Thread("fourth thread")
    fields["clears"] = action(fourth)(turning(True, draw(bit), draw(st.booleans()), False, draw(bit)))
    machine = type("Turns", (Turning,), fields)
    parts = {"left": machine, "may_rest": staticmethod(lambda state: True)}
    return cast(type[Protocol], type("Turn", (Protocol,), parts))


@eventually("A page that has its bit loses it")
def loses(state: View, page: Page) -> LeadsTo:
    """It keeps it."""
    return LeadsTo(when=state.left.one[page], then=not state.left.one[page])


@eventually("The bits become few")
def thins(state: View) -> LeadsTo:
    """There are always some."""
    return LeadsTo(when=not state.left.one.empty, then=state.left.one.empty)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(protocol=turning_protocols(), size=st.sampled_from([(1, 1), (2, 1), (3, 1), (2, 2), (4, 2)]))
def test_protocols_that_go_round_get_the_verdict_of_a_plain_search(
    protocol: type[Protocol], size: tuple[int, int]
) -> None:
    pages, group = size
    for prop in (loses, thins):
        violated = expected(Instance(protocol, pages, 1, (prop,), group), prop)
        found = [asked(protocol, prop, pages, symmetry, group) for symmetry in (False, True)]
        assert [verdict.outcome is Outcome.LIVENESS for verdict in found] == [violated, violated]
        for verdict in found if violated else []:
            assert broken(lasso(verdict), prop)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), size=st.sampled_from([(1, 1), (2, 1), (3, 1), (2, 2), (4, 2)]))
def test_random_small_protocols_get_the_verdict_of_a_plain_search(
    protocol: type[Protocol], size: tuple[int, int]
) -> None:
    pages, group = size
    instance = Instance(protocol, pages, 1, (leaves, settles), group)
    if len(brute_force(instance, limit=250).depth) > 250:
        return
    for prop in (leaves, settles):
        violated = expected(instance, prop)
        for symmetry in (False, True):
            verdict = asked(protocol, prop, pages, symmetry, group)
            assert (verdict.outcome is Outcome.LIVENESS) == violated
            if violated:
                lasso(verdict)


def searched(instance: Instance, options: Options) -> Space:
    exploration = Exploration(instance, options, keep_edges=True)
    exploration.run()
    return Space(exploration.kernel, exploration.search, exploration.findings)


@pytest.mark.parametrize("fault", [SwitchWaitsForCleanBitmap, EndlessScan], ids=lambda fault: str(fault.__name__))
def test_a_fault_breaks_the_same_property_with_and_without_symmetry(fault: type[Fault]) -> None:
    instance = Instance(fault, 2, 1, [p for p in LIVENESS if p.each != ("page",)])

    def checked(symmetry: bool) -> Liveness:
        options = Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED)
        return check_liveness(instance, lambda other: searched(other, options), options.max_memory)

    reduced, full = checked(True), checked(False)
    assert reduced.states < full.states
    assert [name for name, finding in reduced.findings.items() if finding.counterexample] == [fault.breaks[0]]
    assert [name for name, finding in full.findings.items() if finding.counterexample] == [fault.breaks[0]]


@pytest.mark.parametrize("symmetry", [True, False])
def test_the_compiled_graph_is_the_interpreted_one(symmetry: bool) -> None:
    space = searched(Instance(tiny.Unfair, 3, 1), Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED))
    kernel, states = space.kernel, space.search.array()
    assert isinstance(space.search, Interpreted)
    edges, history = space.search.edges, history_masks(kernel.layout)
    assert edges is not None
    machine, actions, packed = machine_of(kernel.plan), kernel.labels.action_of, states.view(np.int64)
    slow, seen = recorded(edges, states, history, 10**6)
    fast, found = compiled_edges(machine, packed, history, actions)
    for name in ("first", "target", "action", "moves"):
        assert np.array_equal(getattr(slow, name), getattr(fast, name))
    assert np.array_equal(seen, found)
    assert len(slow.target) > len(states)
    with pytest.raises(MemoryError):
        recorded(edges, states, history, 10)


# -- runs that go on for ever ---------------------------------------------------------------------------------------


def test_a_lasso_closes_again_when_more_is_remembered() -> None:
    """The monitor of another property changes in the first round: that round becomes part of the stem."""
    run = lasso(asked(tiny.Unfair, tiny.served))
    more = Instance(tiny.Unfair, 2, 1, [tiny.served])
    again = rebase(run, more)
    assert is_fair(again)
    assert broken(again, tiny.served) == broken(run, tiny.served)


def test_a_run_that_neglects_a_thread_is_not_fair() -> None:
    run = lasso(asked(tiny.Unfair, tiny.served))
    idle = Trace(run.instance, run.initial, run.steps[:1], "served", loop=1)
    assert [duty.unit.thread for duty in duties(idle) if duty.neglected] == ["clerk"]
    assert not is_fair(idle)
    assert not is_fair(Trace(run.instance, run.initial, run.steps, "served", loop=0))


def test_that_nothing_is_ever_promised_is_told() -> None:
    @eventually("Nothing follows from nothing")
    def nothing(state: View) -> LeadsTo:
        """Absurd."""
        return LeadsTo(when=False, then=state.counter.closed)

    verdict = asked(tiny.Counting, nothing)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.liveness is not None
    assert verdict.liveness.findings["nothing"].open == 0


# -- errors ---------------------------------------------------------------------------------------------------------


def test_a_promise_is_answered_with_both_parts() -> None:
    @eventually("A half promise")
    def half(state: View) -> LeadsTo:
        """It lacks its end."""
        return cast(LeadsTo, state.counter.closed)

    with pytest.raises(SpecError, match=r"what happens in the end is answered with LeadsTo\(when=..., then=...\)"):
        asked(tiny.Counting, half)


def test_a_promise_is_made_for_pages_and_vcpus_only() -> None:
    with pytest.raises(SpecError, match="it has a parameter thread: beside the state"):

        @eventually("For each thread")
        def each(state: View, thread: int) -> LeadsTo:
            """There is no such thing."""
            return LeadsTo(when=True, then=True)


def test_a_property_of_runs_is_chosen_by_name_as_any_other() -> None:
    assert [p.name for p in DEFAULT if p.of_runs] == [
        "every-requested-page-arrives", "every-blocked-vcpu-runs-again", "every-sleeper-is-woken", "the-switch-happens",
        "the-migration-ends", "the-guest-runs-again", "started-guest-runs",
    ]  # fmt: skip
    assert BY_NAME["every-requested-page-arrives"].each == ("page",)
    assert BY_NAME["every-blocked-vcpu-runs-again"].each == ("cpu",)


def test_the_compiled_kernel_writes_no_counter_that_a_worker_has_not() -> None:
    """Memory behind the counters is written otherwise, and the process dies much later, if at all."""
    from postcopy.explorer.search.worker import Worker

    space = searched(Instance(tiny.Unfair, 3, 1), Options((), engine=Engine.INTERPRETED))
    machine, packed = machine_of(space.kernel.plan), space.search.array().view(np.int64)
    worker = Worker(machine)
    counters = len(worker.notes.fired)
    fired = np.zeros(counters + 64, dtype=np.uint64)
    code, loop = machine
    loop.expand(code.addresses, packed, 0, len(packed), worker.scratch, fired)
    assert not fired[counters:].any()
    actions = len(set(space.kernel.labels.action_of))
    assert fired[actions:counters].any(), "as many counters as actions would not do"
