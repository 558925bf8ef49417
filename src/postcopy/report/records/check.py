"""The result of a check as a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Verdict
from postcopy.report.records.story import RunRecord, run_record
from postcopy.report.results.check import answer, gap_in_words, not_asked, reductions, why_no_symmetry
from postcopy.report.story.tell import tell


class PropertyRecord(msgspec.Struct, frozen=True):
    """A property that was asked, and the answer.

    Attributes:
        name: its name on the command line.
        sentence: what it says.
        kind: always, never, eventually, sometimes and so on.
        rules: the rules of the document that it stands for.
        answer: holds, violated, reached, not reached, or unknown (the search ended earlier).
    """

    name: str
    sentence: str
    kind: str
    rules: list[str]
    answer: Literal["holds", "violated", "reached", "not reached", "unknown"]


class LivenessRecord(msgspec.Struct, frozen=True):
    """The check of what must happen in the end.

    Attributes:
        states, transitions: size of the graph.
        seconds: time that it took.
        promised_in_states: for each property the number of states in which it is promised and has not happened yet.
    """

    states: int
    transitions: int
    seconds: float
    promised_in_states: dict[str, int]


class FurtherRecord(msgspec.Struct, frozen=True):
    """A search without the properties that earlier searches found violated.

    Attributes:
        verdict: as in a check.
        violated: the property that this search found violated, by name.
        why: for an inconclusive verdict, why; or why no counterexample is shown.
        states: states seen.
        counterexample: a shortest run that violates it.
    """

    verdict: str
    violated: str | None
    why: str | None
    states: int
    counterexample: RunRecord | None


class WarningRecord(msgspec.Struct, frozen=True):
    """Something that weakens the verdict.

    Attributes:
        kind: what is missing.
        name: the action, event, field or property that it is about.
        properties: the properties that say less because of it, by name.
        text: the warning as the terminal shows it.
    """

    kind: Literal[
        "action never taken",
        "action changes nothing",
        "branch without effect never taken",
        "event never happens",
        "history never changes",
        "set of pages not asked about",
        "set of pages without a role",
        "property cannot fail",
        "witness not reached",
        "promise never made",
    ]
    name: str
    properties: list[str]
    text: str


class CheckRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy check`.

    Attributes:
        protocol: name of the protocol.
        pages: target pages of the guest.
        in_flight: messages that each channel holds.
        host_page: target pages of one host page.
        symmetry: one of all states that are equal up to a renaming of pages was stored.
        no_symmetry: why there is no page symmetry although it was asked for; null otherwise.
        reductions: all that was done to store fewer states.
        verdict: what was found.
        violated: the property that is violated, by name.
        expected: properties that the protocol is known to violate.
        why: for an inconclusive verdict, why; or why no counterexample is shown.
        states, transitions, depth: size of what was explored.
        frontier: states that were seen and not expanded.
        liveness: the check of what must happen in the end; null where there was none.
        seconds: time of the search alone.
        engine: the driver that searched.
        bits_per_state, words_per_state: size of a stored state.
        bytes: memory for states at the end.
        bytes_on_disk: bytes in files at the end.
        properties: all that was asked, with the answers.
        inapplicable: properties that are not asked of this protocol, with the reasons.
        actions: how often each action was taken.
        never_fired: actions that were never taken though they can be at this size.
        impossible_at_this_size: actions that cannot be taken at this size.
        cannot_fail_at_this_size: properties that no state or step can violate at this size, as reading the actions
            shows before any search.
        warnings: what weakens the verdict. Unless all states were seen, only sets of pages without a role, where the
            violated property reads roles.
        counterexample: a shortest run that violates the property.
        further: searches for more counterexamples (--count, --all-properties).
    """

    protocol: str
    pages: int
    in_flight: int
    host_page: int
    symmetry: bool
    no_symmetry: str | None
    reductions: list[str]
    verdict: Literal["holds", "violated", "deadlock", "liveness violated", "inconclusive"]
    violated: str | None
    expected: list[str]
    why: str | None
    states: int
    transitions: int
    depth: int
    frontier: int
    liveness: LivenessRecord | None
    seconds: float
    engine: str
    bits_per_state: int
    words_per_state: int
    bytes: int
    bytes_on_disk: int
    properties: list[PropertyRecord]
    inapplicable: dict[str, str]
    actions: dict[str, int]
    never_fired: list[str]
    impossible_at_this_size: list[str]
    cannot_fail_at_this_size: list[str]
    warnings: list[WarningRecord]
    counterexample: RunRecord | None
    further: list[FurtherRecord]


def check_record(
    verdict: Verdict, name: str, expected: tuple[str, ...] = (), further: Sequence[Verdict] = ()
) -> CheckRecord:
    """The result of a check as a record.

    Args:
        verdict: what the search found.
        name: the protocol's name.
        expected: properties that the protocol is known to violate.
        further: what the searches for more counterexamples found.
    """
    instance = verdict.instance
    return CheckRecord(
        protocol=name,
        pages=instance.pages,
        in_flight=instance.in_flight,
        host_page=instance.group,
        symmetry=PAGES in verdict.reductions,
        no_symmetry=why_no_symmetry(verdict) or None,
        reductions=reductions(verdict),
        verdict=verdict.outcome.value,
        violated=verdict.violated.name if verdict.violated else None,
        expected=list(expected),
        why=verdict.why or None,
        states=verdict.states,
        transitions=verdict.transitions,
        depth=verdict.depth,
        frontier=verdict.frontier,
        liveness=_liveness(verdict),
        seconds=round(verdict.seconds, 3),
        engine=verdict.engine,
        bits_per_state=verdict.bits,
        words_per_state=verdict.words,
        bytes=verdict.bytes,
        bytes_on_disk=verdict.disk,
        properties=[
            PropertyRecord(
                name=p.name, sentence=p.sentence, kind=p.kind.value, rules=list(p.rules), answer=answer(verdict, p)
            )
            for p in instance.properties
        ],
        inapplicable=not_asked(verdict),
        actions=verdict.fired,
        never_fired=verdict.never_fired,
        impossible_at_this_size=sorted(verdict.impossible),
        cannot_fail_at_this_size=sorted(verdict.constant),
        warnings=[
            WarningRecord(
                kind=gap.missing.value, name=gap.name, properties=list(gap.properties), text=gap_in_words(verdict, gap)
            )
            for gap in verdict.gaps
        ],
        counterexample=_counterexample(verdict),
        further=[_further(each) for each in further],
    )


def _liveness(verdict: Verdict) -> LivenessRecord | None:
    live = verdict.liveness
    if live is None:
        return None
    return LivenessRecord(
        states=live.states,
        transitions=live.edges,
        seconds=round(live.seconds, 3),
        promised_in_states={name: finding.open for name, finding in live.findings.items()},
    )


def _further(verdict: Verdict) -> FurtherRecord:
    return FurtherRecord(
        verdict=verdict.outcome.value,
        violated=verdict.violated.name if verdict.violated else None,
        why=verdict.why or None,
        states=verdict.states,
        counterexample=_counterexample(verdict),
    )


def _counterexample(verdict: Verdict) -> RunRecord | None:
    return run_record(tell(verdict.counterexample)) if verdict.counterexample else None
