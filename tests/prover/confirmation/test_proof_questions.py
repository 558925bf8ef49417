"""The questions of a proof as texts: all of them, with what z3 needed.

A sample of the document's protocol is confirmed here; the whole takes minutes, and is in the slow tier.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import z3

from postcopy.catalogue.properties import proved_of
from postcopy.language import View, always
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy
from postcopy.prover.applicable import applicable
from postcopy.prover.confirmation.confirm import Confirmation, confirm
from postcopy.prover.confirmation.proof_questions import LostQuestionError, questions_of
from postcopy.prover.means import Means, cores
from postcopy.prover.obligations import ANY, INITIAL, Proof
from postcopy.prover.proving import prove
from postcopy.prover.solving import Status
from postcopy.prover.theory import Theory
from postcopy.prover.verdicts import can_be_asked
from tests.protocols.light import Light, never_broken
from tests.prover.confirmation.installed import needs_cvc5

Only = Callable[[str, str], bool]

SAMPLE = {
    ("no-two-guests", INITIAL),
    ("discards-once", "source.sends_discards"),
    ("main-follows-state", "destination.handles_run"),
    ("no-request-lost", "destination.requests_page"),
    ("requested-first", "source.sends_background_page"),
    ("one-place", "destination.places_page"),
    ("no-page-sent-twice", "source.serves_request"),
    ("discards-complete", "source.sends_discards"),
    ("nothing-stale-at-start", "destination.handles_run"),
    ("comes-closer-to-the-end", "source.sends_background_page"),
    ("completed-means-arrived", "source.receives_shut"),
}
"""Conjuncts and actions, or as many of them as there are: some twenty questions."""


def of_document(only: Only, workers: int = 0) -> Proof:
    properties, invariant, ranking = proved_of(Postcopy)
    claims = [p for p in properties if can_be_asked(p)]
    there = applicable(Postcopy, claims, invariant, ranking)
    return prove(Postcopy, claims, there.invariant, there.ranking, means=Means(workers=workers), only=only)


RANKING = proved_of(Postcopy)[2]


def confirmed(proof: Proof, **how: Any) -> Confirmation:
    return confirm(questions_of(proof, RANKING), 2, **how)


@pytest.fixture(scope="module")
def sample() -> Proof:
    proof = of_document(lambda conjunct, action_: (conjunct, action_) in SAMPLE)
    assert proof.status is Status.PROVED
    return proof


@pytest.mark.unmeasured
def test_each_question_that_z3_was_asked_has_a_text(sample: Proof) -> None:
    questions = list(questions_of(sample, RANKING))
    assert len(questions) == sum(o.questions for o in sample.obligations) >= 20
    assert len({q.text for q in questions}) == len(questions)
    of = [tuple(dict(q.about)[label] for label in ("conjunct", "action")) for q in questions]
    assert list(dict.fromkeys(of)) == [(o.conjunct, o.action) for o in sample.obligations]
    assert "assumed" not in "".join(q.text for q in questions), "hypotheses are asserted, not implied by a literal"


@pytest.mark.unmeasured
@needs_cvc5
def test_a_second_prover_confirms_a_sample_of_the_proof(sample: Proof) -> None:
    found = confirmed(sample)
    assert found.asked == sum(o.questions for o in sample.obligations)
    assert found.confirmed == found.asked
    assert not found.disagreements


@pytest.fixture
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not confirmed shall not take long."""
    monkeypatch.setattr("postcopy.prover.confirmation.cvc5_answers.WORK", 100_000)


# -- a checker's mutants ----------------------------------------------------------------------------------------------


@pytest.mark.unmeasured
@needs_cvc5
@pytest.mark.usefixtures("in_haste")
def test_a_core_that_is_exported_without_its_hypotheses_is_not_confirmed(sample: Proof) -> None:
    bare = replace(sample, obligations=tuple(replace(o, uses=frozenset()) for o in sample.obligations))
    found = confirmed(bare)
    assert found.asked == sum(o.questions for o in sample.obligations)
    missed = {dict(a.question.about)["conjunct"] for a in (*found.unanswered, *found.disagreements)}
    assert missed == {o.conjunct for o in sample.obligations if o.uses}


