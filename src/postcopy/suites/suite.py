"""`suite`: many checks and proofs from a file, each with the verdict that is expected."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from postcopy.api.asking import functions, path_of, path_or_none, unless_none, whole_numbers
from postcopy.api.progress import Show, silent
from postcopy.api.result import PAGE, Result
from postcopy.errors import PostcopyError, UsageError
from postcopy.prover.means import cores
from postcopy.report.files.file_format import FileFormat
from postcopy.suites import last_run, page
from postcopy.suites.entries import Entry, Found, Judged, Run, Status, Suite
from postcopy.suites.judging import judge
from postcopy.suites.outputs import SIGNS, WRITERS
from postcopy.suites.running import run
from postcopy.suites.suite_file import read_suite
from postcopy.surface import setting
from postcopy.version import __version__

STYLES = {
    Status.EXPECTED: "green",
    Status.ACCEPTED: "green",
    Status.UNEXPECTED: "bold red",
    Status.INCONCLUSIVE: "yellow",
    Status.ERROR: "bold red",
}


@dataclass(frozen=True, repr=False)
class SuiteResult(Result):
    """A run of a suite.

    Attributes:
        name: the suite's name.
        path: its file.
        found: every question with what came of it.
        last: the run before it, or None.
        not_kept: why the run is not kept for the next one; empty where it is.
    """

    name: str
    path: Path
    found: Run
    last: Run | None = None
    not_kept: str = ""

    @property
    def verdict(self) -> str:
        """The worst of all questions: ``not as expected``, ``error``, ``inconclusive``, ``as expected``."""
        found = {each.status for each in self.found.judged}
        worst_first = (Status.UNEXPECTED, Status.ERROR, Status.INCONCLUSIVE)
        return next((status for status in worst_first if status in found), Status.EXPECTED).value

    @property
    def sentence(self) -> str:
        """How many questions there are of each kind."""
        reused = sum(each.reused for each in self.found.judged)
        same = f"; {reused} not asked again, since nothing has changed" if reused else ""
        return f"{self.found.suite}: {self.found.sentence}{same}"

    @property
    def record(self) -> Run:
        """All that ``--json`` prints."""
        return self.found

    def print_to(self, console: Console) -> None:
        """Print every question with what came of it, and the end."""
        for each in self.found.judged:
            print_judged(each, console)
        self.print_end(console)

    def print_end(self, console: Console) -> None:
        """Print the sentence."""
        passes = all(each.status.passes for each in self.found.judged)
        console.print(Text(self.sentence, style="bold green" if passes else "bold red"))

    def page(self, command: str = "") -> str:  # noqa: ARG002
        """The page of ``--html``, which compares with the last run.

        Args:
            command: is not shown.
        """
        return page.html(self.found, self.last, self.path)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the run to a file.

        Args:
            path: where; the ending says in which format: .html, .xml (JUnit), .md, .json (GitLab's code quality).
            force: replace a file that this package has not written.

        Raises:
            UsageError: the ending is of no format, or the file cannot be written.
        """
        goal = path_of("path", path)
        form, write = self._format_of(goal)
        form.refuse(goal, force=force)
        form.save(goal, write(self.found))

    def _format_of(self, goal: Path) -> tuple[FileFormat, Callable[[Run], str]]:
        """The format and the writer for a file's ending. A summary may have any name as an option, but not here."""
        writers = {".html": (page.FORMAT, lambda run: page.html(run, self.last, goal)), ".md": WRITERS["markdown"]}
        writers |= {form.ending: (form, write) for form, write in WRITERS.values() if form.endings}
        if goal.suffix not in writers:
            raise UsageError(f"save: {goal}: the name has to end in {', '.join(writers)}")
        return writers[goal.suffix]

    def __bool__(self) -> bool:
        """True: every question has the verdict that the file expects, or an accepted one. False: one has another.

        Raises:
            UndecidedError: a question has no verdict.
        """
        if self.verdict in (Status.ERROR, Status.INCONCLUSIVE):
            raise self._undecided(self.found.sentence)
        return self.verdict == Status.EXPECTED


