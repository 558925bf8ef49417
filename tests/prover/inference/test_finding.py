"""What is found makes a proof complete, and nothing that is not inductive stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.language import Answer, Page, PageSet, Property, View, conjunct
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.prover.completion import Completed, OpenProof
from postcopy.prover.inference import completing
from postcopy.prover.inference.atoms import Names, atoms_of
from postcopy.prover.inference.clauses import Clause, property_of
from postcopy.prover.inference.completing import complete
from postcopy.prover.inference.find import Found, Inferred, find_conjuncts
from postcopy.prover.means import HERE
from postcopy.prover.obligations import INITIAL
from postcopy.prover.proving import prove
from postcopy.prover.solving import Status
from tests.prover import small
from tests.prover.inference.pasting import pasted
from tests.prover.small import Ring, never_both, never_two_ahead


def _completed(properties: tuple[Property, ...], invariant: tuple[Property, ...] = ()) -> Completed:
    proof = prove(Ring, properties, invariant)
    return complete(OpenProof(Ring, properties, invariant, None, proof, HERE, lambda _: None, lambda _: None))


def test_a_proof_is_completed(tmp_path: Path) -> None:
    assert prove(Ring, (never_two_ahead,), ()).status is not Status.PROVED
    completed = _completed((never_two_ahead,))
    assert completed.proof.status is Status.PROVED
    assert completed.found
    assert {f.prop.name for f in completed.found} <= {c.name for c in completed.proof.conjuncts}
    text = completed.imports + "\n".join(f.source for f in completed.found)
    given = pasted(tmp_path, text, **vars(small))
    assert len(given) == len(completed.found)
    again = prove(Ring, (never_two_ahead,), list(given.values()))
    assert again.status is Status.PROVED


def test_what_is_false_is_not_proved() -> None:
    proof = _completed((never_both,)).proof
    assert proof.status is not Status.PROVED
    assert {o.conjunct for o in proof.missing} >= {"never-both"}


@conjunct("Left has the turn, always")
def left_has_the_turn(state: View) -> bool:
    """It is not so."""
    turn: bool = state.left.turn
    return turn


def test_a_conjunct_that_is_observed_to_be_false_is_left_out_and_said() -> None:
    completed = _completed((never_two_ahead,), (left_has_the_turn,))
    assert completed.untrue == (left_has_the_turn,)
    assert completed.proof.status is Status.PROVED
    assert left_has_the_turn not in completed.proof.conjuncts


def test_a_candidate_that_is_not_inductive_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step of the real protocol keeps what was found; here one is slipped in that a step does not keep."""
    names = Names()
    atom = next(a for a in atoms_of(Instance(Ring, 1, 1), names) if a.yes == "state.left.turn")
    clause = Clause(((atom, True),))
    bogus = Found(property_of(clause, "bogus", names), clause)

    def with_bogus(*args: object, **kwargs: object) -> Inferred:
        right = find_conjuncts(*args, **kwargs)  # type: ignore[arg-type]
        return Inferred((bogus, *right.found), right.untrue, right.lost, right.seconds, right.finished, right.names)

    monkeypatch.setattr(completing, "find_conjuncts", with_bogus)
    completed = _completed((never_two_ahead,))
    proof = completed.proof
    assert bogus.prop not in [f.prop for f in completed.found]
    assert bogus.prop not in proof.conjuncts
    assert not any("bogus" in o.uses for o in proof.obligations)
    assert proof.status is Status.PROVED


@conjunct("Each page is in a host page that is not wholly assembled")
def never_whole(state: View, page: Page) -> Answer:
    """At the start nothing is assembled; the page itself shows it."""
    missing: PageSet = ~state.destination.assembling
    return missing.host_pages[page]


def test_a_conjunct_about_the_host_page_of_each_page_is_proved_of_the_start() -> None:
    proof = prove(Postcopy, (), [never_whole], only=lambda _, where: where == INITIAL)
    assert [o.status for o in proof.obligations] == [Status.PROVED]
