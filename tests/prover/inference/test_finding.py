"""What is found makes a proof complete, and nothing that is not inductive stays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from postcopy.language import Answer, Page, PageSet, Property, Protocol, View, conjunct
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.prover.completion import Completed, OpenProof
from postcopy.prover.inference import completing
from postcopy.prover.inference.atoms import Names, atoms_of
from postcopy.prover.inference.clauses import Clause, property_of
from postcopy.prover.inference.completing import complete
from postcopy.prover.inference.find import Found, Inferred, find_conjuncts
from postcopy.prover.obligations import INITIAL, Proof
from postcopy.prover.proving import Only, prove
from postcopy.prover.solving import Status
from postcopy.prover.weeding import prove_what_holds
from tests.prover import small
from tests.prover.inference.pasting import pasted
from tests.prover.small import Register, Ring, Shift, last_bit_clear, never_both, never_two_ahead


def _completed(
    properties: Sequence[Property],
    invariant: Sequence[Property] = (),
    of: frozenset[str] | None = None,
    protocol: type[Protocol] = Ring,
) -> Completed:
    ask = partial(_ask, protocol)
    proof = prove_what_holds(ask, properties, invariant, of=of)
    return complete(OpenProof(protocol, properties, invariant, proof, ask, lambda _: None, of))


def _ask(
    protocol: type[Protocol],
    properties: Sequence[Property],
    invariant: Sequence[Property],
    only: Only = lambda _conjunct, _action: True,
) -> Proof:
    return prove(protocol, properties, invariant, only=only)


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
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


class TwoRegisters(Protocol):
    """Two things that have nothing to do with each other."""

    register = Register
    other = Register
    may_rest = Shift.may_rest


@conjunct("The last bit of the other register is never set")
def other_clear(state: View) -> bool:
    """No bit comes in there either."""
    return not state.other.third


@conjunct("The second bit is never set")
def second_clear(state: View) -> bool:
    """The first is never set."""
    return not state.register.second


LAST_BIT = frozenset({"last-bit-clear"})


def _asked(completed: Completed) -> set[str]:
    """What was proved, found conjuncts by their sentences."""
    said = {f.prop.name: f.prop.sentence for f in completed.found}
    return {said.get(o.conjunct, o.conjunct) for o in completed.proof.obligations}


def test_for_one_property_nothing_is_found_and_proved_that_it_does_not_need() -> None:
    everything = _completed((last_bit_clear,), (other_clear,), protocol=TwoRegisters)
    of_register = {"last-bit-clear", "Not register.first", "Not register.second"}
    assert _asked(everything) == {*of_register, "other-clear", "Not other.first", "Not other.second"}
    of_one = _completed((last_bit_clear,), (other_clear,), LAST_BIT, TwoRegisters)
    assert of_one.proof.status is Status.PROVED
    assert _asked(of_one) == of_register


def test_for_one_property_a_given_conjunct_that_it_needs_gets_help_too() -> None:
    of_one = _completed((last_bit_clear,), (second_clear, other_clear), LAST_BIT, TwoRegisters)
    assert of_one.proof.status is Status.PROVED
    assert _asked(of_one) == {"last-bit-clear", "second-clear", "Not register.first"}
