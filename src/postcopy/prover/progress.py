"""No deadlock, for every size: where all conjuncts hold and something still has to happen, some thread can move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

import z3

from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK
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
from postcopy.prover.formulas import Case, Meaning
from postcopy.prover.ranking import differs
from postcopy.prover.solving import NARROW, QUICK, WIDE, Status, status_of, worse, z3_solver
from postcopy.prover.theory import Theory
from postcopy.prover.unbounded import UnboundedInterpretation, messages_of


@dataclass(frozen=True, eq=False)
class Deadlock:
    """That all threads stand still although something still has to happen: it must be impossible.

    It is split into parts, one for each kind of oldest message on the first channel.

    Attributes:
        conjunct: the name of the property.
        unfinished: something still has to happen.
        moves: for each path of a thread's action, when it can be taken and changes something, and how many pages the
            action has.
        oldest: for each channel, the numbers of the kinds that its oldest message may have; 0 for no message.
        numbers: variables whose values a hard case is split by.
    """

    conjunct: str
    unfinished: TruthExpr
    moves: tuple[tuple[TruthExpr, int], ...]
    oldest: tuple[tuple[Variable, range], ...]
    numbers: tuple[Variable, ...]

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return len(self.oldest[0][1]) if self.oldest else 1


@dataclass(frozen=True)
class Found:
    """What z3 has said of a part: how many questions it was, and which literals it needed."""

    status: Status
    asked: int
    core: list[Any]


def deadlock_of(instance: Instance) -> Deadlock:
    """What a deadlock of a protocol is.

    Raises:
        SpecError: an action cheats or errs.
    """
    moves = []
    for action in instance.actions:
        if not action.info.environment:
            for guard, leaf in paths_of(read_action(instance, action, UnboundedInterpretation)):
                moves.append((ex.conjunction(*guard, _changes(leaf)), len(action.page_names)))
    numbers = [v for v in instance.variables if v.sort is Sort.NUMBER and v.size > 2 and v.owner in instance.machines]
    return Deadlock(
        NO_DEADLOCK.name,
        ex.negation(read_resting(instance, UnboundedInterpretation)),
        tuple(moves),
        tuple((messages_of(c), range(1 + len(c.kinds))) for c in instance.channels.values()),
        tuple(sorted(numbers, key=lambda v: -v.size)),
    )


def stuck(theory: Theory, deadlock: Deadlock) -> list[Any]:
    """The formulas that say that all threads stand still."""
    meaning = Meaning(theory.symbols, "stuck", theory.step, wide=True)
    claims = [meaning.truth(deadlock.unfinished)]
    for move, pages in deadlock.moves:
        cannot = partial(meaning.truth, ex.negation(move))
        claims.append(meaning.for_every_choice(pages, cannot))
    return [*claims, *meaning.definitions]


def refute_deadlock(
    theory: Theory, deadlock: Deadlock, part: int, assumed: list[Any], seed: int, patient: bool
) -> Found:
    """Whether z3 refutes one part of a deadlock.

    It is asked for each kind of oldest message on the other channels; where that is too much at once, also for each
    value of `deadlock.numbers`, one after the other.

    Args:
        theory: the formulas.
        deadlock: see there.
        part: which.
        assumed: literals of the conjuncts that hold.
        seed: of z3's random choices.
        patient: whether to ask with many instances of quantifiers where few are not enough.
    """
    symbols, claims = theory.symbols, stuck(theory, deadlock)
    oldest = [[symbols.oldest(messages, code) for code in codes] for messages, codes in deadlock.oldest]
    values = [[Case([(symbols.numbers[v], z3.IntVal(n))], []) for n in range(v.size)] for v in deadlock.numbers]
    first = [oldest[0][part : part + 1], *oldest[1:]] if oldest else []
    narrow = [*theory.asserted(theory.narrow), *claims]
    wide = (lambda: [*theory.asserted(theory.wide), *claims]) if patient else None
    return _ByCases(assumed, seed).refute(narrow, wide, [*first, *values], len(first))


@dataclass(frozen=True)
class _ByCases:
    """A proof by cases.

    Attributes:
        assumed: literals of what is assumed.
        seed: of z3's random choices.
    """

    assumed: list[Any]
    seed: int

    def refute(
        self, narrow: list[Any], wide: Callable[[], list[Any]] | None, splits: list[list[Case]], at_least: int
    ) -> Found:
        """Whether z3 refutes the narrow formulas, or else the wide ones. They are split `at_least` so often."""
        found = Found(Status.UNKNOWN, 0, [])
        if at_least <= 0:
            found = self._ask(narrow, QUICK if splits else NARROW, 1)
            if found.status is not Status.PROVED and not splits and wide:
                found = self._ask(wide(), WIDE, 2)
            if found.status is Status.PROVED or not splits:
                return found
        worst, asked, core = Status.PROVED, 0, list[Any]()
        for case in splits[0]:
            within = wide and partial(_within, case, wide)
            found = self.refute(case.within(narrow), within, splits[1:], at_least - 1)
            worst, asked, core = worse(worst, found.status), asked + found.asked, core + found.core
            if worst is not Status.PROVED:
                break
        return Found(worst, asked, core)

    def _ask(self, formulas: list[Any], work: int, asked: int) -> Found:
        solver = z3_solver(self.seed, work)
        solver.add(*formulas)
        status = status_of(solver, self.assumed)
        return Found(status, asked, list(solver.unsat_core()) if status is Status.PROVED else [])


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
