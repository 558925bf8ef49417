"""The proof for every size: some conjuncts are an inductive invariant. Each conjunct is proved for each action.

An obligation says of one conjunct (or property of steps) and one action: if all conjuncts hold before the action,
this one holds after it. It is split into questions to z3, one for each path of the action and each part of the
conjunct, and is proved when each of them is refuted. Nothing else counts as proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import z3

from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import PagesExpr, TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK, Kind, Property, of_each_page
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.language.symbolic import read_action, read_predicate
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable
from postcopy.prover.channel_expressions import Sent, walk
from postcopy.prover.clauses import parts_of, paths_of
from postcopy.prover.formulas import Meaning, Symbols
from postcopy.prover.progress import Search, no_deadlock
from postcopy.prover.ranking import comes_no_closer
from postcopy.prover.solving import NARROW, WIDE, Status, status_of, worse, worst, z3_solver
from postcopy.prover.unbounded import UnboundedInterpretation, initially, messages_of

INITIAL = "in the initial states"
ANY = "any thread"
RANGES = "numbers-stay-in-range"
_ASSUMED = "assumed "
ONE_PAGE = "a-copy-is-of-one-page"
CLOSER = "comes-closer-to-the-end"


@dataclass(frozen=True)
class Obligation:
    """One obligation, and its result.

    Attributes:
        conjunct: name of the conjunct or property.
        action: name of the action, or `INITIAL`.
        status: what z3 has said.
        seconds: how long it took.
        questions: how many questions to z3 it was.
        uses: the conjuncts that z3's refutations needed.
    """

    conjunct: str
    action: str
    status: Status
    seconds: float
    questions: int
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Proof:
    """The results of all obligations.

    Attributes:
        instance: the protocol with its properties. Its size is of no importance.
        conjuncts: the invariant, the properties of states among them.
        obligations: in the order of the actions.
        framed: how many pairs there are of a conjunct and an action that changes no variable of the conjunct.
        seconds: for all obligations.
    """

    instance: Instance
    conjuncts: tuple[Property, ...]
    obligations: tuple[Obligation, ...]
    framed: int
    seconds: float

    @property
    def status(self) -> Status:
        """Of the properties: proved if all is; unknown if z3 has given up and found no counterexample elsewhere."""
        return worst(o.status for o in self.obligations if o.conjunct != CLOSER)

    @property
    def ends(self) -> Status:
        """Whether every step that the ranking speaks of comes closer to the end; unknown without a ranking."""
        asked = any(o.conjunct == CLOSER for o in self.obligations)
        return worst(o.status for o in self.obligations) if asked else Status.UNKNOWN

    @property
    def missing(self) -> list[Obligation]:
        """The obligations that are not proved."""
        return [o for o in self.obligations if o.status is not Status.PROVED]


def instance_of_any_size(
    protocol: type[Protocol], properties: Sequence[Property], invariant: Sequence[Property]
) -> Instance:
    """An instance to read the protocol from: host pages are not single pages in it, and its size does not matter."""
    watching = [c.monitor for c in invariant if c.monitor is not None]
    return Instance(protocol, 2, 1, properties, 2, watching)


def prove(
    protocol: type[Protocol],
    properties: Sequence[Property],
    invariant: Sequence[Property],
    ranking: Ranking | None = None,
    seed: int = 0,
    report: Callable[[Obligation], None] = lambda _: None,
    only: Callable[[str, str], bool] = lambda _conjunct, _action: True,
) -> Proof:
    """Prove the properties with the help of the invariant, for any number of pages and any length of the channels.

    Args:
        protocol: the class.
        properties: of states and of steps; others are left out.
        invariant: more conjuncts.
        ranking: why the protocol comes to an end; without it, nothing is said of that.
        seed: of z3's random choices.
        report: called with each obligation when it is done.
        only: which obligations (by conjunct and action) to look at; the rest counts for nothing.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    start = time.perf_counter()
    prover = Prover(protocol, properties, invariant, ranking, seed)
    done = []
    for obligation in prover.obligations(only):
        done.append(obligation)
        report(obligation)
    return Proof(prover.instance, prover.conjuncts, tuple(done), prover.framed, time.perf_counter() - start)


@dataclass(frozen=True)
class _Conjunct:
    name: str
    parts: tuple[tuple[TruthExpr, frozenset[Variable]], ...]
    variables: frozenset[Variable]
    each_page: bool


@dataclass(frozen=True)
class _Question:
    """That an expression (about the state after `updates`, or before the step) is false here."""

    wrong: TruthExpr
    updates: dict[Variable, Value] | None
    each_page: bool = False


