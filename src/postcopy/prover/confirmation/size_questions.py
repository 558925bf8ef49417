"""The questions on which a proof at one size rests: that the first states are right, and each step from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import z3

from postcopy.language.properties import Property
from postcopy.prover.applicable import applicable
from postcopy.prover.confirmation.question import BIT_VECTORS, Question, question_of
from postcopy.prover.induction import SizedProof
from postcopy.prover.steps import Steps


def questions_of(answer: SizedProof, invariant: Sequence[Property]) -> Iterator[Question]:
    """What z3 refuted in the end: a violation of what is proved, in the first states, and after `k` states in a row.

    Args:
        answer: of k-induction.
        invariant: what the proof was given, if it was given any.
    """
    instance = answer.instance
    conjuncts = applicable(instance.protocol, instance.properties, invariant, None).invariant
    for length in range(answer.k + 1):
        from_start = length < answer.k
        steps = Steps(instance, conjuncts, length, from_start)
        wanted = [name for name in steps.wrong if name in answer.proved]
        if wanted:
            assumed = [name for name in steps.claims if name in answer.proved]
            about = (
                ("protocol", instance.protocol.__name__),
                ("size", instance.size),
                ("method", answer.method),
                ("part", f"{length} steps from the start" if from_start else f"{length} steps in a row"),
            )
            yield question_of(about, standard(steps.asked(assumed, wanted)), logic=BIT_VECTORS)


def standard(formulas: Iterable[Any]) -> list[Any]:
    """The same formulas without an "and" or "or" of one formula or none, which z3 has and SMT-LIB does not."""
    done: dict[int, Any] = {}
    return [_standard(formula, done) for formula in formulas]


def _standard(formula: Any, done: dict[int, Any]) -> Any:
    """The same for one formula without quantifiers. With a stack of its own: formulas are deep."""
    stack = [formula]
    while stack:
        top = stack[-1]
        open_ones = [child for child in top.children() if child.get_id() not in done]
        if open_ones:
            stack += open_ones
            continue
        stack.pop()
        children = [done[child.get_id()] for child in top.children()]
        if len(children) < 2 and (z3.is_and(top) or z3.is_or(top)):
            done[top.get_id()] = children[0] if children else z3.BoolVal(z3.is_and(top))
        elif children and any(new is not old for new, old in zip(children, top.children(), strict=True)):
            done[top.get_id()] = top.decl()(*children)
        else:
            done[top.get_id()] = top
    return done[formula.get_id()]
