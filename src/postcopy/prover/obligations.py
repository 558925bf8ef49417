"""The proof for every size: that a list of conjuncts is an inductive invariant, conjunct by conjunct and action by action.

An obligation says of one conjunct (or property of steps) and one action: if all conjuncts hold before the action, this one
holds after it. It is split into questions to z3, one for each path of the action and each part of the conjunct, and is
proved when each of them is refuted. Nothing else counts as proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any

import z3

from postcopy.model import expressions as ex
from postcopy.model.expressions import Expr, Sort, Variable
from postcopy.model.instance import ActionInstance, Instance
from postcopy.model.language import Protocol
from postcopy.model.symbolic import Branch, Leaf, Tree, of_each_page, read_action, read_predicate, read_resting
from postcopy.prover.clauses import parts_of
from postcopy.prover.formulas import Meaning, Symbols
from postcopy.prover.unbounded import UnboundedReading, initially, messages_of
from postcopy.properties.language import NO_DEADLOCK, Kind, Property

QUICK, NARROW, WIDE = 1_000_000, 20_000_000, 80_000_000
"""How much z3 may work on a question, in its own units (some two million a second): unlike seconds, these do not
depend on what else the machine does."""

INITIAL = "in the initial states"
ANY = "whoever may move"
RANGES = "numbers-stay-in-range"
ONE_PAGE = "a-copy-is-of-one-page"


class Status(Enum):
    """What z3 has said of an obligation."""

    PROVED = auto()
    OPEN = auto()
    """z3 has found what looks like a counterexample."""
    UNKNOWN = auto()
    """z3 has given up: too much work."""


@dataclass(frozen=True)
class Obligation:
    """One thing to prove, and what came of it.

    Attributes:
        conjunct: name of the conjunct or property.
        action: name of the action, or `INITIAL`.
        status: what z3 has said.
        seconds: how long it took.
        questions: how many questions to z3 it was.
    """

    conjunct: str
    action: str
    status: Status
    seconds: float
    questions: int


@dataclass(frozen=True)
class Proof:
    """What came of all obligations.

    Attributes:
        instance: the protocol with its properties. Its size is of no importance.
        conjuncts: the invariant, the properties of states among them.
        obligations: in the order of the actions.
        framed: pairs of a conjunct and an action that changes nothing that the conjunct speaks of.
        seconds: in all.
    """

    instance: Instance
    conjuncts: tuple[Property, ...]
    obligations: tuple[Obligation, ...]
    framed: int
    seconds: float

    @property
    def status(self) -> Status:
        """Proved if all are; unknown if z3 has given up somewhere and found no counterexample elsewhere."""
        found = {o.status for o in self.obligations}
        return next((s for s in (Status.OPEN, Status.UNKNOWN) if s in found), Status.PROVED)

    @property
    def missing(self) -> list[Obligation]:
        """What is not proved."""
        return [o for o in self.obligations if o.status is not Status.PROVED]


def carrier(protocol: type[Protocol], properties: Sequence[Property]) -> Instance:
    """An instance to read the protocol from: host pages are not single pages in it, and its size does not matter."""
    return Instance(protocol, 2, 1, properties, group=2)


def prove(
    protocol: type[Protocol],
    properties: Sequence[Property],
    invariant: Sequence[Property],
    seed: int = 0,
    report: Callable[[Obligation], None] = lambda _: None,
    only: Callable[[str, str], bool] = lambda _conjunct, _action: True,
) -> Proof:
    """Prove the properties with the help of the invariant, for any number of pages and any length of the channels.

    Args:
        protocol: the class.
        properties: of states and of steps; others are left out.
        invariant: more conjuncts.
        seed: of z3's random choices.
        report: told of each obligation when it is done.
        only: which obligations (by conjunct and action) to look at; the rest counts for nothing.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    start = time.perf_counter()
    kept = [p for p in properties if not p.is_witness]
    work = _Work(carrier(protocol, kept), (*invariant, *(p for p in kept if p.of_states)), seed)
    done = []
    for obligation in work.obligations(only):
        done.append(obligation)
        report(obligation)
    return Proof(work.instance, work.conjuncts, tuple(done), work.framed, time.perf_counter() - start)


@dataclass(frozen=True)
class _Conjunct:
    name: str
    expr: Expr
    parts: tuple[Expr, ...]
    variables: frozenset[Variable]
    each_page: bool


@dataclass(frozen=True)
class _Question:
    """That an expression (about the state after `updates`, or before the step) is false here."""

    wrong: Expr
    updates: dict[Variable, Expr] | None
    each_page: bool = False


