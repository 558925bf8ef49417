"""The proof for every size goes through, and speaks of the protocol that is explored."""

from __future__ import annotations

import pytest

from postcopy.cache import user_cache
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language.concrete import answer_in, holds
from postcopy.language.instance import Instance
from postcopy.language.properties import Kind, of_each_page
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.ranking import RANKING
from postcopy.properties.safety import SAFETY
from postcopy.prover.means import Means
from postcopy.prover.obligations import ANY, CLOSER, INITIAL
from postcopy.prover.proving import prove
from postcopy.prover.solving import Status
from tests.prover.walks import walk

BATCH = 12
"""Conjuncts that are explored at once: each makes the generated text longer."""

BY_THEIR_TEXT = {"only-advise-is-refused", "operator-cancels-alone", "threads-do-their-own-work"}
"""Properties of steps that no path of an action can violate, as its text shows: there is nothing to ask z3."""

READABLE = [p for p in INVARIANT if not of_each_page(p.holds)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_every_property_and_every_conjunct_is_proved_of_the_start_and_of_some_action(seed: int) -> None:
    means = Means(seed=seed, cache=user_cache())  # tests/cli/test_prove.py asks the same with seed 0
    proof = prove(Postcopy, SAFETY, INVARIANT, RANKING, means)
    assert [o for o in proof.obligations if o.status is not Status.PROVED] == []
    assert (proof.status, proof.ends) == (Status.PROVED, Status.PROVED)
    of_states = {p.name for p in (*INVARIANT, *SAFETY) if p.of_states}
    proved = {(o.conjunct, o.action == INITIAL) for o in proof.obligations}
    assert {name for name, initial in proved if initial} == of_states
    spoken_of = {name for name, initial in proved if not initial}
    assert spoken_of == {p.name for p in (*INVARIANT, *SAFETY)} - BY_THEIR_TEXT | {CLOSER}
    assert {o.action for o in proof.obligations} == {a.name for a in proof.instance.actions} | {INITIAL, ANY}


@pytest.mark.slow_but("0-1", "0-2")
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("first", range(0, len(READABLE), BATCH))
def test_the_invariant_holds_in_every_state_that_the_explorer_reaches(first: int, group: int) -> None:
    properties = [*SAFETY, *READABLE[first : first + BATCH]]
    verdict = explore(Instance(Postcopy, 2, 2, properties, group), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.HOLDS, verdict.violated
    assert verdict.never_fired == []


@pytest.mark.slow
def test_the_conjuncts_of_each_page_hold_on_random_runs() -> None:
    instance = Instance(Postcopy, 4, 2, [p for p in SAFETY if p.kind is not Kind.NO_DEADLOCK], 2)
    asked = [p for p in INVARIANT if of_each_page(p.holds)]
    assert asked
    for state in walk(instance, runs=25, steps=60, seed=7):
        assert [p.name for p in asked if not holds(answer_in(instance, state, p.holds))] == []
