"""Each row of the tables of docs/proof.md is true: what is needed, and what fails without a rule.

Its counterexample to induction is found again at its size, where it is checked on the concrete interpretation. So the
proof
for every size must fail there too: a prover that proves what is false is caught here.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from documentation import proof_tables
from documentation.proof_tables import UNSAFE, Found, Size
from postcopy.catalogue.properties import BY_NAME
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import ANY
from postcopy.prover.proving import Prover
from postcopy.prover.solving import Status
from postcopy.prover.steps import Steps

PAGE = Path(__file__).parents[2] / "docs" / "proof.md"
WHERE = r" \| `([\w-]+)` \| ([^|`]+) \| (\d), (\d), (\d) \|$"
RULES = {p.name: p.rules for p in (*INVARIANT, *SAFETY)}


def rows(block: str) -> dict[str, Found]:
    text = re.search(rf"<!-- found: {block} -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    found = re.findall(r"^\| `([\w-]+)` \| [^|]+" + WHERE, text[1], re.MULTILINE)
    return {name: Found((int(p), int(m), int(g)), violated, action) for name, violated, action, p, m, g in found}


CONJUNCTS, FAULT_ROWS = rows("without-conjunct"), rows("without-rule")


def test_the_tables_have_every_conjunct_and_every_fault_against_safety() -> None:
    assert list(CONJUNCTS) == [p.name for p in INVARIANT]
    assert list(FAULT_ROWS) == list(UNSAFE)
    assert all(BY_NAME[name].of_runs for fault in FAULTS.keys() - UNSAFE.keys() for name in FAULTS[fault].breaks)


@cache
def protocol_at(size: Size) -> Steps:
    return proof_tables.steps(Postcopy, size)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", CONJUNCTS)
def test_without_a_conjunct_the_others_are_no_invariant(name: str) -> None:
    row = CONJUNCTS[name]
    here = protocol_at(row.size)
    assert row.violated != name
    others = [each for each in here.claims if each != name]
    assert here.violation(others, [row.violated], actions_of(row)) is not None
    assert here.violation([*others, name], [row.violated], actions_of(row)) is None


@pytest.mark.one_in(12)
@pytest.mark.slow_but("background-first")
@pytest.mark.parametrize("name", FAULT_ROWS)
def test_without_a_rule_the_proof_fails_at_what_concerns_the_rule(name: str) -> None:
    fault, row = FAULTS[name], FAULT_ROWS[name]
    assert fault.rule in RULES[row.violated] or row.violated in fault.breaks
    here = proof_tables.steps(fault, row.size)
    assert here.violation(here.claims, [row.violated], actions_of(row)) is not None
    (failed,) = Prover(fault, SAFETY, INVARIANT, patient=False).obligations(
        lambda c, a: (c, a) == (row.violated, row.action)
    )
    assert failed.status is not Status.PROVED


def actions_of(row: Found) -> list[str] | None:
    return None if row.action == ANY else [row.action]
