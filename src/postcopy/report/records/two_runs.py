"""Two runs beside each other, as a record."""

from __future__ import annotations

import msgspec

from postcopy.report.records.story import TraceRecord, trace_record
from postcopy.report.results.two_runs import Differing, TwoRuns


class DifferingRecord(msgspec.Struct, frozen=True):
    """A part of the state that is not the same in both runs.

    Attributes:
        variable: its name in the model.
        title: what it is, in the document's words.
        observer: no thread knows it; it is there for the properties.
        first, second: what it holds in each run; null where the protocol has no such part.
    """

    variable: str
    title: str
    observer: bool
    first: str | None
    second: str | None


class PairRecord(msgspec.Struct, frozen=True):
    """A step of the one run beside the same step of the other.

    Attributes:
        first, second: the number of the step in each run; null where only the other run takes it.
    """

    first: int | None
    second: int | None


class TwoRunsRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy trace --diff`.

    Attributes:
        first, second: the runs.
        alike: both take the same steps through the same states to the same end.
        common: how many steps they begin with in common.
        states_part: after how many of these the states differ first, in what both protocols have; null where they
            never do.
        aligned: their steps beside each other.
        differ_after_parting: what differs after the first step that differs.
        differ_at_the_end: what differs in the last states.
    """

    first: TraceRecord
    second: TraceRecord
    alike: bool
    common: int
    states_part: int | None
    aligned: list[PairRecord]
    differ_after_parting: list[DifferingRecord]
    differ_at_the_end: list[DifferingRecord]


def two_runs_record(found: TwoRuns) -> TwoRunsRecord:
    """Two runs as a record."""
    first, second = (trace_record(s, run.violated) for s, run in zip(found.stories, found.runs, strict=True))
    ends = (len(found.runs[0].steps), len(found.runs[1].steps))
    return TwoRunsRecord(
        first=first,
        second=second,
        alike=found.alike,
        common=found.common,
        states_part=found.states_part,
        aligned=[PairRecord(*(None if s is None else s.number for s in pair.steps)) for pair in found.pairs],
        differ_after_parting=[_record(it) for it in found.differing(found.after_parting())],
        differ_at_the_end=[_record(it) for it in found.differing(ends)],
    )


def _record(it: Differing) -> DifferingRecord:
    return DifferingRecord(it.variable, it.title, it.ghost, *it.values)
