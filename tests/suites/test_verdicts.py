"""The project's own suite: it is what the catalogue says, and what it asks is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from documentation import verdict_suite
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.loading import by_name
from postcopy.model.faults import FAULTS
from postcopy.suites.entries import Entry, Status
from postcopy.suites.judging import judge
from postcopy.suites.suite_file import read_suite
from postcopy.suites.worker import answer

SUITE = read_suite(verdict_suite.SUITE)
BY_NAME = {entry.name: entry for entry in SUITE.entries}


def test_the_suite_is_up_to_date() -> None:
    written = verdict_suite.SUITE.read_text(encoding="utf-8")
    assert written == verdict_suite.text(), "run python -m documentation.verdict_suite"


def test_every_fault_change_and_bug_is_asked() -> None:
    asked = {by_name(entry.protocol) for entry in SUITE.entries}
    assert {*FAULTS.values(), *CHANGES.values(), *(bug.faulty for bug in HISTORY.values())} <= asked


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BY_NAME if "lost-wake-up" in name or "no-discards" in name])
def test_an_answer_is_as_the_suite_expects(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The other tests ask the same of all of them; this shows that the suite's own way comes to it."""
    entry: Entry = BY_NAME[name]
    monkeypatch.chdir(tmp_path)
    assert judge(entry, answer(entry)).status is Status.EXPECTED
