"""What a counterexample to induction depends on: the variables (and pages) that make its step possible and wrong.

z3 fills in everything that a state has, and most of it is of no importance. A conjunct that rules the state out should
speak of what is important.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import z3

from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.trace import Trace
from postcopy.language.variables import Sort, Variable
from postcopy.prover.bounded import Bounded, Formula, StepPages

WORK = 5_000_000
"""See `postcopy.prover.solving.NARROW`; for one question."""


@dataclass(frozen=True)
class Relevant:
    """What a step depends on.

    Attributes:
        owners: names of fields, and of channels.
        pages: numbers of pages; all of them where none matters.
    """

    owners: frozenset[str]
    pages: frozenset[int]


class Relevance:
    """The dependencies of steps of an instance.

    Args:
        instance: the protocol at its size.
        claims: the conjuncts and properties of states, by name.
    """

    def __init__(self, instance: Instance, claims: Mapping[str, Property]) -> None:
        self._instance, self._bounded, self._claims = instance, Bounded(instance), claims
        self._before = self._bounded.state("before")
        self._everything = Relevant(frozenset(map(self._owner, instance.variables)), frozenset(range(instance.pages)))

    def of(self, trace: Trace) -> Relevant:
        """What it takes for the step of the trace to be possible and to violate what it violates."""
        if not trace.steps or trace.violated is None:
            return self._everything
        solver = z3.SolverFor("QF_BV")
        solver.set("rlimit", WORK)
        solver.set("core.minimize", True)
        solver.add(*self._harmless(trace))
        known = {z3.Bool(f"{v.name} {page}"): (v, page, value) for v, page, value in self._values(trace)}
        for literal, (_, _, value) in known.items():
            solver.add(z3.Implies(literal, value))
        if solver.check(*known) != z3.unsat:
            return self._everything
        used = [known[literal] for literal in solver.unsat_core()]
        pages = frozenset(page for _, page, _ in used if page is not None)
        return Relevant(frozenset(self._owner(v) for v, _, _ in used), pages or self._everything.pages)

    def _values(self, trace: Trace) -> list[tuple[Variable, int | None, Formula]]:
        """What the first state says of each variable, of sets page by page."""
        found: list[tuple[Variable, int | None, Formula]] = []
        for v, value in zip(self._instance.variables, trace.initial, strict=True):
            term = self._before[v]
            if v.sort is Sort.PAGES:
                bits = ((p, value >> p & 1) for p in range(self._instance.pages))
                found += [(v, p, z3.Extract(p, p, term) == bit) for p, bit in bits]
            else:
                found.append((v, None, term == value))
        return found

    def _harmless(self, trace: Trace) -> list[Formula]:
        """That the step cannot be taken, or does not violate what it violates."""
        step = trace.steps[0]
        page = self._bounded.pages_of(step.page)
        found: list[Any] = []
        for path in self._bounded.paths:
            if path.action.name == step.action.name:
                guard, after = self._bounded.after(path, self._before, page)
                found.append(z3.Not(z3.And(guard, self._wrong(trace, path, after, page))))
        return found

    def _wrong(self, trace: Trace, path: Any, after: dict[Variable, Formula], page: StepPages) -> Formula:
        claim = self._claims.get(trace.violated or "")
        if claim is not None:
            return z3.Not(self._bounded.claims(claim, after))
        of_steps = [p for p in self._instance.properties if p.of_steps and p.name == trace.violated]
        return z3.Or(*(self._bounded.violates(p, path, self._before, page) for p in of_steps))

    def _owner(self, variable: Variable) -> str:
        return variable.owner if variable.owner in self._instance.channels else variable.name