class Prover:
    """A z3 solver that has the conjuncts as assertions, and the way through all obligations.

    Attributes:
        instance: the protocol with its properties.
        conjuncts: the invariant, and the properties of states.
        framed: how many pairs have been met of a conjunct and an action that changes no variable of the conjunct.

    Args:
        protocol, properties, invariant, ranking, seed: see `prove`.
        patient: whether to ask a second time, with more instances and more work, where the first answer is no proof.
    """

    def __init__(
        self,
        protocol: type[Protocol],
        properties: Sequence[Property],
        invariant: Sequence[Property],
        ranking: Ranking | None = None,
        seed: int = 0,
        patient: bool = True,
    ) -> None:
        kept = [p for p in properties if not p.is_witness and not p.of_runs]
        self.instance = instance_of_any_size(protocol, kept, invariant)
        self.conjuncts = (*invariant, *(p for p in kept if p.of_states))
        self.framed = 0
        self._seed, self._symbols = seed, Symbols(self.instance)
        self._step, self._page = z3.Const("step's page", self._symbols.page), z3.Const("page", self._symbols.page)
        self._read = [_read(self.instance, p) for p in self.conjuncts]
        self._assumed = {c.name: z3.Bool(_ASSUMED + c.name) for c in self._read}
        self._ranking = ranking if ranking is not None and _is_watched(self.instance, ranking) else None
        self._without: str | None = None
        self._patient = patient

    @cached_property
    def _narrow(self) -> Any:
        return self._solver(NARROW, wide=False)

    @cached_property
    def _wide(self) -> Any:
        return self._solver(WIDE, wide=True)

    def _solver(self, work: int, wide: bool) -> Any:
        solver = z3_solver(self._seed, work)
        solver.add(*self._symbols.well_formed())
        meaning = Meaning(self._symbols, "before", self._step, wide=wide)
        for conjunct in self._read:
            for part, _ in conjunct.parts:
                claim = partial(meaning.truth, part)
                holds = meaning.for_every_page(claim) if conjunct.each_page else claim()
                solver.add(z3.Implies(self._assumed[conjunct.name], holds))
        solver.add(*meaning.definitions)
        return solver

    def without(self, conjunct: str) -> Prover:
        """From now on one conjunct is neither assumed nor proved."""
        self._without = conjunct
        return self

    def obligations(self, only: Callable[[str, str], bool]) -> Iterator[Obligation]:
        """All obligations, one after the other."""
        yield from self._initial(only)
        names = {*(c.name for c in self._read), *(p.name for p in self.instance.properties), RANGES, ONE_PAGE, CLOSER}
        for action in self.instance.actions:
            if any(only(name, action.name) for name in names):
                yield from self._of_action(action, only)
        if any(p.kind is Kind.NO_DEADLOCK for p in self.instance.properties) and only(NO_DEADLOCK.name, ANY):
            start = time.perf_counter()
            asserted = [s.assertions() for s in (self._narrow, self._wide)]
            search = Search(self._seed, self._assumptions())
            status = no_deadlock(self._symbols, asserted, self._step, search, self._patient)
            uses = frozenset(literal.removeprefix(_ASSUMED) for literal in search.used)
            yield Obligation(NO_DEADLOCK.name, ANY, status, time.perf_counter() - start, search.asked, uses)

    def possible(self, action: ActionInstance) -> bool:
        """Whether z3 does not refute that the action is taken in a state in which all conjuncts hold.

        If it did, everything about the action would be proved, of no step at all.
        """
        for guard, leaf in paths_of(read_action(self.instance, action, UnboundedInterpretation)):
            solver = self._wide
            solver.push()
            solver.add(*self._on_path(guard, leaf, action.takes_page))
            status = status_of(solver, self._assumptions())
            solver.pop()
            if status is not Status.PROVED:
                return True
        return False

    def _initial(self, only: Callable[[str, str], bool]) -> Iterator[Obligation]:
        start, solver = initially(self.instance), z3_solver(self._seed, NARROW)
        for conjunct in self._read:
            if only(conjunct.name, INITIAL) and conjunct.name != self._without:
                tally = _Tally()
                for part, _ in conjunct.parts:  # each, even if it speaks of nothing that has one value at the start
                    tally.add(self._ask(_Question(ex.negation(part), start, conjunct.each_page), [], solver))
                yield tally.obligation(conjunct.name, INITIAL)

    def _of_action(self, action: ActionInstance, only: Callable[[str, str], bool]) -> Iterator[Obligation]:
        tallies: dict[str, _Tally] = {}
        for guard, leaf in paths_of(read_action(self.instance, action, UnboundedInterpretation)):
            here = self._on_path(guard, leaf, action.takes_page)
            self._narrow.push()
            self._narrow.add(*here)
            for name, questions in self._questions(leaf):
                tally = tallies.setdefault(name, _Tally())
                for question in questions if only(name, action.name) else ():
                    tally.add(self._ask(question, here))
            self._narrow.pop()
        for name, tally in tallies.items():
            if tally.questions:
                yield tally.obligation(name, action.name)
            elif only(name, action.name):
                self.framed += 1

    def _on_path(self, guard: tuple[TruthExpr, ...], leaf: Leaf, takes_page: bool) -> list[Any]:
        """The assertions about a path of an action."""
        meaning = Meaning(self._symbols, "guard", self._step, wide=True)
        guards = [meaning.truth(part) for part in guard]
        page = [self._symbols.given(self._step)] if takes_page else []
        return [*guards, *meaning.definitions, *page, *self._symbols.touched(guard, leaf)]

    def _questions(self, leaf: Leaf) -> Iterator[tuple[str, list[_Question]]]:
        changed = set(leaf.updates)
        for conjunct in self._read:
            if conjunct.name == self._without:
                continue
            yield conjunct.name, _after(conjunct, leaf.updates) if conjunct.variables & changed else []
        for index, violated in leaf.violated:
            yield self.instance.properties[index].name, [_Question(part, None) for part in _alternatives(violated)]
        for sent in _marked_messages(self.instance, leaf):
            of_two = [ex.intersection(_SENT, ex.PAGE), ex.intersection(_SENT, ex.set_complement(ex.PAGE))]
            wrong = ex.conjunction(*(ex.negation(ex.is_empty(pages)) for pages in of_two))
            yield ONE_PAGE, [_Question(wrong, {_SENT_PAGES: sent}, each_page=True)]
        no_closer = self._comes_no_closer(leaf)
        yield CLOSER, [_Question(no_closer, None)] if no_closer is not ex.FALSE else []
        if leaf.checks:
            yield RANGES, [_Question(ex.negation(inside), None) for inside, _, _ in leaf.checks]

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

    def _assumptions(self) -> list[Any]:
        return [literal for name, literal in self._assumed.items() if name != self._without]

    def _ask(self, question: _Question, here: list[Any], only: Any = None) -> _QuestionResult:
        """Ask the narrow solver, which is on the path already, then the wide one."""
        start = time.perf_counter()
        param = self._page if question.each_page else self._step
        meaning = Meaning(self._symbols, "wrong", param, question.updates, self._step, wide=True)
        wrong = [meaning.truth(question.wrong), *([self._symbols.given(self._page)] if question.each_page else [])]
        assertions = [*wrong, *meaning.definitions]
        status, uses = self._try(only or self._narrow, assertions)
        if status is not Status.PROVED and self._patient and not only:
            status, uses = self._try(self._wide, [*here, *assertions])
        return _QuestionResult(status, time.perf_counter() - start, uses)

    def _try(self, solver: Any, assertions: list[Any]) -> tuple[Status, list[str]]:
        solver.push()
        solver.add(*assertions)
        status = status_of(solver, self._assumptions())
        core = solver.unsat_core() if status is Status.PROVED else []
        uses = [str(literal).removeprefix(_ASSUMED) for literal in core]
        solver.pop()
        return status, uses


