"""`postcopy docs` has every page, from a checkout and from a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from postcopy.cli import docs
from tests.cli.conftest import Run, refused

DOCS = Path(__file__).parents[2] / "docs"


def test_the_names_of_all_pages_are_listed_with_their_titles(run: Run) -> None:
    lines = run("docs").out.splitlines()
    named = [line.split()[0] for line in lines]
    expected = {page.stem for page in DOCS.glob("*.md")} | {page.stem for page in DOCS.glob("decisions/0*.md")}
    assert set(named) == expected
    assert len(named) == len(expected)
    (glossary,) = [line for line in lines if line.startswith("glossary ")]
    assert glossary.split() == ["glossary", "Glossary"]


@pytest.mark.parametrize("name", ["language", "language.md", "docs/language.md"])
def test_a_page_is_printed_as_it_is_written(run: Run, name: str) -> None:
    assert run("docs", name).out == (DOCS / "language.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["0011", "0011-liveness", "docs/decisions/0011-liveness.md"])
def test_a_decision_is_found_by_its_number_too(run: Run, name: str) -> None:
    assert run("docs", name).out.startswith("# 0011")


def test_a_page_that_is_not_there(run: Run) -> None:
    assert refused(run, "docs", "langauge") == "postcopy: there is no page langauge; did you mean language?\n"
    assert refused(run, "docs", "9999") == "postcopy: there is no page 9999; postcopy docs shows what there is\n"
    assert refused(run, "docs", "../README.md").startswith("postcopy: there is no page ../README.md")
    assert refused(run, "docs", "") == "postcopy: there is no page ; postcopy docs shows what there is\n"


def test_on_a_terminal_a_page_is_set_in_type(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = run("docs", "glossary").out
    assert "Glossary" in shown
    assert "### Action" not in shown


def test_a_wheel_has_its_pages_beside_its_code(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages" / "postcopy"
    (installed / "docs").mkdir(parents=True)
    (installed / "docs" / "index.md").write_text("# From the wheel\n")
    monkeypatch.setattr(docs, "PACKAGE", installed)
    assert run("docs", "index").out == "# From the wheel\n"


def test_an_installation_without_pages_says_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "PACKAGE", tmp_path / "lib" / "site-packages" / "postcopy")
    assert "has no pages" in refused(run, "docs")
