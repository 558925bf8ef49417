"""The page of a proof as text: what it says, its matrix of obligations, and its stories."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from postcopy.language import NO_DEADLOCK
from postcopy.prover.obligations import ANY, INITIAL
from postcopy.prover.session import ProofResult
from postcopy.report.pages.proof import NOTHING, html, matrix
from postcopy.report.records.proof import proof_record
from tests.cli.conftest import Run
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.prover.test_verdicts import CASES, at_a_size, of_every_size, off_at_first, shone
from tests.report.test_html import Outline, data


@cache
def result(name: str) -> ProofResult:
    return of_every_size(CASES[name])


def page(found: ProofResult) -> str:
    return html(found, proof_record(found, "Light"), "postcopy prove light.py")


@pytest.mark.parametrize("name", CASES)
def test_the_matrix_has_every_obligation_once(name: str) -> None:
    proof = result(name).proof
    assert proof is not None
    shown = matrix(proof)
    cells = Counter(cell.kind for _, rows in shown.groups for row in rows for cell in row.cells)
    statuses = Counter(o.status.name for o in proof.obligations)
    wanted = {"p": statuses["PROVED"], "o": statuses["OPEN"], "u": statuses["UNKNOWN"]}
    assert {kind: cells[kind] for kind in wanted} == wanted
    assert cells[""] == shown.plain
    text = page(result(name))
    for kind, count in wanted.items():
        assert text.count(f'<td class="{kind}"') == count


def test_a_cell_says_what_it_is_about() -> None:
    proof = result("with-a-conjunct").proof
    assert proof is not None
    shown = matrix(proof)
    assert shown.actions == (INITIAL, "lamp.switches_on", "lamp.switches_off", "lamp.reads")
    ((title, (read,)), (others, (helps,))) = shown.groups
    assert (title, read.name, others, helps.name) == ("Properties", "read-by-light", "Conjuncts", "off-at-first")
    assert read.cells[3].title == "read-by-light, lamp.reads: proved; uses off-at-first"
    assert read.cells[2].kind == ""  # switching off changes nothing that it speaks of


def test_a_conjunct_that_was_not_asked_has_no_row() -> None:
    case = replace(CASES["with-a-conjunct"], invariant=(off_at_first, shone))
    proof = of_every_size(case, selected=True).proof
    assert proof is not None
    assert [row.name for _, rows in matrix(proof).groups for row in rows] == ["read-by-light", "off-at-first"]


def test_deadlock_is_asked_of_any_thread_alone() -> None:
    proof = result("deadlock").proof
    assert proof is not None
    shown = matrix(proof)
    (row,) = (row for _, rows in shown.groups for row in rows if row.name == NO_DEADLOCK.name)
    asked = [action for action, cell in zip(shown.actions, row.cells, strict=True) if cell.kind != NOTHING]
    assert asked == [ANY]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("proved", [of_every_size, at_a_size])
def test_the_page_says_what_the_record_says_and_loads_nothing(name: str, proved: object) -> None:
    found = result(name) if proved is of_every_size else at_a_size(CASES[name])
    text = page(found)
    outline = Outline(text)
    assert outline.open == []
    said = " ".join(" ".join(outline.said).split())
    record = proof_record(found, "Light")
    assert record.sentence in said
    for verdict in record.properties:
        assert verdict.name in said
        if verdict.verdict == "not proved":
            assert verdict.reason is not None
            assert verdict.reason in said
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert data(text)["proof"]["verdict"] == record.verdict
    refutations = sum(verdict.counterexample is not None for verdict in record.properties)
    assert len(data(text)["stories"]) == refutations + len(record.obstacles)


def test_a_counterexample_to_induction_is_drawn_as_a_story() -> None:
    text = page(result("not-inductive-alone"))
    assert "This is a counterexample to induction: the explorer does not reach its first state" in text
    (story,) = data(text)["stories"]
    assert [step["thread"] for step in story["story"]["steps"]] == ["hand"]
    assert text.count('class="row culprit') == 1


def test_the_command_writes_it(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "proof.html"
    found = run("prove", "--pages", "1", "--in-flight", "1", "--property", "no-two-guests", "--report", str(kept))
    assert found.code == 0
    text = kept.read_text(encoding="utf-8")
    assert "1 of 1 safety property" in text
    assert "postcopy prove --pages 1" in text
    kept.write_text("mine", encoding="utf-8")
    refused = run("prove", "--pages", "1", "--report", str(kept))
    assert (refused.code, kept.read_text(encoding="utf-8")) == (2, "mine")
