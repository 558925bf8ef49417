"""Proofs at a size: k-induction, and z3's Spacer, which looks for an invariant of its own.

k-induction: the properties hold in the first k states of every run (base), and after any k states in a row in which
they hold they hold once more (step). With k = 1 that is plain induction. What is assumed beside the properties (an
invariant) only helps if it is inductive itself: it is part of what is proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import z3

from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.trace import Trace
from postcopy.prover.bounded import Bounded, Formula, Path, Values
from postcopy.prover.solving import Status

WORK = 400_000_000
"""See `postcopy.prover.solving.NARROW`; for one question."""


@dataclass(frozen=True)
class SizedProof:
    """The result of a proof at a size.

    Attributes:
        instance: the protocol at its size.
        method: in words.
        status: proved, open (the trace shows why) or unknown.
        k: how many states in a row were needed.
        trace: for an open one, a run that violates a property, or begins where all holds and ends where it does not.
        from_start: the trace begins in an initial state, so it is a counterexample and not only one to induction.
        seconds: how long it took.
    """

    instance: Instance
    method: str
    status: Status
    k: int
    trace: Trace | None
    from_start: bool
    seconds: float


def k_induction(
    instance: Instance, invariant: Sequence[Property], most: int = 3, report: Callable[[str], None] = lambda _: None
) -> SizedProof:
    """Prove the instance's properties of states and steps, and the invariant, by k-induction for k up to `most`."""
    start, bounded = time.perf_counter(), Bounded(instance)
    claims = [p for p in (*invariant, *instance.properties) if p.of_states]
    method = "k-induction with the invariant" if invariant else "k-induction"

    def answer(status: Status, k: int, trace: Trace | None = None, from_start: bool = False) -> SizedProof:
        return SizedProof(instance, method, status, k, trace, from_start, time.perf_counter() - start)

    found: Trace | None = None
    for k in range(1, most + 1):
        report(f"{method}, k = {k}: the first {k} states")
        base = _violation(bounded, claims, k - 1, from_start=True)
        if isinstance(base, Trace):
            return answer(Status.OPEN, k, base, from_start=True)
        report(f"{method}, k = {k}: the step")
        step = _violation(bounded, claims, k, from_start=False)
        if base is Status.PROVED and step is Status.PROVED:
            return answer(Status.PROVED, k)
        if base is Status.UNKNOWN or step is Status.UNKNOWN:
            return answer(Status.UNKNOWN, k, found)
        found = step if isinstance(step, Trace) else found
    return answer(Status.OPEN, most, found)


def _violation(bounded: Bounded, claims: Sequence[Property], steps: int, from_start: bool) -> Trace | Status:
    """A run of so many steps in which all claims hold until its last state, and not there (or its last step is wrong).

    From an initial state, or from any state. `Status.PROVED`: there is none.
    """
    solver = z3.SolverFor("QF_BV")
    solver.set("rlimit", WORK)
    states = [bounded.state(f"s{i}") for i in range(steps + 1)]
    pages = [bounded.page(f"s{i}") for i in range(steps + 1)]
    solver.add(*bounded.well_formed(states[0]), *(bounded.one_page(page) for page in pages))
    if from_start:
        solver.add(bounded.initial(states[0]))
    holds = [z3.And(*(bounded.claims(p, state) for p in claims)) for state in states]
    taken: list[list[tuple[Path, Formula]]] = []
    for i in range(steps):
        options = [(path, z3.Bool(f"s{i}.{n}")) for n, path in enumerate(bounded.paths)]
        solver.add(z3.Or(*(chosen for _, chosen in options)), holds[i])
        for path, chosen in options:
            solver.add(z3.Implies(chosen, bounded.step(path, states[i], pages[i], states[i + 1])))
        taken.append(options)
    answers = [_check(solver, bounded, claims, z3.Not(holds[-1]), states, pages, taken)]
    wrong = _wrong_step(bounded, states[-1], pages[-1]) if any(p.of_steps for p in bounded.instance.properties) else []
    for path, violated in wrong if answers[0] is Status.PROVED else ():
        last = [(path, z3.BoolVal(True))]
        extra = z3.And(holds[-1], violated)
        answers.append(_check(solver, bounded, claims, extra, states, pages, [*taken, last]))
        if answers[-1] is not Status.PROVED:
            break
    return next((a for a in answers if a is not Status.PROVED), Status.PROVED)