class _Work:
    """The solvers, told of the conjuncts, and the way through all obligations."""

    def __init__(self, instance: Instance, conjuncts: tuple[Property, ...], seed: int) -> None:
        self.instance, self.conjuncts = instance, conjuncts
        self.symbols = Symbols(instance)
        self.step, self.page = z3.Const("step's page", self.symbols.page), z3.Const("page", self.symbols.page)
        self.read = [_read(instance, p) for p in conjuncts]
        self.framed = 0
        self._narrow = self._solver(seed, NARROW, wide=False)
        self._wide = self._solver(seed, WIDE, wide=True)
        self._empty = _z3(seed, NARROW)

    def _solver(self, seed: int, work: int, wide: bool) -> Any:
        solver = _z3(seed, work)
        solver.add(*self.symbols.well_formed())
        meaning = Meaning(self.symbols, "before", self.step, wide=wide)
        for conjunct in self.read:
            for part in conjunct.parts:
                claim = partial(meaning.truth, part)
                solver.add(meaning.for_every_page(claim) if conjunct.each_page else claim())
        solver.add(*meaning.definitions)
        return solver

    def obligations(self, only: Callable[[str, str], bool]) -> Iterator[Obligation]:
        """All obligations, one after the other."""
        start = initially(self.instance)
        for conjunct in self.read:
            if only(conjunct.name, INITIAL):
                yield self._answer(conjunct.name, INITIAL, [((), None, _after(conjunct, start))])
        for action in self.instance.actions:
            yield from self._of_action(action, only)
        if any(p.kind is Kind.NO_DEADLOCK for p in self.instance.properties) and only(NO_DEADLOCK.name, ANY):
            yield self._no_deadlock()

    def _no_deadlock(self) -> Obligation:
        """Where all conjuncts hold and something still has to happen, some thread can move.

        Asked for each kind of oldest message on the channels; where that is too much at once, also for each value of the
        enumerations, one after the other.
        """
        start, symbols = time.perf_counter(), self.symbols
        stuck = Meaning(symbols, "stuck", self.step, wide=True)
        claims = [stuck.truth(ex.negation(read_resting(self.instance, UnboundedReading)))]
        for action in self.instance.actions:
            if not action.info.environment:
                for guard, leaf in _paths(read_action(self.instance, action, UnboundedReading)):
                    cannot = partial(stuck.truth, ex.negation(ex.conjunction(*guard, _changes(leaf))))
                    claims.append(stuck.for_every_page(cannot) if action.takes_page else cannot())
        for solver in (self._narrow, self._wide):
            solver.push()
            solver.add(*claims, *stuck.definitions)
        splits = [[symbols.oldest(channel, code) for code in range(1 + len(c.channel.kinds))] for channel, c in symbols.channels.items()]
        choices = sorted((v for v in symbols.numbers if v.size > 2), key=lambda v: -v.size)
        splits += [[[symbols.numbers[v] == value] for value in range(v.size)] for v in choices]
        status, asked = self._split(splits, len(symbols.channels))
        for solver in (self._narrow, self._wide):
            solver.pop()
        return Obligation(NO_DEADLOCK.name, ANY, status, time.perf_counter() - start, asked)

    def _split(self, splits: list[list[list[Any]]], at_once: int) -> tuple[Status, int]:
        """Whether the solvers refute what they have been told, by cases if need be, and how often they were asked."""
        if at_once <= 0:
            self._narrow.set("rlimit", QUICK if splits else NARROW)
            status, asked = _status(self._narrow), 1
            if status is not Status.PROVED and not splits:
                status, asked = _status(self._wide), 2
            if status is Status.PROVED or not splits:
                return status, asked
        worst, asked = Status.PROVED, 0
        for n_, case in enumerate(splits[0]):
            for solver in (self._narrow, self._wide):
                solver.push()
                solver.add(*case)
            status, more = self._split(splits[1:], at_once - 1)
            worst, asked = _worse(worst, status), asked + more
            print("  "*(6-len(splits)), n_, status.name, more, round(time.perf_counter(),1))
            for solver in (self._narrow, self._wide):
                solver.pop()
            if worst is Status.OPEN:
                break
        return worst, asked

    def _of_action(self, action: ActionInstance, only: Callable[[str, str], bool]) -> Iterator[Obligation]:
        asked: dict[str, list[_Case]] = {}
        for guard, leaf in _paths(read_action(self.instance, action, UnboundedReading)):
            for name, questions in self._questions(leaf):
                asked.setdefault(name, []).append((guard, leaf, questions))
        for name, cases in asked.items():
            if not any(questions for _, _, questions in cases):
                self.framed += 1
            elif only(name, action.name):
                yield self._answer(name, action.name, cases, action.takes_page)

    def _questions(self, leaf: Leaf) -> Iterator[tuple[str, list[_Question]]]:
        changed = set(leaf.updates)
        for conjunct in self.read:
            yield conjunct.name, _after(conjunct, leaf.updates) if conjunct.variables & changed else []
        for index, violated in leaf.violated:
            yield self.instance.properties[index].name, [_Question(part, None) for part in _alternatives(violated)]
        for sent in _marked_messages(self.instance, leaf):
            of_two = [ex.intersection(_SENT, ex.PAGE), ex.intersection(_SENT, ex.set_complement(ex.PAGE))]
            wrong = ex.conjunction(*(ex.negation(ex.is_empty(pages)) for pages in of_two))
            yield ONE_PAGE, [_Question(wrong, {_SENT_PAGES: sent}, each_page=True)]
        if leaf.checks:
            yield RANGES, [_Question(ex.negation(inside), None) for inside, _, _ in leaf.checks]

    def _answer(self, name: str, action: str, cases: Iterable[_Case], takes_page: bool = False) -> Obligation:
        start, asked, worst = time.perf_counter(), 0, Status.PROVED
        for guard, leaf, questions in cases:
            for question in questions:
                asked += 1
                solvers = [self._empty] if action == INITIAL else [self._narrow, self._wide]
                for solver in solvers:
                    status = self._ask(solver, guard, leaf, question, takes_page)
                    if status is Status.PROVED:
                        break
                worst = _worse(worst, status)
                if worst is Status.OPEN:
                    break
        return Obligation(name, action, worst, time.perf_counter() - start, asked)

    def _ask(self, solver: Any, guard: tuple[Expr, ...], leaf: Leaf | None, question: _Question, page: bool) -> Status:
        symbols = self.symbols
        solver.push()
        try:
            before = Meaning(symbols, "guard", self.step, wide=True)
            solver.add(*(before.truth(part) for part in guard), *before.definitions)
            if page:
                solver.add(symbols.given(self.step))
            if leaf is not None:
                solver.add(*symbols.touched(guard, leaf))
            param = self.page if question.each_page else self.step
            if question.each_page:
                solver.add(symbols.given(self.page))
            meaning = Meaning(symbols, "wrong", param, question.updates, self.step, wide=True)
            solver.add(meaning.truth(question.wrong), *meaning.definitions)
            return _status(solver)
        finally:
            solver.pop()


