"""Postcopy of other projects goes through every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.properties import asked_of
from postcopy.cli.exits import Exit
from tests.cli.conftest import Run
from tests.export.agreement import by_spin, explorer, exported, need_spin


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_spin_says_the_same(name: str, tmp_path: Path) -> None:
    need_spin()
    protocol = OTHERS[name]
    safety = [p for p in asked_of(protocol) if not p.of_runs and not p.is_witness]
    for asked in [safety] if not protocol.breaks else [[p] for p in safety if p.name in protocol.breaks]:
        wanted = explorer(protocol, (2, 2, 1), asked)
        assert by_spin(exported(protocol, (2, 2, 1), asked), tmp_path) == wanted
        assert bool(wanted.violated) == bool(protocol.breaks)


@pytest.mark.slow_but("criu-lazy-pages", "criu-lazy-pages-mended")
@pytest.mark.parametrize("name", OTHERS)
def test_a_proof_at_a_size_does_not_contradict(run: Run, name: str) -> None:
    """Without conjuncts a proof at a size proves some of what holds, and refutes what does not."""
    result = run("prove", name, "--pages", "1", "--in-flight", "1")
    if OTHERS[name].breaks:
        assert result.code == Exit.VIOLATED, result.out
    else:
        assert result.code == Exit.INCONCLUSIVE, result.out
        assert "Refuted" not in result.out


@pytest.mark.parametrize("name", OTHERS)
def test_they_are_listed_with_their_origin(run: Run, name: str) -> None:
    row = next(row for row in json.loads(run("list", "others", "--json").out) if row["name"] == name)
    assert row["origin"] == OTHERS[name].origin
    assert row["verdict"] == ("breaks" if OTHERS[name].breaks else "holds")
    assert row["breaks"] == list(OTHERS[name].breaks)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("form", ["promela", "tla", "aut"])
def test_they_are_exported(run: Run, name: str, form: str) -> None:
    result = run("export", form, name, "--pages", "1", "--in-flight", "1")
    assert result.code == Exit.OK
    assert result.out
