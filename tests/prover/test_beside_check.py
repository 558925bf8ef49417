"""A proof and the explorer agree on every protocol of the catalogue: no property is proved by one and violated for the
other."""

from __future__ import annotations

import re

import pytest

from documentation import proof_beside_check
from documentation.proof_beside_check import ALL, PAGE, beside, row
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.properties import proved_of
from postcopy.model.faults import FAULTS


def test_every_protocol_of_the_catalogue_is_asked() -> None:
    assert FAULTS.keys() | CHANGES.keys() | HISTORY.keys() < ALL.keys()
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(ALL)


@pytest.mark.unmeasured
@pytest.mark.one_in(18)
@pytest.mark.slow_but("Postcopy")
@pytest.mark.parametrize("name", ALL)
def test_no_property_is_proved_and_violated(name: str) -> None:
    found = beside(ALL[name])
    assert found.both == ()
    assert row(name, found) in PAGE.read_text(encoding="utf-8").splitlines()


@pytest.mark.unmeasured
def test_the_document_s_protocol_is_proved_whole() -> None:
    found = beside(ALL["Postcopy"])
    assert (found.proved, found.violated) == (found.asked, ())


def test_a_proof_of_what_is_false_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two are asked apart: where the proof lets a false property through, the row says so."""

    class Credulous:
        """Takes everything for proved."""

        proved = frozenset(p.name for p in proved_of(FAULTS["cpus-run-on"]).properties)

    monkeypatch.setattr(proof_beside_check, "k_induction", lambda *_: Credulous)
    assert "no-write-after-switch" in proof_beside_check.beside(FAULTS["cpus-run-on"]).both
