"""No deadlock, for every size: where all conjuncts hold and something still has to happen, some thread can move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, assert_never

import z3

from postcopy.language import expressions as ex
from postcopy.language.expressions import PagesExpr, TruthExpr
from postcopy.language.symbolic import read_action, read_resting
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable
from postcopy.prover.channel_expressions import (
    Lost,
    Marked,
    Messages,
    MessagesVariable,
    Received,
    Sent,
    Shortened,
    messages_after,
)
from postcopy.prover.clauses import paths_of
from postcopy.prover.formulas import Case, Meaning, Symbols
from postcopy.prover.solving import NARROW, QUICK, WIDE, Status, status_of, z3_solver
from postcopy.prover.unbounded import UnboundedInterpretation


@dataclass
class Search:
    """How far it has been shown that not all threads stand still.

    Attributes:
        seed: of z3's random choices.
        assumed: the literals that stand for the conjuncts.
        asked: how many questions to z3 it was.
        used: the literals that z3's refutations needed.
    """

    seed: int
    assumed: Sequence[Any]
    asked: int = 0
    used: set[str] = field(default_factory=set)

    def refutes(self, formulas: list[Any], work: int) -> Status:
        """Ask z3 whether the formulas hold somewhere where all conjuncts hold."""
        solver = z3_solver(self.seed, work)
        solver.add(*formulas)
        status = status_of(solver, self.assumed)
        self.asked += 1
        if status is Status.PROVED:
            self.used.update(map(str, solver.unsat_core()))
        return status


def no_deadlock(
    symbols: Symbols, asserted: Sequence[Sequence[Any]], step: Any, search: Search, patient: bool = True
) -> Status:
    """Whether z3 refutes that all threads stand still.

    It is asked for each kind of oldest message on the channels; where that is too much at once, also for each value of
    the enumerations of the machines, one after the other.

    Args:
        symbols: of the state.
        asserted: what the literals of conjuncts say of the state; once with few instances of quantifiers, once with
            many.
        step: the page of a step.
        search: how z3 is asked, and what came of it.
        patient: whether to ask with many instances where few do not suffice.
    """
    instance = symbols.instance
    stuck = Meaning(symbols, "stuck", step, wide=True)
    claims = [stuck.truth(ex.negation(read_resting(instance, UnboundedInterpretation)))]
    for action in instance.actions:
        if not action.info.environment:
            for guard, leaf in paths_of(read_action(instance, action, UnboundedInterpretation)):
                cannot = partial(stuck.truth, ex.negation(ex.conjunction(*guard, _changes(leaf))))
                claims.append(stuck.for_every_page(cannot) if action.takes_page else cannot())
    oldest = [
        [symbols.oldest(m, code) for code in range(1 + len(c.channel.kinds))] for m, c in symbols.channels.items()
    ]
    choices = [v for v in symbols.numbers if v.size > 2 and v.owner in instance.machines]
    values = [
        [Case([(symbols.numbers[v], z3.IntVal(n))], []) for n in range(v.size)]
        for v in sorted(choices, key=lambda v: -v.size)
    ]
    narrow, wide = ([*formulas, *claims, *stuck.definitions] for formulas in asserted)
    return _by_cases(search, narrow, (lambda: wide) if patient else None, [*oldest, *values], len(oldest))


def _by_cases(
    search: Search, narrow: list[Any], wide: Callable[[], list[Any]] | None, splits: list[list[Case]], at_least: int
) -> Status:
    """Whether z3 refutes the formulas. They are split into cases `at_least` so often."""
    if at_least <= 0:
        status = search.refutes(narrow, QUICK if splits else NARROW)
        if status is not Status.PROVED and not splits and wide:
            status = search.refutes(wide(), WIDE)
        if status is Status.PROVED or not splits:
            return status
    for case in splits[0]:
        also_wide = wide and partial(_within, case, wide)
        status = _by_cases(search, case.within(narrow), also_wide, splits[1:], at_least - 1)
        if status is not Status.PROVED:
            return status
    return Status.PROVED


def _within(case: Case, formulas: Callable[[], list[Any]]) -> list[Any]:
    return case.within(formulas())


def _changes(leaf: Leaf) -> TruthExpr:
    """When a path certainly changes more than history (it may do so otherwise, too)."""
    changed = []
    for variable, new in leaf.updates.items():
        if variable.ghost:
            continue
        if variable.sort is Sort.NUMBER:
            changed.append(ex.negation(ex.equal(ex.NumberVariable(variable), ex.as_number(new))))
        elif variable.sort is Sort.PAGES:
            changed.append(differs(variable, ex.as_pages(new)))
        elif _one_way(messages_after(leaf.updates, variable)):
            changed.append(ex.TRUE)
    return ex.disjunction(*changed)


def differs(variable: Variable, new: PagesExpr) -> TruthExpr:
    """Whether a set of pages becomes another one."""
    old = ex.PagesVariable(variable)
    gone, added = ex.intersection(old, ex.set_complement(new)), ex.intersection(new, ex.set_complement(old))
    return ex.negation(ex.is_empty(ex.union(gone, added)))


def _one_way(messages: Messages) -> bool:
    """Whether messages are only sent, or only received: then what is on the channel is certainly not what it was."""
    sent, received = False, False
    while True:
        match messages:
            case MessagesVariable():
                return sent is not received
            case Sent():
                sent = True
            case Received():
                received = True
            case Shortened() | Lost():
                return False
            case Marked():
                pass
            case _:
                assert_never(messages)
        messages = messages.messages
