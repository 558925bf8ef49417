"""What a suite asks, what came of it, and how that is judged: the records of all other files of this room."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

WRONG = frozenset({"violated", "deadlock", "liveness violated", "refuted"})
"""The verdicts that name a property."""

NO_VERDICT = frozenset({"inconclusive", "interrupted"})
"""Verdicts that say nothing of the protocol."""


class Kind(StrEnum):
    """What is done with a protocol."""

    CHECK = "check"
    PROVE = "prove"
    SIMULATE = "simulate"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a suite.

    Attributes:
        name: its name in reports; no other entry has it.
        kind: what is done.
        protocol: what the command line takes.
        arguments: further arguments of the function of `postcopy` that does it, such as pages.
        seconds: time that it may take.
        max_memory: bytes that its states may take.
        expect: the verdict that is expected; empty for any violation of the properties that are to be violated.
        violates: the properties that are to be violated, by name; none where that does not matter.
        accepted: the properties whose violation is a known and accepted finding, each with the reason.
        strict: what weakens the verdict is not as expected.
        folder: the folder of the suite's file, from which files are named.
    """

    name: str
    kind: Kind
    protocol: str
    arguments: dict[str, int | str | bool | list[str]]
    seconds: float
    max_memory: int
    expect: str
    violates: list[str]
    accepted: dict[str, str]
    strict: bool
    folder: str

    @property
    def goes_on(self) -> bool:
        """The search goes on after the first violation: several are expected, or some are accepted."""
        return bool(self.accepted) or len(self.violates) > 1


class Suite(msgspec.Struct, frozen=True):
    """A file with questions.

    Attributes:
        path: the file.
        name: what it is called in reports.
        entries: the questions.
        max_memory: bytes that the states of all searches may take that run at the same time.
        jobs: how many run at the same time at most; 0 for one for each core.
    """

    path: Path
    name: str
    entries: tuple[Entry, ...]
    max_memory: int
    jobs: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a question.

    Attributes:
        verdict: as ``--json`` gives it; ``error`` where there was none.
        violated: the properties that are violated, by name.
        sentence: the verdict as a sentence, or the error.
        warnings: what weakens it.
        states: states that were seen; 0 for a proof.
        seconds: time that it took, compiling included.
        story: the counterexample in words; may be empty.
        file: the file of the guard that let the wrong step pass, or of the protocol; may be empty.
        line: its line there.
        page: the HTML page of the result, or empty.
        reads: the files that it depends on outside of this package, each with the digest of its content.
    """

    verdict: str
    violated: list[str] = []
    sentence: str = ""
    warnings: list[str] = []
    states: int = 0
    seconds: float = 0.0
    story: str = ""
    file: str = ""
    line: int = 0
    page: str = ""
    reads: dict[str, str] = {}


class Status(StrEnum):
    """What a suite says of a question."""

    EXPECTED = "as expected"
    ACCEPTED = "accepted"
    UNEXPECTED = "not as expected"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"

    @property
    def passes(self) -> bool:
        """Whether a run may be green with it."""
        return self in (Status.EXPECTED, Status.ACCEPTED)


class Judged(msgspec.Struct, frozen=True):
    """A question with its judgement.

    Attributes:
        entry: the question.
        found: what came of it.
        status: whether that is as expected.
        why: in a line.
        reused: it was not asked again, since nothing has changed.
    """

    entry: Entry
    found: Found
    status: Status
    why: str
    reused: bool = False


class Run(msgspec.Struct, frozen=True):
    """A run of a suite.

    Attributes:
        suite: name of the suite.
        version: of this package.
        sources: digest of this package's sources.
        judged: all questions in the order of the file.
        seconds: time that it took.
    """

    suite: str
    version: str
    sources: str
    judged: list[Judged]
    seconds: float

    def by_name(self) -> Mapping[str, Judged]:
        """The questions by their names."""
        return {each.entry.name: each for each in self.judged}

    def count(self, status: Status) -> int:
        """How many questions have a status."""
        return sum(each.status is status for each in self.judged)

    @property
    def sentence(self) -> str:
        """How many there are of each status."""
        counts = [f"{self.count(status)} {status}" for status in Status if self.count(status)]
        return f"{len(self.judged)} question{'s' * (len(self.judged) != 1)}: {', '.join(counts)}"
