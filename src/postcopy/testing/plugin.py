"""The pytest plugin: a page for each verdict that is not as expected, and an outcome of its own for inconclusive tests.

It is imported whenever pytest starts where this package is installed, so it imports nothing that takes time.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

import pytest

from postcopy.errors import PostcopyError
from postcopy.testing.assertions import InconclusiveError, VerdictError

OUTCOME = "inconclusive"
"""The outcome of a test without a verdict, beside pytest's own passed, failed, skipped and so on."""

_WHY = "postcopy_inconclusive"
"""The attribute of a report that says why there is no verdict. It travels from xdist's workers with the report."""

_PACKAGE = Path(__file__).parents[1]

_PAGE = "postcopy report"
"""The section of a report that has the path of the page."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where pages go."""
    parser.getgroup("postcopy", "verdicts on protocols (postcopy.testing)").addoption(
        "--postcopy-reports",
        metavar="DIR",
        default=None,
        help="directory for the HTML pages of verdicts that are not as expected; without it: postcopy-reports beside "
        "the file of --junitxml, else in pytest's cache directory",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the page of a verdict that is not as expected, mark what has no verdict, and show a mistake where it was
    made."""
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, PostcopyError) and not item.config.getoption("fulltrace"):
        call.excinfo = pytest.ExceptionInfo.from_exception(error.with_traceback(_outside(error.__traceback__)))
    report = yield
    if not isinstance(error, VerdictError | InconclusiveError) or not report.failed:
        return report
    where = _save(error, item)
    report.sections.append((_PAGE, where))
    item.user_properties.append((_PAGE, where))
    if isinstance(error, InconclusiveError):
        setattr(report, _WHY, str(error))
    return report


def _outside(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package, which say nothing that the message of its errors does not."""
    if traceback is None:
        return None
    inner = _outside(traceback.tb_next)
    if Path(traceback.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE):
        return inner
    return TracebackType(inner, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def _save(error: VerdictError | InconclusiveError, item: pytest.Item) -> str:
    """The path of the page, or why it could not be written: that costs no verdict."""
    name = re.sub(r"[^\w.\[\]-]+", "_", item.nodeid).strip("_")
    path = _directory(item.config) / f"{name}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        error.result.save(path)
    except (OSError, PostcopyError) as problem:
        return f"no page could be written: {problem}"
    return str(path)


def _directory(config: pytest.Config) -> Path:
    """The directory for pages."""
    given, junit = config.getoption("--postcopy-reports"), config.getoption("xmlpath", None)
    if given is not None:
        return Path(given)
    if junit:
        return Path(junit).parent / "postcopy-reports"
    cache: pytest.Cache | None = getattr(config, "cache", None)  # -p no:cacheprovider takes it away
    return cache.mkdir("postcopy") if cache is not None else Path("postcopy-reports")


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.TestReport | pytest.CollectReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """A test without a verdict is counted as such. It fails the run: a green run would say that its property holds."""
    if getattr(report, _WHY, None) is None:
        return None
    return OUTCOME, "?", (OUTCOME.upper(), {"yellow": True})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of each test without a verdict why."""
    reports = terminalreporter.getreports(OUTCOME)
    if reports:
        terminalreporter.write_sep("=", "no verdict: neither passed nor failed", yellow=True)
    for report in reports:
        terminalreporter.write_line(f"{report.nodeid}: {getattr(report, _WHY)}")
