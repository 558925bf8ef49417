"""What is judged, and how it is written for other programs: no search runs here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from postcopy.suites import last_run, page
from postcopy.suites.entries import Entry, Found, Judged, Kind, Run, Status
from postcopy.suites.judging import judge
from postcopy.suites.outputs import github, gitlab, junit, markdown
from postcopy.version import __version__

ENTRY = Entry(
    name="a question",
    kind=Kind.CHECK,
    protocol="Postcopy",
    arguments={"pages": 1},
    seconds=60.0,
    max_memory=1 << 30,
    expect="holds",
    violates=[],
    accepted={},
    strict=False,
    folder="/",
)
HOLDS = Found(verdict="holds", sentence="holds: all states explored", states=7139, seconds=1.5)
BROKEN = Found(
    verdict="violated",
    violated=["no-page-lost"],
    sentence="violated: No page is lost (no-page-lost)",
    states=12,
    seconds=0.5,
    story="Counterexample: 1 < 2 & so on\n\x1b 100%, done",
    file=str(Path.cwd() / "my,change.py"),
    line=9,
)
LATE = Found(verdict="inconclusive", sentence="inconclusive: 60 seconds were over")
ERR = Found(verdict="error", sentence="there is no protocol Postcpy; did you mean Postcopy?")


def entry(**other: object) -> Entry:
    return msgspec.structs.replace(ENTRY, **other)


@pytest.mark.parametrize(
    ("asked", "found", "status", "why"),
    [
        (entry(), HOLDS, Status.EXPECTED, "holds: all"),
        (entry(), BROKEN, Status.UNEXPECTED, "expected: holds; found: violated: No page is lost"),
        (entry(), LATE, Status.INCONCLUSIVE, "60 seconds were over"),
        (entry(), ERR, Status.ERROR, "did you mean Postcopy?"),
        (entry(expect="inconclusive"), LATE, Status.EXPECTED, "inconclusive"),
        (entry(expect="violated"), BROKEN, Status.EXPECTED, "violated"),
        (entry(expect="violated"), HOLDS, Status.UNEXPECTED, "expected: violated; found: holds"),
        (entry(expect="violated", violates=["no-page-lost"]), BROKEN, Status.EXPECTED, "violated"),
        (entry(expect="violated", violates=["x"]), BROKEN, Status.UNEXPECTED, "violated (x); found: no-page-lost"),
        (entry(expect="violated", violates=["x", "no-page-lost"]), BROKEN, Status.UNEXPECTED, "found: no-page-lost"),
        (entry(expect="", violates=["no-page-lost"]), BROKEN, Status.EXPECTED, "violated"),
        (entry(expect="", violates=["no-page-lost"]), HOLDS, Status.UNEXPECTED, "expected: violated (no-page-lost); f"),
        (entry(accepted={"no-page-lost": "bug 1"}), BROKEN, Status.ACCEPTED, "no-page-lost: bug 1"),
        (entry(accepted={"x": "bug 1"}), BROKEN, Status.UNEXPECTED, "violated, and not accepted: no-page-lost"),
        (entry(accepted={"x": "bug 1"}), HOLDS, Status.UNEXPECTED, "violated no more: x: take it out of the suite"),
        (entry(accepted={"x": "bug 1"}), LATE, Status.INCONCLUSIVE, "60 seconds"),
        (entry(strict=True), msgspec.structs.replace(HOLDS, warnings=["never taken: x"]), Status.UNEXPECTED, "never"),
        (entry(strict=True), HOLDS, Status.EXPECTED, "holds"),
        (entry(kind=Kind.PROVE, expect="proved"), Found(verdict="not proved"), Status.UNEXPECTED, "expected: proved"),
    ],
)
def test_what_is_found_is_held_against_what_is_expected(asked: Entry, found: Found, status: Status, why: str) -> None:
    judged = judge(asked, found)
    assert judged.status is status
    assert why in judged.why


def a_run(*found: tuple[str, Found]) -> Run:
    judged = [judge(entry(name=name), each) for name, each in found]
    return Run("mine", __version__, last_run.sources(), judged, 3.25)


ALL = a_run(("sound", HOLDS), ("broken", BROKEN), ("late", LATE), ("typo", ERR))


def test_junit_tells_failures_from_errors() -> None:
    text = junit(ALL)
    suite = ElementTree.fromstring(text).find("testsuite")
    assert suite is not None
    assert {name: suite.attrib[name] for name in ("name", "tests", "failures", "errors")} == {
        "name": "mine",
        "tests": "4",
        "failures": "1",
        "errors": "2",
    }
    cases = {case.attrib["name"]: case for case in suite}
    assert [child.tag for case in cases.values() for child in case] == ["system-out", "failure", "error", "error"]
    assert (cases["broken"].attrib["file"], cases["broken"].attrib["line"]) == ("my,change.py", "9")
    assert "1 < 2 & so on" in str(cases["broken"][0].text)
    assert "\x1b" not in text


def test_junit_is_xml_whatever_characters_names_have() -> None:
    text = junit(a_run(("a \x1b question", BROKEN), ("\x01", HOLDS), ("\x00 late", LATE)))
    suite = ElementTree.fromstring(text).find("testsuite")
    assert suite is not None
    assert [case.attrib["name"] for case in suite] == ["a   question", " ", "  late"]


def test_github_has_an_annotation_at_the_line_of_the_guard() -> None:
    broken, late, typo = github(ALL)
    assert broken.startswith("::error file=my%2Cchange.py,line=9,title=mine%3A broken::expected: holds; found:")
    assert broken.endswith("%0A%0ACounterexample: 1 < 2 & so on%0A\x1b 100%25, done")
    assert late.startswith("::warning title=mine%3A late::")
    assert typo.startswith("::error title=")
    assert all("\n" not in line for line in (broken, late, typo))


def test_gitlab_has_an_issue_at_the_line_of_the_guard_that_keeps_its_fingerprint() -> None:
    broken, *_ = issues = json.loads(gitlab(ALL))
    assert broken["location"] == {"path": "my,change.py", "lines": {"begin": 9}}
    assert broken["severity"] == "major"
    assert len({issue["fingerprint"] for issue in issues}) == 3
    assert json.loads(gitlab(a_run(("broken", BROKEN))))[0]["fingerprint"] == broken["fingerprint"]
    assert all(re.fullmatch("[0-9a-f]{64}", issue["fingerprint"]) for issue in issues)


def test_markdown_has_a_row_for_each_and_the_stories() -> None:
    text = markdown(ALL)
    assert text.startswith("## mine: 4 questions: 1 as expected, 1 not as expected, 1 inconclusive, 1 error\n")
    assert text.count("\n| ") == 1 + 4
    assert "<details><summary>broken</summary>" in text


def test_the_page_compares_with_the_last_run(tmp_path: Path) -> None:
    before = a_run(("sound", BROKEN), ("broken", BROKEN), ("gone", HOLDS))
    text = page.html(ALL, before, tmp_path / "page.html")
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text.partition("<main>")[2].partition("</main>")[0]))
    assert "Compared with the last run" in shown
    assert "was violated (no-page-lost), not as expected" in shown
    assert "No more in the suite: gone" in shown
    assert "3 of 4 questions differ" in shown
    assert "Counterexample: 1 &lt; 2 &amp; so on" in text
    assert "There is no earlier run" in page.html(ALL, None, tmp_path / "page.html")


def test_what_has_not_changed_is_not_asked_again(tmp_path: Path) -> None:
    file = tmp_path / "change.py"
    file.write_text("one")
    reads = {str(file): last_run._digest(file)}
    kept = msgspec.structs.replace(BROKEN, reads=reads)
    last = a_run(("a question", kept))
    again = last_run.unchanged(ENTRY, last)
    assert again == Judged(ENTRY, kept, Status.UNEXPECTED, again.why if again else "", reused=True)
    expected = last_run.unchanged(entry(expect="violated"), last)
    assert expected is not None
    assert expected.status is Status.EXPECTED
    assert last_run.unchanged(entry(arguments={"pages": 2}), last) is None
    assert last_run.unchanged(entry(name="another"), last) is None
    assert last_run.unchanged(entry(accepted={"no-page-lost": "x"}), last) is None
    assert last_run.unchanged(entry(seconds=9.0), last) is not None
    walked = entry(kind=Kind.SIMULATE)
    walks = msgspec.structs.replace(last, judged=[judge(walked, kept)])
    assert last_run.unchanged(walked, walks) is not None
    assert last_run.unchanged(entry(kind=Kind.SIMULATE, seconds=9.0), walks) is None
    assert last_run.unchanged(ENTRY, msgspec.structs.replace(last, version="0")) is None
    assert last_run.unchanged(ENTRY, msgspec.structs.replace(last, sources="0")) is None
    assert last_run.unchanged(ENTRY, None) is None
    file.write_text("two")
    assert last_run.unchanged(ENTRY, last) is None


@pytest.mark.parametrize("found", [LATE, ERR])
def test_what_is_no_answer_is_always_asked_again(found: Found) -> None:
    assert last_run.unchanged(ENTRY, a_run(("a question", found))) is None


def test_a_run_is_kept_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    file = last_run.file_of(tmp_path / "suite.toml")
    assert last_run.read(file) is None
    last_run.keep(file, ALL)
    assert last_run.read(file) == ALL
    assert (file.parent / ".gitignore").read_text() == "*\n"
    file.write_bytes(file.read_bytes()[:-9])
    assert last_run.read(file) is None
