"""What second provers say of a proof, in words."""

from __future__ import annotations

from postcopy.prover.confirmation.confirm import Answer, Confirmation


def sentence(found: Confirmation) -> str:
    """How many questions are confirmed by a second prover, and what is not."""
    if not found.asked:
        return "No question was proved, so there is nothing to confirm."
    by = ", ".join(f"{tally.prover} {tally.confirmed:,} of {tally.asked:,}" for tally in found.tallies)
    text = f"Confirmed by a second prover: {found.confirmed:,} of {found.asked:,} questions that z3 refuted ({by})."
    if found.unanswered:
        text += f" No answer to {len(found.unanswered):,}."
    if found.disagreements:
        text += f" The provers DISAGREE about {len(found.disagreements):,}: one of them is wrong."
    return text


def disagreement(answer: Answer) -> str:
    """What two provers disagree about."""
    return f"{answer.prover} finds satisfiable what z3 has refuted: {answer.question.name}"
