"""Counterexamples to induction: a state in which every conjunct holds, and a step after which one does not.

z3 finds them at small sizes, where every page and message is there (`bounded`), so that a person can read them. Whether
such a state can be reached at all, the explorer says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import z3

from postcopy.explorer.explore import Exploration, Options, Outcome, Verdict, explore
from postcopy.explorer.trace import Trace
from postcopy.model.concrete import take
from postcopy.model.instance import Instance
from postcopy.model.language import Protocol
from postcopy.model.reading import of_each_page
from postcopy.properties.language import Property
from postcopy.prover.bounded import Bounded
from postcopy.prover.obligations import INITIAL, Obligation

SIZES = ((1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 2, 2), (2, 3, 2))
"""Where a counterexample to induction is looked for: pages, messages in flight, target pages of a host page."""

WORK = 20_000_000
"""See `postcopy.prover.solving.NARROW`."""


def find(
    protocol: type[Protocol],
    properties: Sequence[Property],
    conjuncts: Sequence[Property],
    obligation: Obligation,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
) -> Trace | None:
    """A counterexample at the first size that has one, or None where there is none at these sizes."""
    for pages, in_flight, group in sizes:
        wanted = [p for p in conjuncts if p.name == obligation.conjunct and p not in properties]
        instance = Instance(protocol, pages, in_flight, [*properties, *wanted], group)
        found = _at_size(Bounded(instance), conjuncts, obligation)
        if found is not None:
            return found
    return None


def _at_size(bounded: Bounded, conjuncts: Sequence[Property], obligation: Obligation) -> Trace | None:
    instance = bounded.instance
    wanted = next((p for p in (*conjuncts, *instance.properties) if p.name == obligation.conjunct), None)
    if wanted is None:
        return None
    solver = z3.SolverFor("QF_BV")
    solver.set("rlimit", WORK)
    before, page = bounded.state("before"), bounded.page("step")
    solver.add(*bounded.well_formed(before))
    if obligation.action == INITIAL:
        solver.add(bounded.initial(before), z3.Not(bounded.claims(wanted, before)))
        if solver.check() != z3.sat:
            return None
        return Trace(instance, bounded.decode(solver.model(), before), (), wanted.name)
    solver.add(bounded.one_page(page), *(bounded.claims(c, before) for c in conjuncts))
    for path in bounded.paths:
        if path.action.name != obligation.action:
            continue
        solver.push()
        guard, after = bounded.after(path, before, page)
        wrong = (
            z3.Not(bounded.claims(wanted, after)) if wanted.of_states else bounded.violates(wanted, path, before, page)
        )
        solver.add(guard, wrong)
        if solver.check() == z3.sat:
            model = solver.model()
            start, bits = bounded.decode(model, before), model.eval(page, model_completion=True).as_long()
            step = take(instance, start, path.action, bits.bit_length() - 1 if path.action.takes_page else None)
            if step is not None:
                return Trace(instance, start, (step,), wanted.name)
        solver.pop()
    return None


class Reachable:
    """What the explorer can reach of an instance.

    Attributes:
        verdict: what it says of the instance's properties.
    """

    def __init__(self, instance: Instance) -> None:
        readable = [p for p in instance.properties if not of_each_page(p.holds)]
        instance = Instance(instance.protocol, instance.pages, instance.in_flight, readable, instance.group)
        self._exploration = Exploration(instance, Options())
        self._exploration.run()
        self.verdict: Verdict = self._exploration.verdict()
        complete = self.verdict.outcome is Outcome.HOLDS
        self._states = frozenset(self._exploration.stored()) if complete else None

    def reaches(self, trace: Trace) -> bool | None:
        """Whether the state in which a trace starts can be reached; None where the search did not see all states."""
        return None if self._states is None else self._exploration.representative(trace.initial) in self._states


def refute(protocol: type[Protocol], properties: Sequence[Property], groups: Sequence[int] = (1, 2)) -> Verdict | None:
    """What the explorer finds wrong with a protocol at small sizes, if anything."""
    for instance in _small(protocol, properties, groups):
        verdict = explore(instance)
        if verdict.outcome in (Outcome.VIOLATED, Outcome.DEADLOCK):
            return verdict
    return None


def _small(protocol: type[Protocol], properties: Sequence[Property], groups: Sequence[int]) -> Iterator[Instance]:
    for group in groups:
        yield Instance(protocol, 2, 1, properties, group)
        yield Instance(protocol, 2, 2, properties, group)
