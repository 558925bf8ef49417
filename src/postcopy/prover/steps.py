"""The steps from states in which an invariant holds, at a size: exact counterexamples to induction.

Where the proof for every size fails, z3 may only have missed an instance. At a size every page and message is there:
an answer is a run. It is checked on the concrete interpretation before it is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import z3

from postcopy.language.actions import PageChoice
from postcopy.language.concrete import Transition, answer_in, holds, is_deadlock, take
from postcopy.language.instance import Instance, State
from postcopy.language.properties import NO_DEADLOCK, Kind, Property
from postcopy.language.trace import Trace
from postcopy.prover.bounded import Bounded, Formula, Path
from postcopy.prover.premises import IN_RANGE
from postcopy.prover.solving import EXACT


class Steps:
    """Some steps in a row of a protocol at a size, with an invariant in the states before each; asserted to z3 once.

    Attributes:
        instance: the protocol at its size, with its properties.
        claims: what can be assumed of states, by name: the conjuncts, and the properties of states.
        wrong: the names of what can be violated: a claim by the last state, a property of steps or a range by the last
            step, and the absence of deadlock by the state before it.

    Args:
        instance: see above.
        invariant: conjuncts beside the properties of states.
        length: how many steps; with none, a state alone.
        from_start: whether the first state is an initial one.
        bounded: the instance's formulas, where they have been made already.
    """

    def __init__(
        self,
        instance: Instance,
        invariant: Sequence[Property],
        length: int = 1,
        from_start: bool = False,
        bounded: Bounded | None = None,
    ) -> None:
        self.instance, self._bounded = instance, Bounded(instance) if bounded is None else bounded
        of_states = (p for p in instance.properties if p.of_states)
        self.claims = {claim.name: claim for claim in [*invariant, *of_states]}
        self._of_steps = [p for p in instance.properties if p.of_steps]
        self._asks_deadlock = length > 0 and any(p.kind is Kind.NO_DEADLOCK for p in instance.properties)
        self._states = [self._bounded.state(f"s{i}") for i in range(length + 1)]
        self._pages = [self._bounded.page(f"s{i}") for i in range(length)]
        by_step = [*self._of_steps, NO_DEADLOCK, IN_RANGE] if length else []
        self._holds = {name: z3.Bool(f"{name} holds") for name in self.claims}
        self._fails = {name: z3.Bool(f"{name} fails") for name in (*self.claims, *(p.name for p in by_step))}
        self._taken = [
            [(path, z3.Bool(f"s{i} path {n}")) for n, path in enumerate(self._bounded.paths)] for i in range(length)
        ]
        self._solver = self._make_solver(from_start)

    @property
    def wrong(self) -> tuple[str, ...]:
        """See the class."""
        absent = set()
        if not self._asks_deadlock:
            absent.add(NO_DEADLOCK.name)
        if not self._bounded.has_ranges:
            absent.add(IN_RANGE.name)
        return tuple(name for name in self._fails if name not in absent)

    def _make_solver(self, from_start: bool) -> Any:
        bounded, solver = self._bounded, z3.SolverFor("QF_BV")
        solver.set("rlimit", EXACT)
        solver.add(*bounded.well_formed(self._states[0]), *(bounded.one_page(page) for page in self._pages))
        if from_start:
            solver.add(bounded.initial(self._states[0]))
        for claim in self.claims.values():
            solver.add(*self._about(claim))
        for i, taken in enumerate(self._taken[:-1]):
            solver.add(z3.Or(*(chosen for _, chosen in taken)))
            for path, chosen in taken:
                follows = bounded.step(path, self._states[i], self._pages[i], self._states[i + 1])
                inside = bounded.in_range(path, self._states[i], self._pages[i])
                solver.add(z3.Implies(chosen, z3.And(follows, inside)))
        if self._taken:
            self._add_last_step(solver)
        return solver

    def _add_last_step(self, solver: Any) -> None:
        """What the last step does and may violate; or no thread can take one."""
        bounded, before, page = self._bounded, self._states[-2], self._pages[-1]
        stuck, outside = self._fails[NO_DEADLOCK.name], self._fails[IN_RANGE.name]
        for path, chosen in self._taken[-1]:
            solver.add(z3.Implies(chosen, bounded.step(path, before, page, self._states[-1])))
            solver.add(z3.Implies(chosen, outside != bounded.in_range(path, before, page)))
            for prop in self._of_steps:
                violated = bounded.violates(prop, path, before, page)
                solver.add(z3.Implies(z3.And(chosen, self._fails[prop.name]), violated))
        some = [chosen for _, chosen in self._taken[-1]]
        nothing = bounded.stuck(before, page) if self._asks_deadlock else z3.BoolVal(False)
        others = [failing for name, failing in self._fails.items() if name != NO_DEADLOCK.name]
        solver.add(z3.Implies(stuck, z3.And(nothing, *(z3.Not(one) for one in (*some, *others)))))
        solver.add(z3.Or(stuck, *some))

    def _about(self, claim: Property) -> tuple[Formula, Formula]:
        """Whether it holds in all states but the last, and whether it fails in that."""
        assumed = [self._bounded.claims(claim, state) for state in self._states[:-1]]
        holds_before = z3.Implies(self._holds[claim.name], z3.And(*assumed))
        return holds_before, z3.Implies(self._fails[claim.name], z3.Not(self._bounded.claims(claim, self._states[-1])))

    def violation(
        self, assumed: Iterable[str], wanted: Collection[str], actions: Collection[str] | None = None
    ) -> Trace | None:
        """A counterexample to induction, or None where there is none at this size.

        Args:
            assumed: names of the claims that hold in all states but the last.
            wanted: which of `wrong` is to be violated.
            actions: which actions the last step may take; any, if not given.

        Returns:
            A trace of as many steps; of one less where no thread can move.

        Raises:
            TimeoutError: z3 gave up.
        """
        assumed = list(assumed)
        with self._asked(assumed, wanted, actions) as there_is_one:
            return self._trace(self._solver.model(), assumed, wanted) if there_is_one else None

    @contextmanager
    def _asked(
        self, assumed: Sequence[str], wanted: Collection[str], actions: Collection[str] | None = None
    ) -> Iterator[bool]:
        """Whether there is a counterexample to induction; within, the solver has its model, or z3's core.

        Raises:
            TimeoutError: z3 gave up.
        """
        self._solver.push()
        try:
            self._solver.add(z3.Or(*(self._fails[name] for name in wanted)))
            if actions is not None:
                others = (taken for path, taken in self._taken[-1] if path.action.name not in actions)
                self._solver.add(z3.Not(self._fails[NO_DEADLOCK.name]), *(z3.Not(taken) for taken in others))
            answer = self._solver.check(*(self._holds[name] for name in assumed))
            if answer == z3.unknown:
                raise TimeoutError(f"z3 gave up at {self.instance.size}")
            yield answer == z3.sat
        finally:
            self._solver.pop()

    def asked(self, assumed: Iterable[str], wanted: Collection[str]) -> list[Any]:
        """The formulas that `violation` asks z3 about."""
        wrong = z3.Or(*(self._fails[name] for name in wanted))
        return [*self._solver.assertions(), wrong, *(self._holds[name] for name in assumed)]

    def _trace(self, model: Any, assumed: list[str], wanted: Collection[str]) -> Trace:
        """The run as the concrete interpretation takes it, and what it violates: nothing of z3's answer is trusted."""
        first = state = self._bounded.decode(model, self._states[0])
        steps: list[Transition] = []
        stuck = bool(self._taken) and z3.is_true(model.eval(self._fails[NO_DEADLOCK.name]))
        outside = bool(self._taken) and z3.is_true(model.eval(self._fails[IN_RANGE.name]))
        for i in range(len(self._taken)):
            assert not self._false(state, assumed), "z3 assumes a claim that does not hold"
            last = i == len(self._taken) - 1
            if last and stuck:
                assert is_deadlock(self.instance, state), "z3 finds a deadlock where the concrete one finds none"
                return Trace(self.instance, first, tuple(steps), NO_DEADLOCK.name)
            path, page = self._step(model, i)
            step = take(self.instance, state, path.action, page)
            assert step is not None, f"z3 takes {path.action.name} where the concrete interpretation cannot"
            assert (step.error is not None) == (last and outside), f"z3 errs about the error of {path.action.name}"
            steps.append(step)
            state = step.state
        if outside:
            return Trace(self.instance, first, tuple(steps), IN_RANGE.name)
        broken = steps[-1].violated if steps else ()
        violated = [name for name in (*broken, *self._false(state, wanted)) if name in wanted]
        return Trace(self.instance, first, tuple(steps), violated[0])

    def _step(self, model: Any, i: int) -> tuple[Path, PageChoice]:
        path = next(path for path, taken in self._taken[i] if z3.is_true(model.eval(taken)))
        numbers = [model.eval(page, model_completion=True).as_long().bit_length() - 1 for page in self._pages[i]]
        choices: tuple[PageChoice, ...] = (None, numbers[0], (numbers[0], numbers[1]))
        return path, choices[len(path.action.page_names)]

    def _false(self, state: State, names: Collection[str]) -> list[str]:
        return [name for name, claim in self.claims.items() if name in names and not self._true(state, claim)]

    def _true(self, state: State, claim: Property) -> bool:
        return holds(answer_in(self.instance, state, claim.holds))

    def failing(self, trace: Trace, names: Collection[str]) -> list[str]:
        """Which of the names the end of a trace violates: those that z3 need not be asked for again."""
        last = trace.states[-1] if trace.steps else trace.initial
        broken = trace.steps[-1].violated if trace.steps else ()
        if trace.violated in (NO_DEADLOCK.name, IN_RANGE.name):  # there is no state after the last step
            return [trace.violated]
        return [*(name for name in broken if name in names), *self._false(last, names)]

    def without(self, conjunct: str) -> Trace | None:
        """A counterexample to induction without a conjunct: the other claims hold in its state, its step violates one.

        Raises:
            TimeoutError: z3 gave up.
        """
        others = [name for name in self.claims if name != conjunct]
        return self.violation(others, [name for name in self.wrong if name != conjunct])
