"""Conjuncts found by the machine: candidates that hold in what was observed, weeded by induction.

The search goes from one counterexample to induction to the next, at a small size, where z3's answers are exact: a state
in which all conjuncts hold, and a step after which one does not. The clauses that rule the state out and hold of
all that was observed are the candidates; one that is kept by every step is preferred. A candidate that no
other candidates can keep is given up (Houdini). What is left is no more than a guess: `obligations` proves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from postcopy.language.instance import Instance
from postcopy.language.properties import Kind, Property
from postcopy.language.protocol import Protocol
from postcopy.language.trace import Trace
from postcopy.prover.inference.atoms import Names
from postcopy.prover.inference.blocking import Blocking
from postcopy.prover.inference.clauses import Clause, property_of
from postcopy.prover.inference.observed import LARGER, Observed, Reader, observe
from postcopy.prover.inference.relevance import Relevance
from postcopy.prover.inference.weeding import Weeding

SIZES = ((1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 2, 2))
"""Where counterexamples to induction are looked for: pages, messages in flight, target pages of a host page."""

TRIED = 40
"""Clauses that are asked whether every step keeps them, for each state that is to be ruled out."""

TAKEN = 2
"""Clauses that are taken where none of these is."""


DEEPEST = 6
"""Found conjuncts that are found for each other's sake, one after the other."""


@dataclass(frozen=True)
class Found:
    """A conjunct that the machine has found.

    Attributes:
        prop: the conjunct.
        clause: what it is made of.
    """

    prop: Property
    clause: Clause


@dataclass(frozen=True)
class Inferred:
    """What came of a search for conjuncts.

    Attributes:
        found: conjuncts that hold of all that was observed, and that every step at the sizes looked at keeps.
        untrue: conjuncts that were given, and are false in a state that was observed.
        lost: conjuncts that were given, and that some step does not keep whatever was found.
        seconds: time that it took.
        finished: whether the search came to its end in time: no counterexample to induction is left.
        names: the enumerations that the found conjuncts mention.
    """

    found: tuple[Found, ...]
    untrue: tuple[Property, ...]
    lost: tuple[Property, ...]
    seconds: float
    finished: bool
    names: Names