_SENT_PAGES = Variable("pages of the message sent", "", Sort.PAGES)
_SENT = ex.variable(_SENT_PAGES)


def _marked_messages(instance: Instance, leaf: Leaf) -> Iterator[Expr]:
    """The pages of each message that a step sends and that carries marks, unless it is plainly one page."""
    for channel in instance.channels.values():
        marked = {channel.code(kind) for kind in channel.marked}
        after = leaf.updates.get(messages_of(channel))
        for node in ex.walk(after) if after is not None else ():
            if node.op == "sent" and node.args[1] in marked and node.operands[1] not in (ex.PAGE, ex.EMPTY_SET):
                yield node.operands[1]


_Case = tuple[tuple[Expr, ...], Leaf | None, list[_Question]]


def _z3(seed: int, work: int) -> Any:
    solver = z3.SimpleSolver()
    for option, value in (("auto_config", False), ("mbqi", False), ("random_seed", seed), ("rlimit", work)):
        solver.set(option, value)
    return solver


def _worse(a: Status, b: Status) -> Status:
    """A counterexample says more than giving up, and both say more than a proof."""
    return next((s for s in (Status.OPEN, Status.UNKNOWN) if s in (a, b)), Status.PROVED)


def _status(solver: Any) -> Status:
    if solver.check() == z3.unsat:
        return Status.PROVED
    return Status.OPEN if "incomplete" in solver.reason_unknown() else Status.UNKNOWN


def _changes(leaf: Leaf) -> Expr:
    """When a path certainly changes the state (it may change it otherwise, too)."""
    changed = []
    for variable, new in leaf.updates.items():
        old = ex.variable(variable)
        if variable.sort is Sort.NUMBER:
            changed.append(ex.negation(ex.equal(old, new)))
        elif variable.sort is Sort.PAGES:
            gone, added = ex.intersection(old, ex.set_complement(new)), ex.intersection(new, ex.set_complement(old))
            changed.append(ex.negation(ex.is_empty(ex.union(gone, added))))
        elif new.op in ("received", "sent"):
            changed.append(ex.TRUE)
    return ex.disjunction(*changed)


def _read(instance: Instance, conjunct: Property) -> _Conjunct:
    expr = read_predicate(instance, conjunct.holds, UnboundedReading)
    variables = frozenset(a for node in ex.walk(expr) for a in node.args if isinstance(a, Variable))
    return _Conjunct(conjunct.name, expr, tuple(parts_of(expr)), variables, of_each_page(conjunct.holds))


def _after(conjunct: _Conjunct, updates: dict[Variable, Expr]) -> list[_Question]:
    """What would violate a conjunct after a step."""
    parts = (p for p in conjunct.parts if p.variables() & set(updates))
    return [_Question(ex.negation(part), updates, conjunct.each_page) for part in parts]


def _alternatives(wrong: Expr) -> list[Expr]:
    return [ex.negation(part) for part in parts_of(ex.negation(wrong))]


def _paths(tree: Tree, guard: tuple[Expr, ...] = ()) -> Iterator[tuple[tuple[Expr, ...], Leaf]]:
    """Every way through an action: what it needs, and what it does."""
    if isinstance(tree, Branch):
        yield from _paths(tree.yes, (*guard, tree.condition))
        yield from _paths(tree.no, (*guard, ex.negation(tree.condition)))
    elif tree is not None:
        yield guard, tree
