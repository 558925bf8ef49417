"""The pages of simulate, diff and run, as text: they say what the terminal says, and load nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from postcopy.api.comparing import DiffResult, diff
from postcopy.api.simulating import SimulateResult, simulate
from postcopy.engine.report import Latency, Summary
from postcopy.language import NO_DEADLOCK, Page, require
from postcopy.report.pages.migration import html as page_of_run
from tests.cli.conftest import Run
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.report.examples import Giver, Handover, Letters, Parcel, Phase, Taker
from tests.report.test_html import data, words


def vars_of(summary: Summary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in summary.__struct_fields__}


SUMMARY = Summary(
    outcome="completed",
    why="",
    mode="postcopy",
    guest="destination",
    memory="software",
    pages=1024,
    page_bytes=4096,
    total=0.5,
    downtime_ms=12.5,
    passes=2,
    precopy_pages=900,
    precopy_bytes=3 << 20,
    postcopy_pages=300,
    postcopy_bytes=1 << 20,
    zero_pages=30,
    requests=7,
    duplicate_requests=1,
    latency=Latency(7, 0.5, 3.0, 3.0),
    reads=100,
    writes=50,
    damage=[],
    conformance="conforms",
)


class Again(Handover):
    """Sends a page again and again, and receives nothing."""

    class source(Giver):  # noqa: N801
        def sends(self, page: Page) -> None:
            """sends a page"""
            require(self.phase == Phase.SENDING)
            require(self.post.room())
            self.post.send(Parcel.PAGE, page)

    class destination(Taker):  # noqa: N801
        receives = None  # type: ignore[assignment]


@cache
def walked(violates: bool) -> SimulateResult:
    if violates:
        return simulate(Letters, pages=2, in_flight=2, walks=40)
    return simulate(Handover, pages=2, in_flight=2, walks=40, properties=[NO_DEADLOCK])


@cache
def compared() -> DiffResult:
    return diff(Handover, Again, pages=1, in_flight=2)


def test_walks_that_found_something_show_the_run_and_the_numbers() -> None:
    result = walked(True)
    assert result.violated is not None
    page = result.page("postcopy simulate letters.py")
    assert "postcopy simulate letters.py" in page
    assert 'class="verdict bad"' in page
    assert f"Counterexample to “{result.found.violated.sentence}”" in words(page)  # type: ignore[union-attr]
    assert data(page)["simulate"] == json.loads(result.json())
    assert f"walks {result.found.walks:,}" in words(page)
    for prop in result.found.instance.properties:
        assert f"<code>{prop.name}</code>" in page
    for action in result.found.instance.actions:
        assert f"<code>{action.name}</code>" in page


def test_walks_that_found_nothing_are_not_shown_as_good() -> None:
    page = walked(False).page()
    assert 'class="verdict unsure"' in page
    assert "which proves nothing" in page
    assert 'class="verdict good"' not in page


def test_many_warnings_are_folded() -> None:
    few = walked(False)
    idle = {action.name: 0 for action in few.found.instance.actions}
    page = replace(few, found=replace(few.found, fired=idle)).page()
    assert f"! {len(idle)} warnings: never taken" in words(page)
    assert page.count('<p class="warning">! never taken') == len(idle)


def test_a_comparison_says_what_turned_and_shows_each_behaviour() -> None:
    result = compared()
    assert "no-deadlock" in result.turned
    page = result.page("postcopy diff a b")
    for name, (old, new) in result.turned.items():
        row = re.search(rf"<tr class=\"(\w*)\"><td>.*?<code>{name}</code>.*?</tr>", page)
        assert row is not None
        assert old in row[0]
        assert new in row[0]
        assert row[1] == ("violated" if new == "violated" else "holds" if old == "violated" else "")
    gained, lost = result.found.gained, result.found.lost
    assert page.count('<details class="behaviour"') == len(gained.differences) + len(lost.differences) > 0
    assert data(page)["diff"] == json.loads(result.json())
    assert "destination.receives" in page


def test_a_protocol_beside_itself_shows_nothing_that_differs() -> None:
    page = diff(Handover, Handover, pages=1, in_flight=1).page()
    assert 'class="verdict good">Handover does what Handover does, and no more; no property has another answer' in page
    assert "Both have the same actions, fields and messages." in page


def test_what_was_not_all_looked_at_is_said() -> None:
    found = replace(compared().found, complete=(True, False))
    page = replace(compared(), found=found).page()
    assert "of Again only the first 60,000 states were made" in page


@pytest.mark.parametrize(
    ("summary", "colour"),
    [
        (SUMMARY, "good"),
        (Summary(**{**vars_of(SUMMARY), "outcome": "failed", "guest": "source", "why": "refused"}), "unsure"),
        (Summary(**{**vars_of(SUMMARY), "guest": "lost"}), "bad"),
        (Summary(**{**vars_of(SUMMARY), "damage": ["page 3 stale"]}), "bad"),
        (Summary(**{**vars_of(SUMMARY), "conformance": "nothing explains it"}), "bad"),
    ],
)
def test_a_migration_has_the_colour_of_its_end(summary: Summary, colour: str) -> None:
    page = page_of_run(summary, [0.4, 0.5, 3.0], "postcopy run")
    assert f'class="verdict {colour}"' in page
    for said in (*summary.damage, summary.conformance, summary.why):
        assert said is not None
        assert said in page
    assert "Fault latency: 3 faults" in page
    assert data(page)["run"]["pages"] == 1024


@pytest.mark.slow_but("run")
@pytest.mark.parametrize(
    "command",
    [
        ["simulate", "--pages", "1", "--in-flight", "1", "--walks", "5"],
        ["diff", "Postcopy", "Postcopy", "--pages", "1"],
        ["run", "--size", "256K", "--memory", "software", "--settle", "0.1"],
    ],
    ids=lambda command: command[0],
)
def test_the_command_writes_it(run: Run, tmp_path: Path, command: list[str]) -> None:
    page = tmp_path / "page.html"
    found = run(*command, "--report", str(page))
    assert found.code in (0, 75), found
    text = page.read_text(encoding="utf-8")
    assert f"postcopy {command[0]}" in text
    assert text.endswith("<!-- written by postcopy -->\n")
    assert not re.search(r'(src|href)="http', text)
