"""The proof for every size goes through, needs each of its conjuncts, and speaks of the protocol that is explored."""

from __future__ import annotations

import pytest

from postcopy.explorer.explore import Options, Outcome, explore
from postcopy.model.concrete import answer_in, holds
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.model.reading import of_each_page
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.language import Kind
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import ANY, INITIAL, Proof, Prover, prove
from postcopy.prover.solving import Status
from tests.prover.walks import walk

BATCH = 12
"""Conjuncts that are explored at once: each makes the generated text longer."""

READABLE = [p for p in INVARIANT if not of_each_page(p.holds)]


def test_every_obligation_is_proved(proof: Proof) -> None:
    assert [o for o in proof.obligations if o.status is not Status.PROVED] == []
    assert proof.status is Status.PROVED


def test_every_property_and_every_conjunct_is_proved_of_the_initial_states_and_of_some_action(proof: Proof) -> None:
    of_states = {p.name for p in (*INVARIANT, *SAFETY) if p.of_states}
    proved = {(o.conjunct, o.action == INITIAL) for o in proof.obligations}
    assert {name for name, initial in proved if initial} == of_states
    spoken_of = {name for name, initial in proved if not initial}
    assert spoken_of == {p.name for p in (*INVARIANT, *SAFETY)}


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_proves_the_same(proof: Proof, seed: int) -> None:
    again = prove(Postcopy, SAFETY, INVARIANT, seed)
    assert again.status is Status.PROVED
    assert [(o.conjunct, o.action) for o in again.obligations] == [(o.conjunct, o.action) for o in proof.obligations]


@pytest.fixture(scope="module")
def prover() -> Prover:
    return Prover(Postcopy, SAFETY, INVARIANT, patient=False)


@pytest.mark.parametrize("name", [p.name for p in INVARIANT])
def test_each_conjunct_is_needed(proof: Proof, prover: Prover, name: str) -> None:
    """Without it an obligation is not proved: one that was proved with its help, or that no thread is stuck."""
    prover.without(name)

    def fails(conjunct: str, action: str) -> bool:
        (again,) = prover.obligations(lambda c, a: (c, a) == (conjunct, action))
        return again.status is Status.OPEN

    users = [o for o in proof.obligations if name in o.uses and o.conjunct != name and o.action != INITIAL]
    asked = [(o.conjunct, o.action) for o in sorted(users, key=lambda o: o.seconds)]
    asked.insert(4, ("no-deadlock", ANY))
    assert any(fails(*obligation) for obligation in asked)


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("first", range(0, len(READABLE), BATCH))
def test_the_invariant_holds_in_every_state_that_the_explorer_reaches(first: int, group: int) -> None:
    properties = [*SAFETY, *READABLE[first : first + BATCH]]
    verdict = explore(Instance(Postcopy, 2, 2, properties, group), Options(engine="interpreted"))
    assert verdict.outcome is Outcome.HOLDS, verdict.violated


def test_the_conjuncts_of_each_page_hold_on_random_runs() -> None:
    instance = Instance(Postcopy, 4, 2, [p for p in SAFETY if p.kind is not Kind.NO_DEADLOCK], 2)
    asked = [p for p in INVARIANT if of_each_page(p.holds)]
    assert asked
    for state in walk(instance, runs=25, steps=60, seed=7):
        assert [p.name for p in asked if not holds(answer_in(instance, state, p.holds))] == []
