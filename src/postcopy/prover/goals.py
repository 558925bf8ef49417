"""What is to be proved, as values. A goal has violations, and is proved when each of them is impossible.

A goal says of one conjunct (or property of steps) and one action: if all conjuncts hold before the action, this one
holds after it. It has a violation for each path of the action and each part of the conjunct. The values hold all that a
solver is asked, apart from the conjuncts, which are the hypotheses of every goal about an action.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.properties import Property, of_each_page
from postcopy.language.ranking import Ranking
from postcopy.language.symbolic import read_action, read_predicate
from postcopy.language.trees import Leaf
from postcopy.language.variables import Variable
from postcopy.prover.clauses import parts_of, paths_of
from postcopy.prover.obligations import CLOSER, INITIAL, RANGES
from postcopy.prover.ranking import comes_no_closer
from postcopy.prover.single_copies import channels_of_single_copies
from postcopy.prover.unbounded import UnboundedInterpretation, initially


@dataclass(frozen=True)
class Conjunct:
    """A conjunct of the invariant, read.

    Attributes:
        name: of the property.
        parts: truth values that hold together where it holds, each with its variables.
        variables: those of all parts.
        each_page: it is claimed for every page.
    """

    name: str
    parts: tuple[tuple[TruthExpr, frozenset[Variable]], ...]
    variables: frozenset[Variable]
    each_page: bool


@dataclass(frozen=True, eq=False)
class Path:
    """A path of an action.

    Attributes:
        guard: what holds where it is taken.
        updates: new values, for the variables that change.
        pages: how many pages the action has as parameters.
    """

    guard: tuple[TruthExpr, ...]
    updates: Mapping[Variable, Value]
    pages: int


@dataclass(frozen=True, eq=False)
class Violation:
    """What must be impossible.

    Attributes:
        wrong: holds where something is violated.
        path: the step that is taken; None for the initial states, where no conjunct is assumed.
        updates: `wrong` speaks of the state after these; None: of the state before the step.
        each_page: `wrong` speaks of some page, and not of the action's.
    """

    wrong: TruthExpr
    path: Path | None
    updates: Mapping[Variable, Value] | None = None
    each_page: bool = False


@dataclass(frozen=True, eq=False)
class Goal:
    """What is to be proved of one conjunct (or property) and one action.

    Attributes:
        conjunct: name of the conjunct or property.
        action: name of the action, or `INITIAL`.
        violations: all of them; none if the action changes no variable of the conjunct.
    """

    conjunct: str
    action: str
    violations: tuple[Violation, ...]


class Reader:
    """Reads the goals from the text of a protocol.

    Attributes:
        instance: the protocol with its properties. Its size is of no importance.
        conjuncts: the invariant, and the properties of states.
        single_copies: the names of the channels on which a marked message concerns one page at most.

    Args:
        instance: see above.
        conjuncts: see above.
        ranking: why the protocol comes to an end; None: nothing is to be proved of that.

    Raises:
        SpecError: a conjunct or an action cheats or errs.
    """

    def __init__(self, instance: Instance, conjuncts: Sequence[Property], ranking: Ranking | None) -> None:
        self.instance = instance
        self.conjuncts = tuple(_read(instance, conjunct) for conjunct in conjuncts)
        self.single_copies = channels_of_single_copies(instance)
        self._ranking = ranking if ranking is not None and _is_watched(instance, ranking) else None

    def initial(self) -> list[Goal]:
        """That each conjunct holds in the initial states."""
        start = initially(self.instance)
        return [  # each part, even if it speaks of nothing that has one value at the start
            Goal(c.name, INITIAL, tuple(Violation(ex.negation(part), None, start, c.each_page) for part, _ in c.parts))
            for c in self.conjuncts
        ]

    def paths(self, action: ActionInstance) -> list[Path]:
        """The paths of an action.

        Raises:
            SpecError: the action cheats or errs.
        """
        return [Path(guard, leaf.updates, len(action.page_names)) for guard, leaf in self._leaves(action)]

    def of_action(self, action: ActionInstance) -> list[Goal]:
        """All goals about an action: for each conjunct, each property of steps, the ranges of numbers, and the end.

        Raises:
            SpecError: the action cheats or errs.
        """
        found: dict[str, list[Violation]] = {}
        for guard, leaf in self._leaves(action):
            path = Path(guard, leaf.updates, len(action.page_names))
            for name, violations in self._violations(path, leaf):
                found.setdefault(name, []).extend(violations)
        return [Goal(name, action.name, tuple(violations)) for name, violations in found.items()]

    def _leaves(self, action: ActionInstance) -> Iterator[tuple[tuple[TruthExpr, ...], Leaf]]:
        return paths_of(read_action(self.instance, action, UnboundedInterpretation))

    def _violations(self, path: Path, leaf: Leaf) -> Iterator[tuple[str, list[Violation]]]:
        changed = leaf.updates.keys()
        for conjunct in self.conjuncts:
            wrong = [ex.negation(part) for part, its in conjunct.parts if its & changed]
            yield conjunct.name, [Violation(each, path, leaf.updates, conjunct.each_page) for each in wrong]
        for index, violated in leaf.violated:
            wrong = [ex.negation(part) for part in parts_of(ex.negation(violated))]
            yield self.instance.properties[index].name, [Violation(each, path) for each in wrong]
        no_closer = self._comes_no_closer(leaf)
        yield CLOSER, [Violation(no_closer, path)] if no_closer is not ex.FALSE else []
        if leaf.checks:
            yield RANGES, [Violation(ex.negation(inside), path) for inside, _, _ in leaf.checks]

    @cached_property
    def _ending(self) -> TruthExpr:
        """Where every step has to come closer to the end."""
        if self._ranking is None:
            return ex.FALSE
        return read_predicate(self.instance, self._ranking.applies, UnboundedInterpretation)

    def _comes_no_closer(self, leaf: Leaf) -> TruthExpr:
        if self._ranking is None:
            return ex.FALSE
        return ex.conjunction(self._ending, comes_no_closer(self.instance, self._ranking.components, leaf))


def _is_watched(instance: Instance, ranking: Ranking) -> bool:
    return ranking.monitor is None or ranking.monitor.__name__ in instance.monitors


def _read(instance: Instance, conjunct: Property) -> Conjunct:
    expr = read_predicate(instance, conjunct.holds, UnboundedInterpretation)
    parts = tuple((part, part.variables()) for part in parts_of(expr))
    return Conjunct(conjunct.name, parts, expr.variables(), of_each_page(conjunct.holds))
