"""A rule that is taken away makes the proof fail where the documentation says, at something that concerns the rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.model.faults import FAULTS
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import Prover
from postcopy.prover.solving import Status

PAGE = Path(__file__).parents[2] / "docs" / "proof.md"
ROW = re.compile(r"^\| `([\w-]+)` \| (R\d+) \| `([\w-]+)` \| (.+?) \|$", re.MULTILINE)
ROWS = {
    name: (rule, conjunct, action) for name, rule, conjunct, action in ROW.findall(PAGE.read_text(encoding="utf-8"))
}


def test_the_table_has_every_fault() -> None:
    assert list(ROWS) == list(FAULTS)


@pytest.mark.parametrize("name", ROWS)
def test_the_proof_fails_where_the_table_says(name: str) -> None:
    rule, conjunct, action = ROWS[name]
    prover = Prover(FAULTS[name], SAFETY, INVARIANT, patient=False)
    (failed,) = prover.obligations(lambda c, a: (c, a) == (conjunct, action))
    assert failed.status is Status.OPEN
    cites = next(p.rules for p in (*INVARIANT, *SAFETY) if p.name == conjunct)
    steps = [a.info.rule.split() for a in prover.instance.actions if a.name == action]
    assert FAULTS[name].rule == rule
    assert rule in cites or conjunct in FAULTS[name].breaks or rule in steps[0]
