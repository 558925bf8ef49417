"""`--change`, `--bug`, `diff` and `new`: what they print, in words and as JSON, and what they say of mistakes."""

import json
import shlex
from pathlib import Path

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.tables import BY_NAME
from postcopy.language.instance import Instance
from tests.cli.conftest import Run, refused

OWN = '''
from postcopy.model.postcopy import Postcopy
from postcopy.language import View, always

@always("The source never sleeps")
def never_sleeps(state: View) -> bool:
    """It sleeps."""
    return bool(state.source.{field})

class Mine(Postcopy):
    """A change."""

    properties = (never_sleeps,)
    inapplicable = {{"{name}": "because of this"}}
'''


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(OWN.format(field="running", name="no-page-lost"))
    return file


def test_a_change_by_name(run: Run) -> None:
    result = run("check", "--change", "switch-at-package", "--pages", "1", "--in-flight", "1")
    assert result.code == 12
    assert "known to violate: loading-costs-no-guest, switch-costs-no-guest - found" in result.out


@pytest.mark.unmeasured
def test_what_is_not_asked_of_a_change_is_said_with_the_reason(run: Run) -> None:
    result = run("check", "--change", "preempt", "--pages", "1", "--in-flight", "1")
    assert result.code == 0
    assert "not asked: requested-first: requested pages have a channel of their own" in result.out
    found = json.loads(run("check", "--change", "preempt", "--pages", "1", "--in-flight", "1", "--json").out)
    assert list(found["inapplicable"]) == ["requested-first"]


def test_a_bug_by_name(run: Run) -> None:
    result = run("check", "--bug", "pauses-in-precopy", "--pages", "1", "--in-flight", "1")
    assert result.code == 12
    assert "known to violate: pauses-only-in-postcopy - found" in result.out


def test_a_bug_that_violates_something_else_earlier_says_how_to_see_what_it_is_about(run: Run) -> None:
    result = run("check", "--bug", "huge-pages-fill-in", "--pages", "1", "--in-flight", "1")
    assert result.code == 12
    flat = " ".join(result.out.split())
    assert "no-stale-read - another is violated earlier; to see it, ask for it alone: --property no-stale-read" in flat


def test_properties_of_a_file_are_asked_listed_and_known_by_name(run: Run, mine: Path) -> None:
    result = run("check", str(mine), "--pages", "1", "--in-flight", "1")
    assert result.code == 12
    assert "The source never sleeps" in result.out
    assert "not asked: no-page-lost: because of this" in result.out
    assert run("check", str(mine), "--property", "never-sleeps", "--in-flight", "1").code == 12
    rows = json.loads(run("list", "properties", str(mine), "--json").out)
    assert {"name": "no-page-lost", "kind": "not asked", "sentence": "because of this", "rules": []} in rows
    assert "never-sleeps" in [row["name"] for row in rows]


def test_a_counterexample_to_a_property_of_a_file_is_stored_and_shown_again(run: Run, mine: Path) -> None:
    stored = mine.with_name("run.itf.json")
    run("check", str(mine), "--property", "never-sleeps", "--in-flight", "1", "--trace", str(stored))
    assert "The source never sleeps" in run("trace", str(stored), str(mine)).out


@pytest.mark.parametrize(
    ("field", "name", "says"),
    [
        ("runing", "no-page-lost", "Source has no field runing; did you mean running?"),
        ("running", "no-page-lot", "there is no such property; did you mean no-page-lost?"),
    ],
)
def test_mistakes_in_a_file_are_told_with_what_was_probably_meant(
    run: Run, mine: Path, field: str, name: str, says: str
) -> None:
    mine.write_text(OWN.format(field=field, name=name))
    assert says in refused(run, "check", str(mine))
    assert "mine.py:" in refused(run, "check", str(mine))


def test_unknown_names(run: Run) -> None:
    assert "did you mean recovery?" in refused(run, "check", "--change", "recovry")
    assert "did you mean keeps-old-bitmap?" in refused(run, "check", "--bug", "keeps-old-bitmaps")
    assert "did you mean recovery?" in refused(run, "diff", "Postcopy", "recovry")
    assert "only one of them" in refused(run, "check", "--change", "recovery", "--fault", "no-discards")
    assert "can be listed of a file or change" in refused(run, "list", "faults", "--change", "recovery")


def test_lists_of_changes_and_bugs(run: Run) -> None:
    changes = json.loads(run("list", "changes", "--json").out)
    assert {"name", "verdict", "what", "breaks", "origin"} == set(changes[0])
    assert "ram-cache" in run("list", "changes").out
    bugs = json.loads(run("list", "history", "--json").out)
    assert len(bugs) >= 20
    assert "keeps-old-bitmap" in run("list", "history").out


