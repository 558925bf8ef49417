"""Weeding by induction, at a size: which claims some step does not keep, and which others they need to be kept.

Claims can be added at any time. At a size z3's answers are exact: what it finds is a state in which all assumed claims
hold, and a step. The step is taken on the concrete interpretation before anything is made of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import z3

from postcopy.language.concrete import answer_in, holds, take
from postcopy.language.instance import Instance, State
from postcopy.language.properties import NO_DEADLOCK, Kind, Property
from postcopy.language.symbolic import read_resting
from postcopy.language.trace import Trace
from postcopy.prover.bounded import Bounded, Formula
from postcopy.prover.solving import EXACT


class Weeding:
    """The steps of an instance, and a growing number of claims about its states.

    Attributes:
        instance: the protocol at its size, with its properties.
        claims: the claims by name; the properties of states are among them.

    Args:
        instance: see above.
        invariant: claims beside the properties of states.
    """

    def __init__(self, instance: Instance, invariant: Sequence[Property]) -> None:
        self.instance, self._bounded = instance, Bounded(instance)
        self.claims: dict[str, Property] = {}
        self._of_steps = [p for p in instance.properties if p.of_steps]
        self._before, self._after = self._bounded.state("before"), self._bounded.state("after")
        self._page = self._bounded.page("step")
        self._holds: dict[str, Formula] = {}
        self._fails = {p.name: z3.Bool(f"{p.name} fails") for p in (*self._of_steps, NO_DEADLOCK)}
        self._taken = [(path, z3.Bool(f"path {n}")) for n, path in enumerate(self._bounded.paths)]
        self._solver = self._make_solver()
        for claim in dict.fromkeys([*invariant, *(p for p in instance.properties if p.of_states)]):
            self.add(claim)

    def _make_solver(self) -> Any:
        bounded, solver = self._bounded, z3.SolverFor("QF_BV")
        solver.set("rlimit", EXACT)
        solver.add(*bounded.well_formed(self._before), *self._one_page_each(), bounded.one_page(self._page))
        for path, taken in self._taken:
            solver.add(z3.Implies(taken, bounded.step(path, self._before, self._page, self._after)))
            inside = (bounded.truth(check, self._before, self._page) for check, _, _ in path.leaf.checks)
            solver.add(z3.Implies(taken, z3.And(*inside)))
            for prop in self._of_steps:
                violated = bounded.violates(prop, path, self._before, self._page)
                solver.add(z3.Implies(z3.And(taken, self._fails[prop.name]), violated))
        stuck = self._fails[NO_DEADLOCK.name]
        solver.add(z3.Implies(stuck, z3.And(self._no_thread_moves(), *(z3.Not(taken) for _, taken in self._taken))))
        solver.add(z3.Or(stuck, *(taken for _, taken in self._taken)))
        return solver

    def _one_page_each(self) -> list[Formula]:
        """A message that carries marks concerns one page: the proof for every size proves it."""
        found = []
        for channel in self.instance.channels.values():
            marked = [channel.code(kind) for kind in channel.kinds if kind in channel.marked]
            for slot in channel.slots:
                kind, pages = self._before[slot.kind], self._before[slot.pages]
                found.append(z3.Implies(z3.Or(*(kind == code for code in marked)), pages & (pages - 1) == 0))
        return found

    def _no_thread_moves(self) -> Formula:
        bounded, state = self._bounded, self._before
        if not any(p.kind is Kind.NO_DEADLOCK for p in self.instance.properties):
            return z3.BoolVal(False)
        cannot = [z3.Not(bounded.truth(read_resting(self.instance), state, self._page))]
        pages = [z3.BitVecVal(1 << i, self.instance.pages) for i in range(self.instance.pages)]
        for path in bounded.paths:
            if not path.action.info.environment:
                for page in pages if path.action.takes_page else pages[:1]:
                    guard, after = bounded.after(path, state, page)
                    cannot.append(z3.Not(z3.And(guard, z3.Or(*(after[v] != state[v] for v in state)))))
        return z3.And(*cannot)

    def add(self, claim: Property) -> None:
        """One more claim, of a name that no other has."""
        name, bounded = claim.name, self._bounded
        self.claims[name] = claim
        self._holds[name], self._fails[name] = z3.Bool(f"{name} holds"), z3.Bool(f"{name} fails")
        self._solver.add(z3.Implies(self._holds[name], bounded.claims(claim, self._before)))
        self._solver.add(z3.Implies(self._fails[name], z3.Not(bounded.claims(claim, self._after))))

    def violation(self, assumed: Iterable[str], wanted: Collection[str]) -> Trace | None:
        """A state in which the assumed claims hold, and a step that violates one of the wanted; None if there is none.

        Args:
            assumed: names of claims.
            wanted: names of claims, of properties of steps, or of the absence of deadlock.

        Returns:
            A trace of one step; of none where no thread can move.

        Raises:
            TimeoutError: z3 gave up.
        """
        assumed = list(assumed)
        self._solver.push()
        try:
            answer = self._ask(assumed, wanted)
            return self._trace(self._solver.model(), assumed, wanted) if answer == z3.sat else None
        finally:
            self._solver.pop()

    def uses(self, first: Sequence[str], rest: Sequence[str], wanted: str) -> frozenset[str] | None:
        """Claims that suffice for a claim or property to be kept; None if all of them do not.

        Args:
            first: claims that may be assumed freely.
            rest: claims that are assumed only where the first do not suffice.
            wanted: the name of the claim or property.

        Raises:
            TimeoutError: z3 gave up.
        """
        for assumed in (list(first), [*first, *rest]):
            self._solver.push()
            try:
                if self._ask(assumed, [wanted]) == z3.unsat:
                    literals = {str(literal) for literal in self._solver.unsat_core()}
                    return frozenset(name for name in assumed if f"{name} holds" in literals)
            finally:
                self._solver.pop()
        return None

    def _ask(self, assumed: Sequence[str], wanted: Collection[str]) -> Any:
        self._solver.add(z3.Or(*(self._fails[name] for name in wanted)))
        answer = self._solver.check(*(self._holds[name] for name in assumed))
        if answer == z3.unknown:
            raise TimeoutError(f"z3 gave up at {self.instance.size}")
        return answer

    def _trace(self, model: Any, assumed: list[str], wanted: Collection[str]) -> Trace:
        """The step as the concrete interpretation takes it, and what it violates: nothing of z3's answer is trusted."""
        instance, before = self.instance, self._bounded.decode(model, self._before)
        assert not self._false(before, assumed), "z3 assumes a claim that does not hold"
        if z3.is_true(model.eval(self._fails[NO_DEADLOCK.name])):
            return Trace(instance, before, (), NO_DEADLOCK.name)
        path = next(path for path, taken in self._taken if z3.is_true(model.eval(taken)))
        bits = model.eval(self._page, model_completion=True).as_long()
        step = take(instance, before, path.action, bits.bit_length() - 1 if path.action.takes_page else None)
        assert step is not None, f"z3 takes {path.action.name} where the concrete interpretation cannot"
        violated = [name for name in (*step.violated, *self._false(step.state, wanted)) if name in wanted]
        return Trace(instance, before, (step,), violated[0])

    def _false(self, state: State, names: Collection[str]) -> list[str]:
        found = (self.claims[name] for name in names if name in self.claims)
        return [p.name for p in found if not holds(answer_in(self.instance, state, p.holds))]
