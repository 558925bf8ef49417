"""`postcopy prove` says what the machine has found: in words, and as text that can be pasted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import proved_of
from postcopy.prover.proving import prove
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import can_be_asked
from tests.cli.conftest import Run
from tests.prover.inference.pasting import pasted

FILE = Path(__file__).parents[2] / "examples" / "two_phase_commit.py"


@pytest.mark.slow
def test_two_phase_commit_is_proved_without_a_written_invariant(run: Run, tmp_path: Path) -> None:
    """Its record has the conjuncts as text, and with this text nothing more has to be found."""
    result = run("prove", str(FILE), "--json")
    record = json.loads(result.out)
    assert (result.code, record["verdict"]) == (0, "proved")
    assert record["conjuncts"]
    text = record["imports"] + "\n".join(each["source"] for each in record["found"])
    protocol = load(str(FILE), None, None, None)[1]
    given = pasted(tmp_path, text, **vars(sys.modules[protocol.__module__]))
    found = [given[each["name"].replace("-", "_")] for each in record["found"]]
    properties, invariant, _ = proved_of(protocol)
    assert invariant == ()
    claims = [p for p in properties if can_be_asked(p)]
    assert prove(protocol, claims, found).status is Status.PROVED


@pytest.mark.slow
def test_what_is_found_is_said_in_words(run: Run) -> None:
    result = run("prove", str(FILE))
    assert result.code == 0
    text = " ".join(result.out.split())
    assert "Found by the machine, and proved with the rest:" in text
    assert "@conjunct" not in text
    details = run("prove", str(FILE), "--details")
    assert "@conjunct(" in details.out
    assert "import Phase" not in details.out
