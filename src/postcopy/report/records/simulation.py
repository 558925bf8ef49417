"""The result of random walks as a record."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from postcopy.explorer.simulation.simulate import Simulated
from postcopy.report.records.story import RunRecord, run_record
from postcopy.report.results.simulation import answer
from postcopy.report.story.tell import tell


class WalkedPropertyRecord(msgspec.Struct, frozen=True):
    """A property that was looked at, and what the walks say of it.

    Attributes:
        name: its name on the command line.
        sentence: what it says.
        kind: always, never, sometimes and so on.
        rules: the rules of the document that it stands for.
        answer: violated, not seen violated, reached, or not reached.
        walks: for a witness, how many walks reached it.
    """

    name: str
    sentence: str
    kind: str
    rules: list[str]
    answer: Literal["violated", "not seen violated", "reached", "not reached"]
    walks: int | UnsetType = UNSET


class SimulationRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy simulate`.

    Attributes:
        protocol, pages, in_flight, host_page: as in a check.
        seed: all draws come from it.
        verdict: what was found.
        violated: the property that is violated, by name.
        expected: properties that the protocol is known to violate.
        walks, steps: how many were made.
        deepest: steps from the start of the deepest walk.
        depth_limit: no walk goes further from the start.
        distinct_states: an estimate of the different states seen.
        seconds: time that it took.
        properties: all that was looked at.
        actions: how often each action was taken.
        never_fired, impossible_at_this_size: as in a check.
        found_in: steps of the walk that found the violation, before it was shortened.
        counterexample: the shortened run.
    """

    protocol: str
    pages: int
    in_flight: int
    host_page: int
    seed: int
    verdict: Literal["violated", "deadlock", "nothing found", "interrupted"]
    violated: str | None
    expected: list[str]
    walks: int
    steps: int
    deepest: int
    depth_limit: int
    distinct_states: int
    seconds: float
    properties: list[WalkedPropertyRecord]
    actions: dict[str, int]
    never_fired: list[str]
    impossible_at_this_size: list[str]
    found_in: int | None
    counterexample: RunRecord | None


def simulation_record(found: Simulated, name: str, expected: tuple[str, ...] = ()) -> SimulationRecord:
    """The result of random walks as a record."""
    instance, plan = found.instance, found.plan
    return SimulationRecord(
        protocol=name,
        pages=instance.pages,
        in_flight=instance.in_flight,
        host_page=instance.group,
        seed=plan.seed,
        verdict=found.finding.value,
        violated=found.violated.name if found.violated else None,
        expected=list(expected),
        walks=found.walks,
        steps=found.steps,
        deepest=found.deepest,
        depth_limit=plan.depth,
        distinct_states=found.distinct,
        seconds=round(found.seconds, 3),
        properties=[
            WalkedPropertyRecord(
                name=p.name,
                sentence=p.sentence,
                kind=p.kind.value,
                rules=list(p.rules),
                answer=answer(found, p),
                walks=found.reached[p.name] if p.is_witness else UNSET,
            )
            for p in instance.properties
        ],
        actions=found.fired,
        never_fired=found.never_fired,
        impossible_at_this_size=sorted(found.impossible),
        found_in=found.found_in,
        counterexample=run_record(tell(found.counterexample)) if found.counterexample else None,
    )
