"""Simulation of a protocol that is too large to exhaust: how many walks to make, and their results.

The way of a simulation: `stepper` -> `walk` -> `retrace` -> `shorten` -> `Simulated`. A violation found is real, and
its run is as good as one of `explore`. That none was found proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from postcopy.errors import TraceError, UsageError
from postcopy.explorer.kernel.stepper import Stepper
from postcopy.explorer.simulation.shorten import shorten
from postcopy.explorer.simulation.walk import Bug, Walker
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.properties import Kind, Property
from postcopy.language.trace import Trace
from postcopy.surface import command, setting

WALKS = 10_000
"""How many walks are made if neither walks nor seconds are given."""


class Finding(Enum):
    """What a simulation can say."""

    VIOLATED = "violated"
    DEADLOCK = "deadlock"
    NOTHING = "nothing found"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class WalkPlan:
    """The plan of a simulation: how many walks, how long, and with which random numbers.

    Attributes:
        seed: the start of the random numbers; the same seed gives the same walks.
        depth: steps from the start beyond which no walk goes.
        walks: how many walks to make, or None where time decides.
        seconds: how long to go on, or None where the number of walks decides.

    Raises:
        UsageError: a number out of range, or both walks and seconds.
    """

    seed: int
    depth: int = 400
    walks: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.walks is not None and self.seconds is not None:
            raise UsageError(f"give {setting('walks')} or {setting('seconds')}, not both")
        for name, value in (("seed", self.seed + 1), ("depth", self.depth), ("walks", self.walks)):
            if value is not None and value < 1:
                given = value - 1 if name == "seed" else value
                raise UsageError(f"{setting(name, given)}: a whole number from {0 if name == 'seed' else 1} on")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise UsageError(f"{setting('seconds', f'{self.seconds:g}')}: a time greater than 0")

    @property
    def most_walks(self) -> int | None:
        """How many walks to make at most."""
        return WALKS if self.walks is None and self.seconds is None else self.walks


@dataclass(frozen=True)
class Simulated:
    """The results of a simulation.

    Attributes:
        instance: what was walked through.
        plan: how.
        finding: what can be said.
        violated: the property that is violated, or None.
        counterexample: a run that violates it, shortened, or None.
        found_in: how many steps the run had before it was shortened, or None.
        walks: how many walks were begun.
        steps: how many steps they took.
        deepest: the most steps from the start that one came to.
        distinct: about how many different states they saw, up to a renaming of pages.
        fired: how often each action was taken, by name.
        impossible: the actions that cannot be taken at this size, by their own text.
        reached: for each witness, how many walks reached it.
        seconds: time of the walks alone.
    """

    instance: Instance
    plan: WalkPlan
    finding: Finding
    violated: Property | None
    counterexample: Trace | None
    found_in: int | None
    walks: int
    steps: int
    deepest: int
    distinct: int
    fired: dict[str, int]
    impossible: frozenset[str]
    reached: dict[str, int]
    seconds: float

    @property
    def never_fired(self) -> list[str]:
        """The actions that could have been taken at this size and were not."""
        return [name for name, times in self.fired.items() if times == 0 and name not in self.impossible]


class Simulation:
    """Random walks according to a plan, which can be asked at any time what they have found.

    Raises:
        SpecError: the protocol or a property cheats or errs.
        UsageError: the size does not fit, or a property is about runs without end.
    """

    def __init__(self, instance: Instance, plan: WalkPlan, report: Callable[[str], None] | None = None) -> None:
        self.plan = plan
        self._report = report or (lambda _: None)
        endless = [prop.name for prop in instance.properties if prop.of_runs]
        if endless:
            raise UsageError(f"{endless[0]} is about runs without end: a walk has one; {command('check')} decides it")
        self._report("interpreting the actions")
        self._stepper = Stepper(instance, to_errors=True)
        self.instance = self._stepper.instance
        self._walker = Walker(self._stepper, plan.seed, plan.depth)
        self._bug: Bug | None = None
        self._run: Trace | None = None
        self._done = False
        self._seconds = 0.0

    def run(self) -> None:
        """Walk until the plan is fulfilled or something is found. A KeyboardInterrupt leaves all that was found."""
        start, reported = time.perf_counter(), 0.0
        while self._bug is None and not self._done:
            try:
                self._bug = self._walker.walk()
            finally:
                self._seconds = time.perf_counter() - start
            self._done = self._enough()
            if self._seconds - reported > 0.1:
                reported = self._seconds
                self._report(self._progress())
        if self._bug is not None:
            self._run = retrace(self._stepper, self._bug)
            for self._run in shorten(self._run, self._bug.violated):  # noqa: B020
                self._report(f"shortening: {len(self._run.steps)} of {self._bug.at.steps} steps are left")

    def _enough(self) -> bool:
        plan, most = self.plan, self.plan.most_walks
        return self._seconds >= plan.seconds if plan.seconds is not None else self._walker.walks >= (most or 0)

    def _progress(self) -> str:
        walker, most = self._walker, self.plan.most_walks
        of = f" of {most:,}" if most is not None else f", {self._seconds:.0f} of {self.plan.seconds:g} s"
        return f"{walker.walks:,} walks{of}, {walker.steps / self._seconds:,.0f} steps/s, deepest {walker.deepest}"

    def found(self) -> Simulated:
        """What can be said now.

        Raises:
            SpecError: the text of an action is refused, and no walk shows why.
        """
        walker, bug = self._walker, self._bug
        if bug is None and self._stepper.kernel.refused is not None:
            raise self._stepper.kernel.refused
        if bug is not None:
            finding = Finding.DEADLOCK if bug.violated.kind is Kind.NO_DEADLOCK else Finding.VIOLATED
        else:
            finding = Finding.NOTHING if self._done else Finding.INTERRUPTED
        return Simulated(
            self.instance, self.plan, finding, bug.violated if bug else None, self._run,
            bug.at.steps if bug else None, walker.walks, walker.steps, walker.deepest, len(walker.census),
            {action.name: walker.fired[i] for i, action in enumerate(self.instance.actions)},
            self._stepper.impossible, dict(walker.reached), self._seconds,
        )  # fmt: skip


def retrace(stepper: Stepper, bug: Bug) -> Trace:
    """The walk that found a violation, taken again by the concrete interpretation.

    Raises:
        TraceError: it cannot be: the compiled and the concrete interpretation disagree.
    """
    instance, points = stepper.instance, bug.at.path
    by_step = bug.violated.name if bug.violated.of_steps else None
    initial = state = stepper.unpack(points[0].state)
    steps = []
    for number, point in enumerate(points[1:], start=1):
        action, wanted = instance.actions[point.action], stepper.unpack(point.state)
        must_violate = by_step if point is points[-1] else None
        for page in action.choices(instance.pages):
            step = take(instance, state, action, page)
            if step is not None and step.state == wanted and (must_violate is None or must_violate in step.violated):
                break
        else:
            raise TraceError(f"{action.name} does not lead to state {number}: the kernel and the model disagree")
        steps.append(step)
        state = step.state
    return Trace(instance, initial, tuple(steps), bug.violated.name)
