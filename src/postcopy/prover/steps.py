"""The steps from states in which an invariant holds, at a size: exact counterexamples to induction.

Where the proof for every size fails, z3 may only have missed an instance. At a size every page and message is there:
an answer is a state and a step. Both are checked on the concrete interpretation before they are reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import z3

from postcopy.language.concrete import answer_in, holds, is_deadlock, take
from postcopy.language.instance import Instance, State
from postcopy.language.properties import NO_DEADLOCK, Kind, Property
from postcopy.language.symbolic import read_resting
from postcopy.language.trace import Trace
from postcopy.prover.bounded import Bounded, Formula
from postcopy.prover.solving import EXACT


class Steps:
    """A protocol and an invariant at a size, asserted to z3 once.

    Attributes:
        instance: the protocol at its size, with its properties.
        claims: the conjuncts, and the properties of states.

    Args:
        instance: see above.
        invariant: conjuncts beside the properties of states.
    """

    def __init__(self, instance: Instance, invariant: Sequence[Property]) -> None:
        self.instance, self._bounded = instance, Bounded(instance)
        self.claims = tuple(dict.fromkeys([*invariant, *(p for p in instance.properties if p.of_states)]))
        self._of_steps = [p for p in instance.properties if p.of_steps]
        self._before, self._after = self._bounded.state("before"), self._bounded.state("after")
        self._page = self._bounded.page("step")
        self._holds = {p.name: z3.Bool(f"{p.name} holds") for p in self.claims}
        self._fails = {p.name: z3.Bool(f"{p.name} fails") for p in (*self.claims, *self._of_steps, NO_DEADLOCK)}
        self._taken = [(path, z3.Bool(f"path {n}")) for n, path in enumerate(self._bounded.paths)]
        self._solver = self._make_solver()

    def _make_solver(self) -> Any:
        bounded, solver = self._bounded, z3.SolverFor("QF_BV")
        solver.set("rlimit", EXACT)
        solver.add(*bounded.well_formed(self._before), bounded.one_page(self._page))
        for claim in self.claims:
            solver.add(z3.Implies(self._holds[claim.name], bounded.claims(claim, self._before)))
            solver.add(z3.Implies(self._fails[claim.name], z3.Not(bounded.claims(claim, self._after))))
        for path, taken in self._taken:
            solver.add(z3.Implies(taken, bounded.step(path, self._before, self._page, self._after)))
            for prop in self._of_steps:
                violated = bounded.violates(prop, path, self._before, self._page)
                solver.add(z3.Implies(z3.And(taken, self._fails[prop.name]), violated))
        stuck = self._fails[NO_DEADLOCK.name]
        solver.add(z3.Implies(stuck, z3.And(self._no_thread_moves(), *(z3.Not(taken) for _, taken in self._taken))))
        solver.add(z3.Or(stuck, *(taken for _, taken in self._taken)))
        return solver

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

    def violation(
        self, assumed: Iterable[str], wanted: Collection[str], actions: Collection[str] | None = None
    ) -> Trace | None:
        """A counterexample to induction, or None where there is none at this size.

        Args:
            assumed: names of the claims that hold in the state.
            wanted: what is to be violated: claims after the step, properties of steps, or the absence of deadlock.
            actions: which actions may be taken; any, if not given.

        Returns:
            A trace of one step; of none where no thread can move.

        Raises:
            TimeoutError: z3 gave up.
        """
        assumed = list(assumed)
        self._solver.push()
        self._solver.add(z3.Or(*(self._fails[name] for name in wanted)))
        if actions is not None:
            others = (taken for path, taken in self._taken if path.action.name not in actions)
            self._solver.add(z3.Not(self._fails[NO_DEADLOCK.name]), *(z3.Not(taken) for taken in others))
        answer = self._solver.check(*(self._holds[name] for name in assumed))
        found = self._trace(self._solver.model(), assumed, wanted) if answer == z3.sat else None
        self._solver.pop()
        if answer == z3.unknown:
            raise TimeoutError(f"z3 gave up at {self.instance.size}")
        return found

    def _trace(self, model: Any, assumed: list[str], wanted: Collection[str]) -> Trace:
        """The step as the concrete interpretation takes it, and what it violates: nothing of z3's answer is trusted."""
        instance, before = self.instance, self._bounded.decode(model, self._before)
        assert not self._false(before, assumed), "z3 assumes a claim that does not hold"
        if z3.is_true(model.eval(self._fails[NO_DEADLOCK.name])):
            assert is_deadlock(instance, before), "z3 finds a deadlock where the concrete interpretation finds none"
            return Trace(instance, before, (), NO_DEADLOCK.name)
        path = next(path for path, taken in self._taken if z3.is_true(model.eval(taken)))
        bits = model.eval(self._page, model_completion=True).as_long()
        step = take(instance, before, path.action, bits.bit_length() - 1 if path.action.takes_page else None)
        assert step is not None, f"z3 takes {path.action.name} where the concrete interpretation cannot"
        violated = [name for name in (*step.violated, *self._false(step.state, wanted)) if name in wanted]
        return Trace(instance, before, (step,), violated[0])

    def _false(self, state: State, names: Collection[str]) -> list[str]:
        claims = (p for p in self.claims if p.name in names)
        return [p.name for p in claims if not holds(answer_in(self.instance, state, p.holds))]

    def without(self, conjunct: str) -> Trace | None:
        """A counterexample to induction without a conjunct: the other claims hold in its state, its step violates one.

        Raises:
            TimeoutError: z3 gave up.
        """
        others = [p.name for p in self.claims if p.name != conjunct]
        return self.violation(others, [name for name in self._fails if name != conjunct])