@dataclass(frozen=True)
class _QuestionResult:
    status: Status
    seconds: float
    uses: list[str]


@dataclass
class _Tally:
    """What has come of an obligation so far."""

    status: Status = Status.PROVED
    seconds: float = 0.0
    questions: int = 0
    uses: set[str] = field(default_factory=set)

    def add(self, answer: _QuestionResult) -> None:
        """One more answer."""
        self.status, self.seconds = worse(self.status, answer.status), self.seconds + answer.seconds
        self.uses.update(answer.uses)
        self.questions += 1

    def obligation(self, conjunct: str, action: str) -> Obligation:
        """The obligation, done."""
        return Obligation(conjunct, action, self.status, self.seconds, self.questions, frozenset(self.uses))


_SENT_PAGES = Variable("pages of the message sent", "", Sort.PAGES)
_SENT = ex.PagesVariable(_SENT_PAGES)


def _marked_messages(instance: Instance, leaf: Leaf) -> Iterator[PagesExpr]:
    """The pages of each message that a step sends and that carries marks, unless it is plainly one page."""
    for channel in instance.channels.values():
        marked = {channel.code(kind) for kind in channel.marked}
        after = leaf.updates.get(messages_of(channel))
        for node in walk(after) if after is not None else ():
            if isinstance(node, Sent) and node.code in marked and node.pages not in (ex.PAGE, ex.EMPTY_SET):
                yield node.pages


def _is_watched(instance: Instance, ranking: Ranking) -> bool:
    return ranking.monitor is None or ranking.monitor.__name__ in instance.monitors


def _read(instance: Instance, conjunct: Property) -> _Conjunct:
    expr = read_predicate(instance, conjunct.holds, UnboundedInterpretation)
    parts = tuple((part, part.variables()) for part in parts_of(expr))
    return _Conjunct(conjunct.name, parts, expr.variables(), of_each_page(conjunct.holds))


def _after(conjunct: _Conjunct, updates: dict[Variable, Value]) -> list[_Question]:
    """What would violate a conjunct after a step."""
    changed = updates.keys()
    return [_Question(ex.negation(p), updates, conjunct.each_page) for p, its in conjunct.parts if its & changed]


def _alternatives(wrong: TruthExpr) -> list[TruthExpr]:
    return [ex.negation(part) for part in parts_of(ex.negation(wrong))]