def _wrong_step(bounded: Bounded, state: Values, page: Formula) -> list[tuple[Path, Formula]]:
    found = []
    for path in bounded.paths:
        if path.leaf.violated:
            guard, _ = bounded.after(path, state, page)
            of_steps = [p for p in bounded.instance.properties if p.of_steps]
            found.append((path, z3.And(guard, z3.Or(*(bounded.violates(p, path, state, page) for p in of_steps)))))
    return found


def _check(
    solver: z3.Solver,
    bounded: Bounded,
    claims: Sequence[Property],
    wrong: Formula,
    states: list[Values],
    pages: list[Formula],
    taken: list[list[tuple[Path, Formula]]],
) -> Trace | Status:
    solver.push()
    try:
        solver.add(wrong)
        answer = solver.check()
        if answer == z3.unsat:
            return Status.PROVED
        if answer != z3.sat:
            return Status.UNKNOWN
        return _trace(bounded, claims, solver.model(), states, pages, taken)
    finally:
        solver.pop()


def _trace(
    bounded: Bounded,
    claims: Sequence[Property],
    model: z3.ModelRef,
    states: list[Values],
    pages: list[Formula],
    taken: list[list[tuple[Path, Formula]]],
) -> Trace:
    """The run that a model of z3 describes, taken step by step on the concrete interpretation."""
    instance = bounded.instance
    initial = state = bounded.decode(model, states[0])
    steps = []
    for page, options in zip(pages, taken, strict=False):
        action = next(path.action for path, chosen in options if z3.is_true(model.eval(chosen, model_completion=True)))
        bits = model.eval(page, model_completion=True).as_long()
        step = take(instance, state, action, bits.bit_length() - 1 if action.takes_page else None)
        assert step is not None, f"z3 takes {action.name} where the concrete interpretation cannot"
        steps.append(step)
        state = step.state
    violated = steps[-1].violated[0] if steps and steps[-1].violated else _false_in(bounded, claims, states[-1], model)
    return Trace(instance, initial, tuple(steps), violated)


def _false_in(bounded: Bounded, claims: Iterable[Property], state: Values, model: z3.ModelRef) -> str:
    for claim in claims:
        if z3.is_false(model.eval(bounded.claims(claim, state), model_completion=True)):
            return claim.name
    raise AssertionError("z3's counterexample violates nothing")


def spacer(instance: Instance, seconds: float = 60.0, seed: int = 0) -> SizedProof:
    """Let z3's Spacer look for an inductive invariant by itself: no help, and only at the smallest sizes.

    Its search is not bounded by work but by time.
    """
    start, bounded = time.perf_counter(), Bounded(instance)
    engine = z3.Fixedpoint()
    engine.set(engine="spacer", timeout=int(1000 * seconds))
    engine.set("spacer.random_seed", seed)
    engine.set("xform.bit_blast", True)
    now, then, page = bounded.state("now"), bounded.state("then"), bounded.page("step")
    sorts = [value.sort() for value in now.values()]
    reached = z3.Function("reached", *sorts, z3.BoolSort())
    wrong = z3.Function("wrong", z3.BoolSort())
    engine.register_relation(reached, wrong)
    engine.declare_var(*now.values(), *then.values(), page)
    for stored in instance.initial_states():
        values = [z3.BitVecVal(x, v.size()) for x, v in zip(stored, now.values(), strict=True)]
        engine.rule(reached(*values))
    for path in bounded.paths:
        guard, after = bounded.after(path, now, page)
        needs = [bounded.one_page(page)] if path.action.takes_page else []
        engine.rule(reached(*after.values()), [reached(*now.values()), guard, *needs])
        bad = [bounded.violates(p, path, now, page) for p in instance.properties if p.of_steps]
        if path.leaf.violated:
            engine.rule(wrong(), [reached(*now.values()), guard, *needs, z3.Or(*bad)])
    for prop in instance.properties:
        if prop.of_states:
            engine.rule(wrong(), [reached(*now.values()), z3.Not(bounded.claims(prop, now))])
    try:
        answer = engine.query(wrong())
    except z3.Z3Exception:  # out of time
        answer = z3.unknown
    status = Status.PROVED if answer == z3.unsat else Status.OPEN if answer == z3.sat else Status.UNKNOWN
    return SizedProof(instance, "Spacer", status, 1, None, status is Status.OPEN, time.perf_counter() - start)
