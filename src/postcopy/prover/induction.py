"""Proofs at a size: k-induction, and z3's Spacer, which looks for an invariant of its own.

k-induction: the claims hold in the first k states of every run (base), and after any k states in a row in which
they hold they hold once more (step). With k = 1 that is plain induction. What is assumed beside the properties (an
invariant) only helps if it is inductive itself: it is part of what is proved. What fails is left out, and the rest is
tried again without it: so a claim that fails takes with it only what needs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import z3

from postcopy.language.instance import Instance
from postcopy.language.properties import Kind, Property
from postcopy.language.trace import Trace
from postcopy.prover.bounded import Bounded
from postcopy.prover.premises import IN_RANGE
from postcopy.prover.solving import Status
from postcopy.prover.steps import Steps


@dataclass(frozen=True)
class SizedProof:
    """The result of a proof at a size.

    Attributes:
        instance: the protocol at its size.
        method: in words.
        k: how many states in a row were needed, or tried.
        claims: the names of all that was to be proved: the properties, the invariant, the ranges of numbers.
        proved: those of them that are proved.
        failed: of each of the others a run from states in which what was assumed holds to one that violates it, where
            there is one. In the order in which they were found: of the first all claims were assumed, of each later
            one those that had not failed before.
        gave_up: z3 gave up.
        seconds: how long it took.
    """

    instance: Instance
    method: str
    k: int
    claims: tuple[str, ...]
    proved: frozenset[str]
    failed: dict[str, Trace]
    gave_up: bool
    seconds: float

    @property
    def status(self) -> Status:
        """Of the properties and the ranges; a conjunct that is not proved takes nothing from it."""
        asked = {p.name for p in self.instance.properties} | {IN_RANGE.name}
        if all(name in self.proved for name in self.claims if name in asked):
            return Status.PROVED
        return Status.UNKNOWN if self.gave_up else Status.OPEN


def k_induction(
    instance: Instance, invariant: Sequence[Property], most: int = 3, report: Callable[[str], None] = lambda _: None
) -> SizedProof:
    """Prove the instance's properties, the ranges of its numbers, and the invariant, by k-induction for k up to `most`.

    Where some of it fails for each k, those are proved that are inductive together without it.
    """
    start = time.perf_counter()
    method = "k-induction with the invariant" if invariant else "k-induction"
    weeding = _Weeding(instance, invariant, lambda text: report(f"{method}, {text}"))
    k = 1
    while not weeding.inductive(k) and k < most and not weeding.gave_up:
        k += 1
    return SizedProof(
        instance,
        method,
        k,
        weeding.claims,
        weeding.proved,
        weeding.failed,
        weeding.gave_up,
        time.perf_counter() - start,
    )


class _Weeding:
    """Claims, of which those that fail are taken out until the others are inductive together.

    Attributes:
        claims: the names of all that is to be proved.
        proved: what is proved.
        failed: why the others are not.
        gave_up: z3 gave up.
    """

    def __init__(self, instance: Instance, invariant: Sequence[Property], report: Callable[[str], None]) -> None:
        self._instance, self._invariant, self._report = instance, invariant, report
        self._bounded = Bounded(instance)
        self._steps: dict[tuple[int, bool], Steps] = {}
        self.claims = self._of(1, from_start=False).wrong
        self.proved: frozenset[str] = frozenset()
        self.failed: dict[str, Trace] = {}
        self.gave_up = False

    def _of(self, length: int, *, from_start: bool) -> Steps:
        key = (length, from_start)
        if key not in self._steps:
            self._steps[key] = Steps(self._instance, self._invariant, length, from_start, self._bounded)
        return self._steps[key]

    def inductive(self, k: int) -> bool:
        """Whether all claims are inductive with so many states in a row. If not, see `proved` and `failed`."""
        left, failed = list(self.claims), dict[str, Trace]()
        try:
            while (found := self._counterexample(k, left)) is not None:
                run, broken = found
                failed |= dict.fromkeys(broken, run)
                left = [name for name in left if name not in broken]
                if IN_RANGE.name in broken:  # the encoding rests on it
                    left = []
        except TimeoutError:
            self.gave_up, left = True, []
        if len(left) >= len(self.proved):
            self.proved, self.failed = frozenset(left), failed
        return len(left) == len(self.claims)

    def _counterexample(self, k: int, left: Sequence[str]) -> tuple[Trace, list[str]] | None:
        """A run after which some of the claims that are left fail, and which of them."""
        for length in range(k):
            self._report(f"k = {k}: the first states")
            found = self._violation(self._of(length, from_start=True), left)
            if found is not None:
                return found
        self._report(f"k = {k}: the step")
        return self._violation(self._of(k, from_start=False), left)

    @staticmethod
    def _violation(steps: Steps, left: Sequence[str]) -> tuple[Trace, list[str]] | None:
        assumed = [name for name in steps.claims if name in left]
        wanted = [name for name in steps.wrong if name in left]
        run = steps.violation(assumed, wanted) if wanted else None
        return None if run is None else (run, steps.failing(run, wanted))


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
    engine.declare_var(*now.values(), *then.values(), *page)
    for stored in instance.initial_states():
        values = [z3.BitVecVal(x, v.size()) for x, v in zip(stored, now.values(), strict=True)]
        engine.rule(reached(*values))
    for path in bounded.paths:
        guard, after = bounded.after(path, now, page)
        needs = [bounded.one_page(page)] if path.action.takes_page else []
        engine.rule(reached(*after.values()), [reached(*now.values()), guard, *needs])
        bad = [bounded.violates(p, path, now, page) for p in instance.properties if p.of_steps]
        if path.leaf.checks:
            bad.append(z3.Not(bounded.in_range(path, now, page)))
        if bad:
            engine.rule(wrong(), [reached(*now.values()), guard, *needs, z3.Or(*bad)])
    for prop in instance.properties:
        if prop.of_states:
            engine.rule(wrong(), [reached(*now.values()), z3.Not(bounded.claims(prop, now))])
        elif prop.kind is Kind.NO_DEADLOCK:
            engine.rule(wrong(), [reached(*now.values()), bounded.stuck(now, page)])
    try:
        answer = engine.query(wrong())
    except z3.Z3Exception:  # out of time
        answer = z3.unknown
    ranges = (IN_RANGE.name,) if bounded.has_ranges else ()
    claims = (*(p.name for p in instance.properties), *ranges)
    proved = frozenset(claims) if answer == z3.unsat else frozenset[str]()
    gave_up = answer == z3.unknown
    return SizedProof(instance, "Spacer", 1, claims, proved, {}, gave_up, time.perf_counter() - start)