@pytest.mark.unmeasured
@needs_cvc5
@pytest.mark.usefixtures("in_haste")
@pytest.mark.parametrize("left_out", ["the path", "what is wrong"])
def test_texts_that_lack_a_part_are_not_confirmed(
    sample: Proof, left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if left_out == "the path":
        monkeypatch.setattr(Theory, "path", lambda *_: [])
    else:
        monkeypatch.setattr(Theory, "violation", lambda *_: [])
    found = confirmed(replace(sample, obligations=sample.obligations[1:4]))
    assert found.confirmed < found.asked


@pytest.mark.unmeasured
@needs_cvc5
@pytest.mark.usefixtures("in_haste")
def test_the_wrong_sign_is_not_confirmed(sample: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    violation = Theory.violation

    def negated(self: Theory, wrong: Any) -> list[Any]:
        first, *rest = violation(self, wrong)
        return [z3.Not(first), *rest]

    monkeypatch.setattr(Theory, "violation", negated)
    found = confirmed(replace(sample, obligations=sample.obligations[1:4]))
    assert found.asked
    assert not found.confirmed


@pytest.mark.parametrize("questions", [-1, 1])
def test_a_question_that_is_lost_or_too_many_is_an_error(sample: Proof, questions: int) -> None:
    first, *rest = sample.obligations
    wrong = replace(sample, obligations=(replace(first, questions=first.questions + questions), *rest))
    with pytest.raises(
        LostQuestionError, match=f"{first.questions} violations, {first.questions + questions} questions"
    ):
        list(questions_of(wrong, RANKING))


@pytest.mark.parametrize("changes", [{"conjunct": "no such conjunct"}, {"action": "no such action"}])
def test_an_obligation_without_a_goal_is_an_error(sample: Proof, changes: dict[str, str]) -> None:
    first, *rest = sample.obligations
    with pytest.raises(LostQuestionError):
        list(questions_of(replace(sample, obligations=(replace(first, **changes), *rest)), RANKING))  # type: ignore[arg-type]


def test_what_is_not_proved_is_not_asked(sample: Proof) -> None:
    first, *rest = sample.obligations
    open_ = replace(sample, obligations=(replace(first, status=Status.OPEN), *rest))
    assert len(list(questions_of(open_, RANKING))) == sum(o.questions for o in rest)


# -- a protocol of its own, with a deadlock that is impossible ---------------------------------------------------------


class Restless(Light):
    """The lamp, which has to be switched on and off for ever."""

    @staticmethod
    def may_rest(state: View) -> bool:
        return False


@always("It is off")
def never_on(state: View) -> bool:
    """It is not."""
    return not state.lamp.on


@needs_cvc5
def test_the_absence_of_deadlock_is_confirmed_with_what_it_needs() -> None:
    proof = prove(Restless, [NO_DEADLOCK], [never_broken])
    assert [o.uses for o in proof.obligations if o.action == ANY] == [{"never-broken"}]
    found = confirm(questions_of(proof, None), 2)
    assert found.confirmed == found.asked
    bare = replace(proof, obligations=tuple(replace(o, uses=frozenset()) for o in proof.obligations))
    without = confirm(questions_of(bare, None), 2)
    assert without.confirmed == without.asked - 1
    assert {a.question.about[2] for a in (*without.unanswered, *without.disagreements)} == {("action", ANY)}


@needs_cvc5
def test_a_claim_that_is_false_is_not_confirmed() -> None:
    """As if z3 had said "unsat" of it."""
    proof = prove(Light, [], [never_on])
    assert proof.status is Status.OPEN
    lie = replace(proof, obligations=tuple(replace(o, status=Status.PROVED) for o in proof.obligations))
    found = confirm(questions_of(lie, None), 2)
    assert [a.question.name for a in (*found.unanswered, *found.disagreements)] == [
        "protocol Light, conjunct never-on, action lamp.switches_on, part 1 of 1"
    ]
    assert found.confirmed == found.asked - 1


@pytest.mark.slow
@pytest.mark.skipif(
    "POSTCOPY_CONFIRM_ALL" not in os.environ, reason="takes minutes: POSTCOPY_CONFIRM_ALL=1 asks for it"
)
@needs_cvc5
def test_a_second_prover_confirms_the_whole_proof() -> None:
    proof = of_document(lambda *_: True, cores())
    assert proof.status is Status.PROVED
    found = confirm(questions_of(proof, RANKING), cores())
    assert [a.question.name for a in (*found.unanswered, *found.disagreements)] == []
    assert found.confirmed == found.asked
    of_steps = sum(o.questions for o in proof.obligations if o.action != ANY)
    assert found.asked > of_steps
