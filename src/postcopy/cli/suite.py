"""`postcopy suite`: many checks and proofs from a file, each with the verdict that is expected."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from postcopy.cli.cache import provide_cache
from postcopy.cli.exits import Exit
from postcopy.cli.options import HOW, SHOW, AsJson, Force
from postcopy.cli.output import print_json, say
from postcopy.cli.progress import progress
from postcopy.cli.taking import takes
from postcopy.errors import UsageError
from postcopy.report.files.file_format import FileFormat
from postcopy.suites import page
from postcopy.suites.entries import Judged, Suite
from postcopy.suites.outputs import WRITERS, github
from postcopy.suites.suite import SuiteResult, print_judged, refuse_reports, run_suite
from postcopy.suites.suite_file import read_suite
from postcopy.surface import COMMAND_LINE

Out = Path | None


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """All options of the command."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="the suite (.toml)")]
    max_memory: Annotated[
        str | None,
        typer.Option(
            "--max-memory",
            metavar="SIZE",
            help="memory for states of all that runs at the same time; without it: as the file says, or 4G",
            rich_help_panel=HOW,
        ),
    ] = None
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="N",
            min=1,
            max=256,
            help="how many run at the same time; without it: as the file says, or one for each core",
            rich_help_panel=HOW,
        ),
    ] = None
    changed: Annotated[
        bool,
        typer.Option("--changed", help="only what has changed since the last run", rich_help_panel=HOW),
    ] = False
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="again whenever a file changes that it depends on, until Ctrl-C", rich_help_panel=HOW
        ),
    ] = False
    junit: Annotated[
        Out, typer.Option("--junit", metavar="FILE", help="write JUnit XML (.xml)", rich_help_panel=SHOW)
    ] = None
    gitlab: Annotated[
        Out,
        typer.Option(
            "--gitlab", metavar="FILE", help="write GitLab's report of code quality (.json)", rich_help_panel=SHOW
        ),
    ] = None
    markdown: Annotated[
        Out, typer.Option("--markdown", metavar="FILE", help="write a summary as Markdown", rich_help_panel=SHOW)
    ] = None
    html: Annotated[
        Out,
        typer.Option(
            "--html",
            metavar="FILE",
            help="write a page that compares with the last run (.html)",
            rich_help_panel=SHOW,
        ),
    ] = None
    reports: Annotated[
        Out,
        typer.Option(
            "--reports", metavar="DIR", help="write a page for each counterexample here", rich_help_panel=SHOW
        ),
    ] = None
    github: Annotated[
        bool | None,
        typer.Option(
            "--github/--no-github",
            help="print annotations for GitHub; without it: where GITHUB_ACTIONS is true",
            rich_help_panel=SHOW,
        ),
    ] = None
    force: Force = False
    as_json: AsJson = False

    def files(self) -> dict[str, Path]:
        """The files that are to be written, by option."""
        given = {"junit": self.junit, "gitlab": self.gitlab, "markdown": self.markdown, "html": self.html}
        return {name: path for name, path in given.items() if path is not None}


def _format(name: str) -> FileFormat:
    return page.FORMAT if name == "html" else WRITERS[name][0]


@takes(SuiteOptions)
def command(asked: SuiteOptions) -> int:
    """Run a suite."""
    if asked.watch and asked.as_json:
        raise UsageError("--watch goes on for ever: leave --json away")
    for name, path in asked.files().items():
        _format(name).refuse(path, option=f"--{name}", force=asked.force)
    provide_cache()
    suite = read_suite(asked.file, asked.max_memory)
    refuse_reports(suite, asked.reports, option="--reports", force=asked.force)
    if not asked.watch:
        return OF_VERDICT[_once(asked, suite, changed=asked.changed).verdict]
    _watch(asked, suite)
    return Exit.OK


OF_VERDICT = {
    "as expected": Exit.OK,
    "not as expected": Exit.VIOLATED,
    "error": Exit.USAGE,
    "inconclusive": Exit.INCONCLUSIVE,
}
"""The exit code of the worst verdict: what is not as expected is worse than an error, and this than a lack of time."""


def _once(asked: SuiteOptions, suite: Suite, *, changed: bool) -> SuiteResult:
    """Run it, and print and write all that is asked for."""
    console = Console(highlight=False)

    def done(each: Judged) -> None:
        if not asked.as_json:
            print_judged(each, console)

    with progress("reading the suite") as show:
        result = run_suite(suite, asked.jobs, asked.reports, done, show, changed=changed)
    _give(asked, result, console)
    if result.not_kept:
        say(f"the run is not kept for --changed: {result.not_kept}")
    return result


def _give(asked: SuiteOptions, result: SuiteResult, console: Console) -> None:
    """Write all files; that one cannot be written costs a warning, not the verdict."""
    for name, path in asked.files().items():
        try:
            text = page.html(result.found, result.last, path) if name == "html" else WRITERS[name][1](result.found)
            _format(name).save(path, text)
        except UsageError as error:
            say(f"--{name} {error}")
    annotate = os.environ.get("GITHUB_ACTIONS") == "true" if asked.github is None else asked.github
    if asked.as_json:
        print_json(result.record)
        return
    for line in github(result.found) if annotate else ():
        print(line)
    result.print_end(console)


def _watch(asked: SuiteOptions, suite: Suite) -> None:
    """Run it again and again, until Ctrl-C: whenever the file, or one that a question has read, is another."""
    changed = asked.changed
    began = time.time_ns()
    while True:
        result = _once(asked, suite, changed=changed).found
        read = {path for each in result.judged for path in each.found.reads}
        watched = {str(asked.file), *read, *(each.found.file for each in result.judged if each.found.file)}
        before = now = _times(watched)
        while now == before and max(now.values()) < began:  # not missed either: what changes while it runs
            time.sleep(0.2)
            now = _times(watched)
        changed, began = True, time.time_ns()
        try:
            suite = read_suite(asked.file, asked.max_memory)
        except UsageError as error:
            say(error.spelled(COMMAND_LINE))  # the file is being written: the last suite goes on


def _times(paths: set[str]) -> dict[str, int]:
    """When each file was written last."""
    found = {}
    for path in paths:
        try:
            found[path] = os.stat(path).st_mtime_ns
        except OSError:
            found[path] = 0
    return found
