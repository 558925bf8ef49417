"""Five protocols from nothing, after defects of real systems: each wrong as it was, and right as it was mended."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.cli.exits import Exit
from tests.cli.conftest import Run
from tests.examples.conftest import ROOT, example
from tests.export.agreement import by_spin, explorer, exported, need_spin

WRONG = {
    "cloud_hypervisor_resume.py:ResumesOnEveryError": "no-two-guests",
    "firecracker_remove.py:FaultsFirst": "given-back-reads-zero",
    "libvirt_event_order.py:LooksWhenStopped": "stays-stopped",
    "qemu_big_lock.py:DumpsUnderTheLock": "no-deadlock",
    "qemu_preempt_count.py:CountStays": "no-abort",
}
"""Each protocol that is wrong, with what it violates."""

RIGHT = (
    "cloud_hypervisor_resume.py:ResumesUntilComplete",
    "firecracker_remove.py:EventsFirst",
    "libvirt_event_order.py:NotesWhenActive",
    "qemu_big_lock.py:RecoversWithoutTheLock",
    "qemu_preempt_count.py:CountIsDrained",
)
FILES = sorted({name.partition(":")[0] for name in RIGHT})


def test_each_file_has_both() -> None:
    assert sorted({name.partition(":")[0] for name in WRONG}) == FILES


@pytest.mark.parametrize("file", FILES)
def test_it_is_short_and_needs_no_import_but_the_language(file: str) -> None:
    text = (ROOT / "examples" / file).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    modules = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert modules == {"enum", "postcopy.language"}
    commands = [line.split()[-1] for line in text.splitlines() if line.startswith("    postcopy check ")]
    assert {Path(command).name for command in commands} == {name for name in (*WRONG, *RIGHT) if file in name}


@pytest.mark.parametrize("name", WRONG)
def test_what_was_wrong_is_found(run: Run, name: str) -> None:
    result = run("check", f"examples/{name}", "--engine", "interpreted")
    assert result.code == (Exit.DEADLOCK if WRONG[name] == "no-deadlock" else Exit.VIOLATED)
    assert f"({WRONG[name]})" in " ".join(result.out.split())


@pytest.mark.parametrize("name", RIGHT)
def test_what_was_mended_holds(run: Run, name: str) -> None:
    result = run("check", f"examples/{name}", "--engine", "interpreted", "--strict")
    assert result.code == Exit.OK, result.out
    assert "holds: all states explored" in " ".join(result.out.split())


@pytest.mark.parametrize("name", [*WRONG, *RIGHT])
def test_a_proof_at_a_size_does_not_contradict(run: Run, name: str) -> None:
    """Of what is wrong it shows the run. What is right it proves, or says that it is not inductive as it stands."""
    result = run("prove", f"examples/{name}", "--pages", "2", "--in-flight", "2")
    if name in RIGHT:
        assert result.code in (Exit.OK, Exit.INCONCLUSIVE), result.out
        assert "Refuted" not in result.out
    else:
        assert result.code in (Exit.VIOLATED, Exit.DEADLOCK)
        assert f"violates {WRONG[name]}" in " ".join(result.out.split())


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRONG, *RIGHT])
def test_spin_says_the_same(name: str, tmp_path: Path) -> None:
    need_spin()
    protocol = example(name)
    safety = [p for p in asked_of(protocol) if not p.of_runs and not p.is_witness]
    wanted = explorer(protocol, (2, 2, 1), safety)
    assert wanted.violated == WRONG.get(name)
    assert by_spin(exported(protocol, (2, 2, 1), safety), tmp_path) == wanted
