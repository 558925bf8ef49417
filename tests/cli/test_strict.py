"""postcopy check --strict: a verdict with warnings has an exit code of its own, and every format has the warnings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from postcopy.cli.exits import Exit
from tests.cli.conftest import Run
from tests.vacuity import tiny

FILE = str(tiny.__file__)


@pytest.mark.parametrize(
    ("variant", "line"),
    [
        ("Blinks", "! changes nothing and observes nothing: reader.blinks"),
        ("ReadsSilently", "! never happens with 2 pages, 1 message in flight: Post.READ"),
        ("NeverActs", "! never taken: reader.opens_parcel"),
        ("Unreached", "! not reachable with 2 pages, 1 message in flight: more is read than written"),
        ("Drawer", "! no property that was asked reads reader.drawer, and it declares neither role nor waits"),
        ("CannotFail", "! cannot fail, whatever happens: all-is-well"),
        ("RemembersOverflow", "! never changes with 2 pages, 1 message in flight: Overflow.happened"),
        (
            "ForgottenBranch",
            "! never taken with 2 pages, 1 message in flight, and does nothing: a branch of reader.reads",
        ),
    ],
)
def test_a_gap_is_a_warning_and_an_exit_code_on_request(run: Run, variant: str, line: str) -> None:
    size = ("--pages", "2", "--in-flight", "1")
    strictly = run("check", f"{FILE}:{variant}", *size, "--strict")
    assert strictly.code == Exit.VACUOUS
    assert line in " ".join(strictly.out.split())
    assert "holds: all states explored" in strictly.out
    assert run("check", f"{FILE}:{variant}", *size).code == Exit.OK


@pytest.mark.unmeasured
def test_without_a_gap_strict_changes_nothing(run: Run) -> None:
    assert run("check", f"{FILE}:Letters", "--strict").code == Exit.OK
    assert run("check", "--pages", "2", "--in-flight", "1", "--no-liveness", "--strict").code == Exit.OK


@pytest.mark.unmeasured
def test_a_violation_keeps_its_exit_code(run: Run) -> None:
    assert run("check", "--fault", "request-served-again", "--strict").code == Exit.VIOLATED
    assert run("check", "--fault", "listen-waits-for-main", "--strict").code == Exit.DEADLOCK


def test_json_says_what_is_missing_and_which_properties_it_concerns(run: Run) -> None:
    found = json.loads(run("check", f"{FILE}:RemembersParcels", "--json", "--strict").out)
    assert found["verdict"] == "holds"
    assert [{key: warning[key] for key in ("kind", "name", "properties")} for warning in found["warnings"]] == [
        {"kind": "event never happens", "name": "Mail.PARCEL received", "properties": ["no-parcel-first"]},
        {"kind": "history never changes", "name": "Stamps.seen", "properties": ["no-parcel-first"]},
    ]
    assert all(warning["name"] in warning["text"] for warning in found["warnings"])


def test_what_needs_two_pages_is_a_gap_at_one_and_what_a_size_excludes_is_none(run: Run) -> None:
    one = json.loads(run("check", "--pages", "1", "--in-flight", "1", "--no-liveness", "--json").out)
    assert {warning["kind"] for warning in one["warnings"]} == {"witness not reached"}
    assert all("with 1 page, 1 message in flight" in warning["text"] for warning in one["warnings"])
    assert "no-partial-page" in one["cannot_fail_at_this_size"]
    assert one["impossible_at_this_size"] == ["source.sends_rest_of_host_page"]


def test_a_search_that_was_not_complete_does_not_say_what_it_missed(run: Run) -> None:
    result = run(
        "check", "--pages", "4", "--in-flight", "2", "--max-memory", "1M", "--no-liveness", "--strict", "--json"
    )
    found = json.loads(result.out)
    assert (result.code, found["verdict"], found["warnings"]) == (Exit.INCONCLUSIVE, "inconclusive", [])


def test_the_report_page_has_the_warnings(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("check", f"{FILE}:Blinks", "--report", str(page)).code == Exit.OK
    assert "! changes nothing and observes nothing: reader.blinks" in page.read_text()


def test_the_report_page_has_what_a_size_excludes(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("check", "--pages", "1", "--in-flight", "1", "--no-liveness", "--report", str(page)).code == Exit.OK
    assert re.search(r"<dt>cannot fail at this size</dt><dd>[a-z, -]*no-partial-page", page.read_text())