def test_new_writes_a_change_that_can_be_checked_and_never_writes_over_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "fresh.py"
    assert run("new", str(file)).code == 0
    assert "is there already" in refused(run, "new", str(file))
    assert "has to end in .py" in refused(run, "new", str(tmp_path / "fresh"))
    assert "cannot write" in refused(run, "new", str(tmp_path / "nowhere" / "fresh.py"))
    assert run("check", str(file), "--in-flight", "1").code == 11


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cloud-hypervisor", 12),
        ("criu-lazy-pages-mended", 0),
        ("preempt", 0),
        ("no-discards", 12),
        pytest.param("qemu-11", 12, marks=pytest.mark.slow),
        pytest.param("qemu-11-mended", 0, marks=pytest.mark.slow),
    ],
)
def test_a_new_change_of_any_protocol_has_the_verdict_of_that(run: Run, tmp_path: Path, name: str, code: int) -> None:
    file = tmp_path / "fresh.py"
    written = run("new", str(file), "--on", name)
    assert written.code == 0
    _, check, *question = shlex.split(written.out.partition("Check it:")[2])
    assert run(check, *question, "--no-liveness").code == code


@pytest.mark.unmeasured
def test_a_new_change_names_every_action_of_its_protocol(run: Run, tmp_path: Path) -> None:
    for name in ("Postcopy", "recovery", "ram-cache", "waits-for-pong-for-ever", *OTHERS, "qemu-11", "qemu-11-mended"):
        file = tmp_path / f"{name}.py"
        assert run("new", str(file), "--on", name).code == 0
        actions = {f"{a.machine}.{a.method}" for a in Instance(resolve(str(file))[1], 1, 1).actions}
        assert actions == {f"{a.machine}.{a.method}" for a in Instance(BY_NAME[name], 1, 1).actions}
        text = file.read_text()
        assert all(f"#     {action.partition('.')[2]}" in text for action in actions)


def test_a_change_cannot_be_written_on_what_has_no_class(run: Run, tmp_path: Path) -> None:
    file = str(tmp_path / "fresh.py")
    assert "did you mean qemu-11?" in refused(run, "new", file, "--on", "qemu-12")
    for name in ("qemu-11-without-disk-decides", "recovery+preempt", "qemu-11+preempt=off"):
        assert "no class that a file can import" in refused(run, "new", file, "--on", name)
    assert not Path(file).exists()


@pytest.mark.slow
def test_all_counterexamples_each_to_another_property(run: Run) -> None:
    arguments = ("check", "--fault", "send-leaves-dirty", "--pages", "1", "--in-flight", "1")
    found = json.loads(run(*arguments, "--all-properties", "--json").out)
    violated = [found["violated"], *(each["violated"] for each in found["further"])]
    assert violated[:2] == ["sends-bounded", "no-page-sent-twice"]
    assert set(violated[2:-2]) == {"no-write-overwritten", "nothing-stale-at-start", "no-stale-read", "no-page-lost"}
    assert violated[-2:] == [
        "the-migration-ends",
        None,
    ]  # what never happens is asked when nothing wrong happens any more
    *of_states, of_runs = (each["counterexample"] for each in (found, *found["further"]) if each["counterexample"])
    lengths = [len(shown["steps"]) for shown in of_states]
    assert lengths == sorted(lengths)
    assert of_runs["loop"] is not None
    two = run(*arguments, "--count", "2")
    assert two.code == 12
    assert two.out.count("Counterexample to") == 2
    assert json.loads(run(*arguments, "--json").out)["further"] == []
    assert "--count 0 is out of range" in refused(run, "check", "--count", "0")


@pytest.mark.slow
def test_diff_tells_what_a_fault_gains(run: Run) -> None:
    result = run("diff", "Postcopy", "resumes-after-handover", "--pages", "1", "--json")
    found = json.loads(result.out)
    assert found["actions"]["changed"] == ["source.notices_loss", "source.receives_shut_with_error"]
    assert found["properties"]["no-two-guests"] == {"base": "holds", "change": "violated"}
    gained = found["behaviours"]["change_within_base"]
    assert gained["included"] is False
    assert [run[-1]["seen"] for run in gained["runs"]] == [["the guest runs at the source"]]
    assert found["behaviours"]["base_within_change"]["included"] is True


BATCHES = '''
from postcopy.language import Page, require
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class Batches(Postcopy):
    """Background pages go in twos."""

    class source(Source):
        """Sends all that is dirty as one message, if that is more than the page itself."""

        def sends_background_page(self, page: Page) -> None:
            """sends all pages that nobody has asked for yet"""
            require(self.phase == Phase.POSTCOPY)
            require(self.dirty[page])
            require(self.requests.empty)
            self._ready_to_send()
            self._send_in_postcopy(self.dirty)
'''


@pytest.mark.slow
def test_diff_compares_behaviours_where_two_pages_exist(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "batches.py"
    file.write_text(BATCHES)
    result = run("diff", "Postcopy", str(file))
    assert result.code == 0
    assert "batches.py:BatchescandowhatPostcopycannot:" in "".join(result.out.split()), (
        "the path may be broken at any letter"
    )
    assert "sends PAGE pages 0 and 1" in result.out
    assert "Behaviours (2 pages, 1 message in flight; " in result.out
    one = run("diff", "Postcopy", str(file), "--pages", "1")
    assert "does nothing that Postcopy cannot do, as far as it is observed at 1 page, 1 message in flight" in " ".join(
        one.out.split()
    )