def find_conjuncts(
    protocol: type[Protocol],
    properties: Sequence[Property],
    known: Sequence[Property],
    seconds: float = 240.0,
    report: Callable[[str], None] = lambda _: None,
    sizes: Iterable[tuple[int, int, int]] = SIZES,
    only_used: bool = False,
) -> Inferred:
    """Look for conjuncts that make the known ones and the properties inductive.

    Args:
        protocol: the class.
        properties: of states and steps, and the absence of deadlock; others are left out.
        known: conjuncts that help already. Those that are observed to be false are left out.
        seconds: when to stop.
        report: is called with what is being done.
        sizes: see `SIZES`.
        only_used: of the known conjuncts, only those need to be kept that some property needs, directly or in turn.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    start = time.monotonic()
    asked = [p for p in properties if p.of_states or p.of_steps or p.kind is Kind.NO_DEADLOCK]
    report("exploring small instances")
    watching = [p.monitor for p in known if p.monitor is not None]
    observed = observe(protocol, asked, watching)
    untrue = [p for p in known if not observed.holds(p)]
    kept = [p for p in known if p not in untrue]
    used = {p.name for p in (() if only_used else kept)}
    search = _Search(asked, kept, observed, start + seconds, report, used)
    looked_at: list[_AtSize] = []
    finished = True
    if any(states.instance.pages == LARGER[0] for states in observed.states):
        sizes = (*sizes, LARGER)
    for pages, in_flight, group in sizes:
        looked_at.append(_AtSize(search, Instance(protocol, pages, in_flight, asked, group, watching)))
        finished = looked_at[-1].rule_all_out() and finished
    needed = _needed(looked_at) if finished else search.found.keys()
    found = tuple(each for name, each in search.found.items() if name in needed)
    return Inferred(found, tuple(untrue), tuple(search.lost), time.monotonic() - start, finished, observed.names)


def _needed(looked_at: Sequence[_AtSize]) -> set[str]:
    """The found conjuncts without which some property or known conjunct is not kept at one of the sizes."""
    needed: set[str] = set()
    before = -1
    while len(needed) > before:
        before = len(needed)
        for here in looked_at:
            needed |= here.needed(needed)
    return needed


@dataclass
class _Search:
    """How a search stands.

    Attributes:
        asked: the properties.
        known: the conjuncts that were given and may be true.
        observed: the observed states.
        until: when to stop.
        report: see `find_conjuncts`.
        used: names of the known conjuncts that are to be kept; more are added when something is seen to need them.
        found: the conjuncts found so far, by name.
        lost: known conjuncts that are not kept.
        unprovable: names of properties that are not kept.
        given_up: what clauses say that are not kept, and are not to be found again.
        made: each clause that was ever made a conjunct, by what it says.
    """

    asked: list[Property]
    known: list[Property]
    observed: Observed
    until: float
    report: Callable[[str], None]
    used: set[str]
    found: dict[str, Found] = field(default_factory=dict)
    lost: list[Property] = field(default_factory=list)
    unprovable: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    made: dict[str, Found] = field(default_factory=dict)
    _depths: dict[str, int] = field(default_factory=dict)

    def take(self, found: Found, violated: str) -> None:
        """One more conjunct, found because something is violated without it."""
        self._depths[found.prop.name] = self.depth(violated) + 1
        self.found[found.prop.name] = found

    def depth(self, name: str) -> int:
        """How many other found conjuncts a conjunct was found for, one for the sake of the next."""
        return self._depths.get(name, 0)

    def make(self, clause: Clause) -> Found:
        """The clause as a conjunct."""
        if clause.answer not in self.made:
            name = f"found_{len(self.made) + 1}"
            self.made[clause.answer] = Found(property_of(clause, name, self.observed.names), clause)
        return self.made[clause.answer]

    @property
    def given(self) -> list[str]:
        """Names of the known conjuncts and of the properties of states that may be assumed."""
        of_states = [p.name for p in (*self.known, *self.asked) if p.of_states]
        lost = {p.name for p in self.lost}
        return [name for name in dict.fromkeys(of_states) if name not in lost]

    @property
    def wanted(self) -> list[str]:
        """Names of all that is to be kept, but for what was found."""
        asked = [p.name for p in self.asked]
        names = [*(name for name in self.given if name in self.used or name in asked), *asked]
        return [name for name in dict.fromkeys(names) if name not in self.unprovable]

    def give_up(self, violated: str) -> None:
        """What is violated is not kept, whatever is found."""
        if violated in self.found:
            self.given_up.add(self.found.pop(violated).clause.answer)
            return
        lost = [p for p in self.known if p.name == violated and p not in self.asked]
        self.lost += lost
        if not lost:
            self.unprovable.add(violated)


class _AtSize:
    """The search at one size."""

    def __init__(self, search: _Search, instance: Instance) -> None:
        self._search = search
        self._steps = Weeding(instance, search.known)
        self._reader = Reader(instance, search.observed.atoms, search.observed.names)
        self._blocking = Blocking(search.observed.atoms, search.observed.rows)
        self._relevance = Relevance(instance, self._steps.claims)

    def rule_all_out(self) -> bool:
        """Rule out all counterexamples to induction; False where time is up, or z3 gives up."""
        search = self._search
        try:
            while time.monotonic() < search.until:
                self._know_of(search.found.values())
                trace = self._steps.violation([*search.given, *search.found], [*search.wanted, *search.found])
                if trace is not None:
                    self.rule_out(trace)
                elif not self._more_is_used():
                    return True
        except TimeoutError:
            pass
        return False

    def _more_is_used(self) -> bool:
        """Whether what is kept needs known conjuncts that were not known to be used; from now on they are."""
        search, before = self._search, len(self._search.used)
        known = {p.name for p in search.known} - search.used
        todo, done = list(search.wanted), set[str]()
        while todo and known:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            uses = self._steps.uses(search.given, list(search.found), name) or frozenset()
            search.used |= uses & known
            known -= search.used
            todo += uses
        return len(search.used) > before

    def needed(self, needed: set[str]) -> set[str]:
        """The found conjuncts that suffice for what is wanted and for those that are needed already."""
        search, found = self._search, set(needed)
        self._know_of(search.found.values())
        todo = [*search.wanted, *sorted(needed)]
        while todo:
            name = todo.pop()
            rest = [each for each in search.found if each not in found]
            uses = self._steps.uses([*search.given, *sorted(found)], rest, name)
            new = [each for each in search.found if (uses is None or each in uses) and each not in found]
            todo += new
            found.update(new)
        return found

    def _know_of(self, found: Iterable[Found]) -> None:
        for each in found:
            if each.prop.name not in self._steps.claims:
                self._steps.add(each.prop)

    def rule_out(self, trace: Trace) -> None:
        """Find clauses that rule out the state where a counterexample to induction begins."""
        search, violated = self._search, trace.violated or ""
        search.report(f"{len(search.found)} conjuncts found; {violated} after {_action(trace)}")
        for clauses, guess in self._candidates(trace):
            known = {f.clause.answer for f in search.found.values()} | search.given_up
            fresh = sorted((c for c in clauses if c.answer not in known), key=lambda c: c.cost)
            kept = next((f for f in map(search.make, fresh[:TRIED]) if self._is_kept(f)), None)
            if kept is not None:
                search.take(kept, violated)
                return
            if fresh and guess and search.depth(violated) < DEEPEST:
                for clause in fresh[:TAKEN]:
                    search.take(search.make(clause), violated)
                return
        search.give_up(violated)

    def _candidates(self, trace: Trace) -> Iterator[tuple[list[Clause], bool]]:
        """Clauses that rule out the first state, the likeliest first, and whether they are worth a guess.

        At first those that speak of nothing but what matters to the step; then those that speak of it too.
        """
        rows, relevant = self._reader.of_state(trace.initial), self._relevance.of(trace)
        atoms = self._search.observed.atoms
        matters = np.array([relevant.owners.issuperset(atom.owners) for atom in atoms])
        yield _distinct(c for page in relevant.pages for c in self._blocking.clauses(rows[page], matters)), True
        found = _distinct(c for row in rows for c in self._blocking.clauses(row, np.ones_like(matters)))
        concerned = [c for c in found if any(relevant.owners.issuperset(atom.owners) for atom, _ in c.parts)]
        yield concerned, True
        yield [c for c in found if c not in concerned], False

    def _is_kept(self, found: Found) -> bool:
        search = self._search
        self._know_of([found])
        return self._steps.violation([*search.given, *search.found, found.prop.name], [found.prop.name]) is None


def _distinct(clauses: Iterable[Clause]) -> list[Clause]:
    return list({clause.answer: clause for clause in clauses if not clause.says_empty}.values())


def _action(trace: Trace) -> str:
    return trace.steps[0].action.name if trace.steps else "no step"
