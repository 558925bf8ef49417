"""Names stay whole on narrow terminals: in every listing, in the table of a check, in the lines of a proof."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from postcopy.report.records.listings import Listing
from postcopy.report.terminal.proof import in_columns
from tests.cli.conftest import Run
from tests.language.cases import sealing

WIDTHS = (60, 80)
COLUMNS = {
    Listing.FAULTS: ("name", "breaks"),
    Listing.CHANGES: ("name", "verdict"),
    Listing.HISTORY: ("name", "entry"),
    Listing.OTHERS: ("name", "verdict"),
    Listing.QEMU: ("name",),
    Listing.PROPERTIES: ("name", "kind", "rules"),
    Listing.ACTIONS: ("name", "rule"),
    Listing.OPTIONS: ("name", "value"),
    Listing.RULES: ("number",),
}
"""The columns of names and words that are shown."""

WITH_OPTIONS = f"{Path(sealing.__file__)}:Sealing"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("what", Listing)
def test_every_word_of_a_listing_stays_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch, what: Listing, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    listing = ("list", what, *([WITH_OPTIONS] if what is Listing.OPTIONS else []))
    out = run(*listing).out
    assert max(map(len, out.splitlines())) <= width
    words = set(re.split(r"[\s,]+", out))
    rows = json.loads(run(*listing, "--json").out)
    assert rows
    names = set(chain.from_iterable(_words(row[column]) for row in rows for column in COLUMNS[what]))
    assert names <= words, f"broken: {sorted(names - words)}"
    prose = "rule" if what is Listing.RULES else "does" if what is Listing.ACTIONS else "what"
    sentences = [row[prose] for row in rows if prose in row]
    assert {word for text in sentences for word in re.split(r"[\s,]+", text)} <= words


def _words(value: str | list[str]) -> list[str]:
    return [word for text in ([value] if isinstance(value, str) else value) for word in text.split()]


@pytest.mark.unmeasured
@pytest.mark.slow_but("60")
@pytest.mark.parametrize("width", WIDTHS)
def test_every_rule_and_word_of_a_check_stays_whole(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    small = ("check", "--pages", "1", "--in-flight", "1", "--no-liveness")
    out = run(*small).out
    assert max(map(len, out.splitlines())) <= width
    words = set(out.split())
    found = json.loads(run(*small, "--json").out)
    assert {word for p in found["properties"] for word in [*p["sentence"].split(), *p["rules"]]} <= words


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_line_of_a_proof_keeps_its_names(width: int) -> None:
    action, conjunct = "destination.places_page_of_the_second_connection", "what-is-in-flight-is-dirty-or-fresh"
    text = in_columns(width, action, conjunct, Text("proved"), 0.25)
    console = Console(width=width, color_system=None)
    with console.capture() as printed:
        console.print(text)
    lines = printed.get().splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(printed.get().split()) == f"{action} {conjunct} proved 0.25 s"


@pytest.mark.parametrize("command", ["check", "simulate", "prove", "list", "graph", "export", "run", "conform"])
def test_help_breaks_no_option(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = run(command, "--help").out
    assert "<bool>" not in said
    assert not re.search(r"--[\w-]+-\s", said)


def test_no_flag_says_that_it_is_a_bool(run: Run) -> None:
    assert "--install-completion" in run("--help").out
    assert "<bool>" not in run("--help").out
    assert "<bool>" not in run("run", "destination", "--help").out


def test_short_names_stand_two_to_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = run("list", "properties").out
    assert re.search(r"^no-stale-read .* R3 R5 *\n.* R11 R22 *$", table, re.MULTILINE)
    monkeypatch.setenv("COLUMNS", "60")
    assert "rules: R3, R5, R11, R22" in run("list", "properties").out
