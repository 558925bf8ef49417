"""Proofs at one size, and counterexamples to induction."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from postcopy.language.concrete import successors
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.symbolic import read_predicate
from postcopy.language.trace import Trace
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.counterexample import Reachable, find
from postcopy.prover.induction import k_induction, spacer
from postcopy.prover.obligations import Obligation
from postcopy.prover.session import at_size
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer
from tests.prover.small import Ring, Shift, last_bit_clear, never_both, never_two_ahead

OF_STATES_AND_STEPS = [p for p in SAFETY if p.of_states or p.of_steps]


@pytest.mark.unmeasured
@pytest.mark.slow_but("1-1-1")
@pytest.mark.parametrize(("pages", "in_flight", "group"), [(1, 1, 1), (2, 2, 1), (2, 2, 2), (3, 1, 3)])
def test_the_invariant_is_inductive_at_a_size(pages: int, in_flight: int, group: int) -> None:
    answer = k_induction(Instance(Postcopy, pages, in_flight, OF_STATES_AND_STEPS, group), INVARIANT, 1)
    assert answer.status is Status.PROVED


@pytest.mark.slow_but("silent-at-first")
@pytest.mark.parametrize("conjunct", INVARIANT, ids=lambda conjunct: conjunct.name)
def test_a_conjunct_can_be_asked_where_channels_are_longest(conjunct: Property) -> None:
    """One that looks at each place of a channel is no longer to read there: `carries` is one question."""
    read_predicate(Instance(Postcopy, 1, 8, OF_STATES_AND_STEPS), conjunct.holds)


@pytest.mark.unmeasured
def test_the_properties_alone_are_not_inductive() -> None:
    answer = k_induction(Instance(Postcopy, 1, 1, OF_STATES_AND_STEPS), (), 1)
    assert answer.status is Status.OPEN
    run = answer.failed["no-page-lost"]
    assert run.steps
    assert not Reachable(run.instance).reaches(run)


@pytest.mark.unmeasured
def test_a_broken_protocol_is_refuted_by_a_run() -> None:
    instance = Instance(FAULTS["cpus-run-on"], 1, 1, OF_STATES_AND_STEPS)
    result = at_size(instance, OF_STATES_AND_STEPS, INVARIANT, "invariant", lambda _: None)
    assert "no-write-after-switch" in {v.property.name for v in result.of(Answer.REFUTED)}


def test_k_induction_needs_as_many_states_in_a_row_as_it_says() -> None:
    instance = Instance(Shift, 1, 1, [last_bit_clear])
    assert k_induction(instance, (), 2).status is Status.OPEN
    answer = k_induction(instance, (), 4)
    assert (answer.status, answer.k) == (Status.PROVED, 3)


def ask_spacer(name: str) -> Status:
    """What Spacer says of a property of the ring."""
    prop = {p.name: p for p in (never_two_ahead, never_both)}[name]
    return spacer(Instance(Ring, 1, 1, [prop]), seconds=60).status


@pytest.mark.parametrize(("name", "status"), [("never-two-ahead", Status.PROVED), ("never-both", Status.OPEN)])
def test_spacer_finds_an_invariant_or_a_violation_of_a_small_protocol(name: str, status: Status) -> None:
    """In a process of its own, as on the command line: how Spacer fares depends on all that z3 was told before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        assert alone.submit(ask_spacer, name).result() is status


def ask_spacer_for_a_moment() -> Status:
    large = Instance(Postcopy, 2, 2, OF_STATES_AND_STEPS)  # z3 looks at its clock rarely: a small proof is done
    return spacer(large, seconds=0.05).status


def test_spacer_out_of_time_is_no_proof() -> None:
    """In a process of its own, as above: once it has come to a proof before it looked at its clock."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        assert alone.submit(ask_spacer_for_a_moment).result() is Status.UNKNOWN


@pytest.mark.unmeasured
def test_a_counterexample_to_induction_is_one_step_from_a_state_where_all_conjuncts_hold() -> None:
    conjuncts = [*INVARIANT, *(p for p in SAFETY if p.of_states)]
    open_one = Obligation("discards-complete", "source.sends_discards", Status.OPEN, 0.0, 1)
    trace = find(FAULTS["no-discards"], OF_STATES_AND_STEPS, conjuncts, open_one, sizes=[(1, 1, 1)])
    assert trace is not None
    assert [step.action.name for step in trace.steps] == ["source.sends_discards"]
    assert trace.violated == "discards-complete"
    assert find(Postcopy, OF_STATES_AND_STEPS, conjuncts, open_one, sizes=[(1, 1, 1)]) is None


def test_whether_a_state_is_reached_is_said_of_reachable_states_too() -> None:
    instance = Instance(Ring, 1, 1)
    (initial,) = instance.initial_states()
    step = next(successors(instance, initial))
    reach = Reachable(instance)
    assert reach.reaches(Trace(instance, step.state, (), "anything"))
    elsewhere = tuple(1 if v.name == "right.turn" else x for v, x in zip(instance.variables, initial, strict=True))
    assert not reach.reaches(Trace(instance, elsewhere, (), "anything"))
