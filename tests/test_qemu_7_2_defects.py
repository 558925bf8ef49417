"""The defects of QEMU 11.1 in 7.2, and those that 7.2 has beside them: registry, page, and the checker's answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from documentation import qemu_7_2_defects, qemu_defects
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import asked_of
from postcopy.catalogue.qemu_7_2_defects import IN_7_2, OLDER, Older
from postcopy.catalogue.qemu_defects import BY_CODE
from postcopy.catalogue.shown import Shown
from postcopy.explorer.results import Outcome

PAGE = Path(__file__).parents[1] / qemu_defects.PAGE
QUESTIONS = sorted({each.asked for each in (*IN_7_2, *OLDER) if each.asked is not None})
MENDED = sorted(
    {(q.broken, q.terms) for q in QUESTIONS if q.steps and q.protocol.startswith("qemu-7.2-without-")}
    - {(q.broken, q.terms) for q in QUESTIONS if not q.steps}
)
"""What is asked of the mended protocol beside: that a defect is due to the mend that is left out."""


def name(shown: Shown) -> str:
    return f"{shown.protocol.partition('+disk_lock')[0]}-{shown.broken}"


def code(older: Older) -> str:
    return older.code


def test_every_defect_of_11_1_is_asked_of_7_2() -> None:
    assert len(IN_7_2) == len({each.code for each in IN_7_2})
    assert {each.code for each in IN_7_2} <= set(BY_CODE)
    assert {each.code for each in IN_7_2} >= {c for c in BY_CODE if c[0] in "HD" or int(c[1:]) <= 9}


def test_what_is_not_there_has_no_run_and_what_is_there_is_not_said_to_hold() -> None:
    for each in IN_7_2:
        assert each.asked is None or bool(each.asked.steps) == each.there
    assert all(older.asked.steps for older in OLDER)


@pytest.mark.parametrize("shown", QUESTIONS, ids=name)
def test_a_stock_property_is_asked(shown: Shown) -> None:
    assert shown.broken in {p.name for p in asked_of(resolve(shown.protocol)[1])}


def test_the_page_has_the_part_as_it_is_written_now() -> None:
    part = qemu_defects.part_in_7_2(PAGE.read_text(encoding="utf-8"))
    assert part == qemu_7_2_defects.part(qemu_7_2_defects.kept(part))


@pytest.mark.parametrize("older", OLDER, ids=code)
def test_the_page_has_a_run_of_the_length_that_is_said(older: Older) -> None:
    run = qemu_7_2_defects.kept(PAGE.read_text(encoding="utf-8"))[older.code]
    assert f"\n{older.asked.steps:2}  " in run
    assert f"\n{older.asked.steps + 1:2}  " not in run


@pytest.mark.slow
@pytest.mark.parametrize("shown", QUESTIONS, ids=name)
def test_qemu_7_2_has_the_verdict_that_is_said(shown: Shown) -> None:
    verdict = qemu_defects.search(shown)
    if shown.steps:
        assert verdict.counterexample is not None
        assert verdict.outcome is (Outcome.DEADLOCK if shown.broken == "no-deadlock" else Outcome.VIOLATED)
        assert len(verdict.counterexample.steps) == shown.steps
    else:
        assert verdict.outcome is Outcome.HOLDS


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "terms"), MENDED)
def test_with_all_later_mends_the_property_holds(broken: str, terms: str) -> None:
    assert qemu_defects.search(Shown(f"qemu-7.2-mended{terms}", broken, 0)).outcome is Outcome.HOLDS
