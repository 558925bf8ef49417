"""The last run of a suite, kept beside its file: what need not be asked again, and what a page compares with."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import msgspec

from postcopy.report.files.file_format import replace
from postcopy.suites.entries import NO_VERDICT, Entry, Found, Judged, Kind, Run
from postcopy.suites.judging import judge
from postcopy.version import __version__

_PACKAGE = Path(__file__).parents[1]

_NOT_AN_ANSWER = NO_VERDICT | {"error"}
"""Verdicts that may be another at the next try."""


def file_of(suite: Path) -> Path:
    """Where the last run of a suite is kept."""
    return suite.parent / ".postcopy" / f"{suite.stem}.json"


@cache
def sources() -> str:
    """The digest of this package's sources: any change of them may change any verdict."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read(path: Path) -> Run | None:
    """The run that is kept in a file; None where there is none, or it cannot be read: then everything is asked."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def keep(path: Path, run: Run) -> None:
    """Keep a run, in a directory that Git ignores.

    Raises:
        UsageError: the file cannot be written.
        OSError: its directory cannot be made.
    """
    path.parent.mkdir(exist_ok=True)
    ignored = path.parent / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")
    replace(path, msgspec.json.encode(run))


def unchanged(entry: Entry, last: Run | None) -> Judged | None:
    """The judgement by the last run's answer, if nothing has changed that it depends on: this package, the question,
    and the files that it has read. None where the question has to be asked."""
    if last is None or (last.version, last.sources) != (__version__, sources()):
        return None
    before = last.by_name().get(entry.name)
    if before is None or _asked(before.entry) != _asked(entry) or not _holds_still(before.found):
        return None
    return judge(entry, before.found, reused=True)


def _asked(entry: Entry) -> Entry:
    """The question without what is expected of its answer, which needs no new search, and without the time that it may
    take, unless it walks for that time. Accepted findings make a search go on after the first, and so do several
    violations."""
    every = entry.kind is Kind.CHECK and entry.goes_on
    return msgspec.structs.replace(
        entry,
        expect="",
        violates=[],
        accepted={"every": "one"} if every else {},
        strict=False,
        seconds=entry.seconds if entry.kind is Kind.SIMULATE else 0.0,
    )


def _holds_still(found: Found) -> bool:
    return found.verdict not in _NOT_AN_ANSWER and all(_digest(Path(p)) == known for p, known in found.reads.items())


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
