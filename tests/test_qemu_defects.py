"""The defects of QEMU's postcopy: the registry is consistent, the page says it, and the checker finds each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documentation import qemu_defects
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import asked_of
from postcopy.catalogue.qemu import MENDS
from postcopy.catalogue.qemu_defects import BY_CODE, DEFECTS, LIMITS, Defect, Limit
from postcopy.catalogue.shown import Shown
from postcopy.explorer.results import Outcome
from postcopy.model.fault import name_of

CODES = {
    *(f"H{n}" for n in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 13, 14)),
    "H1b",
    "H1c",
    "D1",
    "D1b",
    "D2",
    *(f"N{n}" for n in range(1, 12)),
}
SHOWN = [defect for defect in DEFECTS if defect.shown is not None]
OUTCOMES = {"no-deadlock": Outcome.DEADLOCK, "big-lock-comes-free": Outcome.LIVENESS}
"""How a search ends that finds a violation of a property, where it does not say that it is violated."""
PAGE = Path(__file__).parents[1] / qemu_defects.PAGE


def code(defect: Defect) -> str:
    return defect.code


def test_every_defect_is_in_the_registry() -> None:
    assert set(BY_CODE) == CODES
    assert len(BY_CODE) == len(DEFECTS)


@pytest.mark.parametrize("defect", DEFECTS, ids=code)
def test_a_defect_says_all_of_itself(defect: Defect) -> None:
    facts = (
        defect.title,
        defect.what,
        defect.since,
        defect.hurt,
        defect.needs,
        defect.likely,
        defect.known,
        defect.evidence,
    )
    assert all(facts)
    assert (defect.shown is None) == bool(defect.unshown)
    assert defect.mend is None or (defect.mend in MENDS and defect.mended)


def test_every_mend_is_of_a_defect() -> None:
    assert {defect.mend for defect in DEFECTS} - {None} == set(MENDS)


@pytest.mark.parametrize("defect", SHOWN, ids=code)
def test_a_defect_is_shown_by_a_stock_property_where_all_others_are_mended(defect: Defect) -> None:
    assert defect.shown is not None
    name, *_ = defect.shown.protocol.split("+")
    assert defect.mend is not None
    named = {f"qemu-11-with-{code}": other.mend for code, other in ((d.code.lower(), d) for d in DEFECTS)}
    assert name == f"qemu-11-without-{name_of(defect.mend)}" or named[name] is defect.mend
    protocol = resolve(defect.shown.protocol)[1]
    assert defect.shown.broken in {p.name for p in asked_of(protocol)}


@pytest.mark.parametrize("defect", DEFECTS, ids=code)
def test_the_page_tells_of_a_defect(defect: Defect) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"\n## `{defect.code}`: " in page
    assert defect.what.split(". ")[0] in re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", page)
    if defect.shown is not None:
        section = page.partition(f"\n## `{defect.code}`: ")[2].partition("\n## ")[0]
        assert f"`{defect.shown.command}`" in section
        assert f"\n{defect.shown.steps:2}  " in section
        assert f"\n{defect.shown.steps + 1:2}  " not in section


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.code)
def test_the_page_tells_what_no_mend_gives(limit: Limit) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## `{limit.code}`: ")[2].partition("\n## ")[0]
    assert f"`{limit.shown.command}`" in section
    assert f"\n{limit.shown.steps:2}  " in section
    assert f"\n{limit.shown.steps + 1:2}  " not in section


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.code)
def test_what_no_mend_gives_is_shown_by_the_mended_protocol(limit: Limit) -> None:
    verdict = qemu_defects.search(limit.shown)
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == limit.shown.steps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "broken"),
    [
        ("qemu-11-mended+preempt=off+disk_lock=on+exit_on_error=on", "no-two-guests"),
        ("qemu-11-mended+preempt=off+disk_lock=off+exit_on_error=on", "word-counts"),
        ("qemu-11-mended+preempt=off+disk_lock=on+exit_on_error=off", "states-forward-in-one"),
    ],
)
def test_what_the_mended_protocol_gives_beside(protocol: str, broken: str) -> None:
    assert qemu_defects.search(Shown(protocol, broken, 0)).outcome is Outcome.HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("defect", SHOWN, ids=code)
def test_a_defect_is_found_in_a_shortest_run(defect: Defect) -> None:
    assert defect.shown is not None
    verdict = qemu_defects.search(defect.shown)
    assert verdict.counterexample is not None
    assert verdict.outcome is OUTCOMES.get(defect.shown.broken, Outcome.VIOLATED)
    assert len(verdict.counterexample.steps) == defect.shown.steps