def print_judged(each: Judged, console: Console) -> None:
    """Print a question with what came of it, and the story of what is not as expected."""
    line = Text.assemble((f"{SIGNS[each.status]} ", STYLES[each.status]), (each.entry.name, "bold"), f": {each.why}")
    console.print(line)
    if each.status is Status.UNEXPECTED and each.found.story:
        console.print(Text(each.found.story), soft_wrap=True)
        console.print()


def suite(
    file: str | Path,
    *,
    max_memory: int | str | None = None,
    jobs: int | None = None,
    changed: bool = False,
    reports: str | Path | None = None,
    force: bool = False,
    done: Callable[[Judged], None] = lambda _: None,
    progress: Show = silent,
) -> SuiteResult:
    """Run many checks and proofs from a file, and compare their verdicts with those that are expected.

    Args:
        file: the suite (.toml): docs/suites.md.
        max_memory: memory for states of all that runs at the same time; None: as the file says, or 4G.
        jobs: how many run at the same time, 1 to 256; None: as the file says, or one for each core.
        changed: ask only what has changed since the last run.
        reports: directory for a page of each counterexample.
        force: replace pages that this package has not written.
        done: is called with each question and what came of it, as it comes.
        progress: is called with a line that says how far it is.

    Raises:
        UsageError: the file is no suite, a number is out of range, or a page could not be written.
    """
    unless_none(whole_numbers, jobs=jobs)
    functions(done=done, progress=progress)
    if jobs is not None and not 1 <= jobs <= 256:
        raise UsageError(f"{setting('jobs', jobs)} is out of range: from 1 to 256")
    read = read_suite(path_of("file", file), None if max_memory is None else str(max_memory))
    pages = path_or_none("reports", reports)
    refuse_reports(read, pages, option=setting("reports"), force=force)
    return run_suite(read, jobs, pages, done, progress, changed=changed)


def refuse_reports(suite: Suite, reports: Path | None, *, option: str, force: bool) -> None:
    """Make the directory for pages, and refuse it where one could not be written there.

    Args:
        suite: the questions.
        reports: the directory, or None.
        option: the setting that named it, for the message.
        force: what is there may be replaced, whatever it is.

    Raises:
        UsageError: the directory cannot be made, a page could not be written, or this package has not written what is
            there.
    """
    if reports is not None:
        try:
            reports.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{option} {reports}: there can be no such directory: {error.strerror}") from None
        for entry in suite.entries:
            PAGE.refuse(_page_of(reports, entry), option=option, force=force)


def run_suite(
    suite: Suite,
    jobs: int | None,
    reports: Path | None,
    done: Callable[[Judged], None],
    progress: Show,
    *,
    changed: bool,
) -> SuiteResult:
    """Run a suite that was read, as `suite` does.

    Args:
        suite: the questions.
        jobs: how many run at the same time; None: as the suite says, or one for each core.
        reports: directory for a page of each counterexample, or None.
        done: is called with each question and what came of it.
        progress: is called with a line that says how far it is.
        changed: ask only what has changed since the last run.
    """
    kept = last_run.file_of(suite.path)
    last = last_run.read(kept)
    began = time.monotonic()
    old = {entry.name: last_run.unchanged(entry, last) if changed else None for entry in suite.entries}
    judged = {name: each for name, each in old.items() if each is not None}
    to_ask = [entry for entry in suite.entries if entry.name not in judged]
    for each in judged.values():
        if not each.status.passes:
            done(each)

    def answered(entry: Entry, found: Found) -> None:
        judged[entry.name] = each = judge(entry, found)
        progress(f"{len(judged)} of {len(suite.entries)} questions")
        done(each)

    run(
        to_ask,
        jobs or suite.jobs or cores(),
        suite.max_memory,
        answered,
        lambda entry: None if reports is None else _page_of(reports, entry),
    )
    in_order = [judged[entry.name] for entry in suite.entries]
    result = Run(suite.name, __version__, last_run.sources(), in_order, round(time.monotonic() - began, 3))
    why = ""
    try:
        last_run.keep(kept, result)
    except (OSError, PostcopyError) as error:
        why = str(error)
    return SuiteResult(suite.name, suite.path, result, last, why)


def _page_of(reports: Path, entry: Entry) -> Path:
    name = re.sub(r"[^\w.-]+", "-", entry.name)
    return (reports / f"{name}.html").resolve()
