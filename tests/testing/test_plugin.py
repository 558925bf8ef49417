"""The pytest plugin, in runs of pytest of their own: stories, pages, tests without a verdict, JUnit, xdist."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

from postcopy.testing import InconclusiveError, VerdictError

pytest_plugins = ("pytester",)

PAGE = (Path(__file__).parents[2] / "docs/testing.md").read_text(encoding="utf-8")
PLUGIN = "postcopy.testing.plugin"
INSTALLED = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
WITH_PLUGIN = () if INSTALLED else ("-p", PLUGIN)
LATE = "assert_holds(Postcopy, seconds=0.001)"


def saved(pytester: pytest.Pytester) -> None:
    """The program of the page, in the directory of the run."""
    (name, text), *others = re.findall(r"Save this as `(\w+\.py)`[^`]*?```python\n(.*?)```", PAGE, re.DOTALL)
    assert not others
    (pytester.path / name).write_text(text, encoding="utf-8")


def test(pytester: pytest.Pytester, *statements: str) -> None:
    """A file with a test for each statement."""
    head = "import pytest\nfrom postcopy import Postcopy\nfrom postcopy.testing import *\n"
    pytester.makepyfile(head + "".join(f"def test_{n}():\n    {text}\n" for n, text in enumerate(statements)))


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the tests in this process."""
    return pytester.runpytest_inprocess(*WITH_PLUGIN, "-n", "0", "-W", "ignore::UserWarning", *arguments)


test.__test__ = False  # type: ignore[attr-defined]


def test_the_page_of_the_documentation(pytester: pytest.Pytester) -> None:
    saved(pytester)
    done = run(pytester)
    done.assert_outcomes(passed=3, failed=1)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(
        [
            "*test_my_change.py ...F?*",
            "*VerdictError: violated: Only dirty pages are sent (only-dirty-pages-sent), shown by*",
            "E*Counterexample to*",
            "E*sends any page at all*",
            "*postcopy report*",
            "*.pytest_cache/d/postcopy/test_my_change.py_test_the_change_holds.html",
            "*no verdict: neither passed nor failed*",
            "test_my_change.py::test_in_no_time_at_all: Postcopy: inconclusive: 0.001 seconds were over*",
            "*1 failed, 3 passed, 1 inconclusive*",
        ]
    )
    page = pytester.path / ".pytest_cache/d/postcopy/test_my_change.py_test_the_change_holds.html"
    assert "Counterexample to" in page.read_text(encoding="utf-8")


def test_pages_and_junit_are_beside_each_other(pytester: pytest.Pytester) -> None:
    test(pytester, f"assert_holds({fault()!r}, pages=1, in_flight=1)", LATE)
    done = run(pytester, "--junitxml", "out/junit.xml")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    cases = list(ElementTree.parse(pytester.path / "out/junit.xml").iter("testcase"))
    assert [case.find("failure") is not None for case in cases] == [True, True]
    assert "Counterexample to" in str(cases[0].find("failure").text)  # type: ignore[union-attr]
    named = [next(case.iter("property")).attrib["value"] for case in cases]
    assert [Path(path).parent for path in named] == [Path("out/postcopy-reports")] * 2
    assert all((pytester.path / path).stat().st_size > 10_000 for path in named)


def fault() -> str:
    """A fault that a small search finds."""
    from postcopy.model.faults import FAULTS

    return next(iter(FAULTS))


def test_a_mistake_is_shown_where_it_was_made_and_a_page_needs_no_cache(pytester: pytest.Pytester) -> None:
    test(pytester, "assert_holds('prempt')", f"assert_holds({fault()!r}, pages=1, in_flight=1)")
    done = run(pytester, "-p", "no:cacheprovider")
    done.assert_outcomes(failed=2)
    shown = "\n".join(done.outlines).partition("test_1")[0]
    assert "UsageError: there is no protocol prempt; did you mean preempt?" in shown
    assert "catalogue" not in shown
    done.stdout.fnmatch_lines(["postcopy-reports/*test_1.html"])
    assert "_no_protocol" in "\n".join(run(pytester, "--full-trace", "-k", "test_0").outlines)


@pytest.mark.slow
def test_where_pages_go_is_an_option_and_a_page_that_cannot_be_written_costs_no_verdict(
    pytester: pytest.Pytester,
) -> None:
    test(pytester, LATE)
    run(pytester, "--postcopy-reports", "there").stdout.fnmatch_lines(["*1 inconclusive*"])
    assert len(list((pytester.path / "there").glob("*.html"))) == 1
    (pytester.path / "file").write_text("")
    done = run(pytester, "--postcopy-reports", "file")
    done.stdout.fnmatch_lines(["*1 inconclusive*"])
    (page,) = (pytester.path / "there").glob("*.html")
    page.write_text("My own page.\n")
    run(pytester, "--postcopy-reports", "there").stdout.fnmatch_lines(["*1 inconclusive*"])
    assert page.read_text() == "My own page.\n"


def test_a_lack_of_time_is_neither_a_failure_that_is_expected_nor_green(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\nfrom postcopy import Postcopy\nfrom postcopy.testing import *\n"
        f"@pytest.mark.xfail(raises=AssertionError, strict=True)\ndef test_bug():\n    {LATE}\n"
        "@pytest.mark.xfail(raises=AssertionError, strict=True)\n"
        f"def test_found():\n    assert_holds({fault()!r}, pages=1, in_flight=1)\n"
    )
    done = run(pytester)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(xfailed=1)
    done.stdout.fnmatch_lines(["*1 xfailed, 1 inconclusive*"])


@pytest.mark.slow
def test_it_works_with_xdist_and_the_cache(pytester: pytest.Pytester) -> None:
    saved(pytester)
    arguments = (*WITH_PLUGIN, "-n", "2", "--postcopy-reports", "pages")
    done = pytester.runpytest_subprocess(*arguments)
    done.stdout.fnmatch_lines(["*no verdict: neither passed nor failed*", "*1 failed, 3 passed, 1 inconclusive*"])
    assert len(list((pytester.path / "pages").glob("*.html"))) == 2


def test_the_plugin_is_declared_and_costs_no_start() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'[project.entry-points.pytest11]\npostcopy = "{PLUGIN}"' in text


def test_an_error_of_no_verdict_is_no_assertion_error() -> None:
    assert issubclass(VerdictError, AssertionError)
    assert not issubclass(InconclusiveError, AssertionError)
