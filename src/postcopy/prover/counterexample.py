"""Counterexamples to induction: a state in which every conjunct holds, and a step after which one does not.

z3 finds them at small sizes, where every page and message is there (`bounded`), so that a person can read them. Whether
such a state can be reached at all, the explorer says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postcopy.errors import NoRoomError
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.results import Options, Outcome, Verdict
from postcopy.language.concrete import violated_by
from postcopy.language.instance import Instance
from postcopy.language.properties import Property, of_each_page
from postcopy.language.protocol import Protocol
from postcopy.language.step_errors import STEP_ERRORS
from postcopy.language.trace import Trace
from postcopy.prover.obligations import ANY, INITIAL, Obligation
from postcopy.prover.steps import Steps

SIZES = ((1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 2, 2), (2, 3, 2))
"""Where a counterexample to induction is looked for: pages, messages in flight, target pages of a host page."""


EXPLORED = ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 1, 2), (2, 2, 2))
"""Where a run that violates a property is looked for."""


def find(
    protocol: type[Protocol],
    properties: Sequence[Property],
    conjuncts: Sequence[Property],
    obligation: Obligation,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
) -> Trace | None:
    """A counterexample at the first size that has one, or None where there is none at these sizes."""
    wanted = [p for p in conjuncts if p.name == obligation.conjunct and p not in properties]
    for pages, in_flight, group in sizes:
        watching = [c.monitor for c in conjuncts if c.monitor is not None]
        instance = Instance(protocol, pages, in_flight, [*properties, *wanted], group, watching)
        found = (
            _initial(instance, obligation) if obligation.action == INITIAL else _step(instance, conjuncts, obligation)
        )
        if found is not None:
            return found
    return None


def _initial(instance: Instance, obligation: Obligation) -> Trace | None:
    for state in instance.initial_states():
        if obligation.conjunct in violated_by(instance, state):
            return Trace(instance, state, (), obligation.conjunct)
    return None


def _step(instance: Instance, conjuncts: Sequence[Property], obligation: Obligation) -> Trace | None:
    if obligation.conjunct not in {p.name for p in (*conjuncts, *instance.properties)}:
        return None  # a number out of range, or a marked message of several pages: the explorer finds those by itself
    steps = Steps(instance, conjuncts)
    try:
        return steps.violation(
            steps.claims,
            [obligation.conjunct],
            None if obligation.action == ANY else [obligation.action],
        )
    except TimeoutError:
        return None


class Reachable:
    """What the explorer can reach of an instance.

    Attributes:
        verdict: what it says of the instance's properties.
    """

    def __init__(self, instance: Instance) -> None:
        readable = [p for p in instance.properties if not of_each_page(p.holds)]
        instance = Instance(
            instance.protocol,
            instance.pages,
            instance.in_flight,
            readable,
            instance.group,
            list(instance.monitors.values()),
        )
        self._exploration = Exploration(instance, Options())
        self._exploration.run()
        self.verdict: Verdict = self._exploration.verdict()
        complete = self.verdict.outcome is Outcome.HOLDS
        self._states = frozenset(self._exploration.stored()) if complete else None

    def reaches(self, trace: Trace) -> bool | None:
        """Whether the state in which a trace starts can be reached; None where the search did not see all states."""
        return None if self._states is None else self._exploration.kernel.representative(trace.initial) in self._states


def refute(
    protocol: type[Protocol], properties: Sequence[Property], instances: Sequence[Instance] | None = None
) -> list[Verdict]:
    """Searches that found a run which violates one of the properties: one search for each that is violated.

    An error of a step is one of them, and the last: no search gets past it.

    Args:
        protocol: the class.
        properties: of states and steps, and the absence of deadlock.
        instances: where to look, one after the other; the small sizes, if not given.

    Raises:
        SpecError: the protocol cheats or errs.
        NoRoomError: a message may lack room, as far as the text says, and no run shows it.
    """
    found: list[Verdict] = []
    left = list(properties)
    refused: NoRoomError | None = None
    for size in _small(protocol) if instances is None else instances:
        try:
            for verdict in _violations(size, left):
                found.append(verdict)
                if verdict.violated in STEP_ERRORS:
                    return found
        except NoRoomError as error:
            refused = error
        if found and not left:
            break
    if refused is not None:
        raise refused
    return found


def _violations(size: Instance, left: list[Property]) -> Iterator[Verdict]:
    """Searches of an instance, each without the properties that the ones before found violated."""
    while True:
        verdict = explore(Instance(size.protocol, size.pages, size.in_flight, left, size.group))
        if verdict.violated is None:
            return
        if verdict.violated in left:
            left.remove(verdict.violated)
        yield verdict


def _small(protocol: type[Protocol]) -> list[Instance]:
    return [Instance(protocol, pages, in_flight, (), group) for pages, in_flight, group in EXPLORED]
