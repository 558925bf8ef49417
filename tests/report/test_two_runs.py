"""Two runs beside each other: where they part, which steps are aligned, what differs, and what is said of it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import jsonschema
import msgspec
import pytest
from rich.console import Console

from postcopy.language.instance import Instance
from postcopy.language.trace import Trace, follow
from postcopy.report.pages.two_runs import html
from postcopy.report.records.two_runs import two_runs_record
from postcopy.report.results.two_runs import TwoRuns, two_runs
from postcopy.report.results.two_runs_words import sentence
from postcopy.report.story.lanes import Filling, gap
from postcopy.report.story.tell import tell
from postcopy.report.terminal.two_runs import print_two_runs
from tests.cli.conftest import Run, refused
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.report.examples import OLD_LETTER, Handover, Unsure, never_finishes, old_letter
from tests.report.examples import run as walk

ROOT = Path(__file__).parents[2]
STORED = ROOT / "counterexamples"
SHORT, OTHER = STORED / "no-discards.itf.json", STORED / "cancel-after-switch.itf.json"

DETOUR = [*OLD_LETTER[:2], ("writer.writes", 1), *OLD_LETTER[2:]]


def beside(one: Trace, other: Trace) -> TwoRuns:
    return two_runs(("one", "other"), one, other)


def numbers(found: TwoRuns) -> list[tuple[int | None, int | None]]:
    return [
        (one.number if one is not None else None, other.number if other is not None else None)
        for one, other in (pair.steps for pair in found.pairs)
    ]


def printed(found: TwoRuns) -> str:
    out = StringIO()
    print_two_runs(found, Console(file=out, width=100, highlight=False))
    return out.getvalue()


def test_a_run_is_the_same_as_itself() -> None:
    found = beside(old_letter(), old_letter())
    assert found.alike
    assert sentence(found) == "the two runs are the same: 5 steps"
    assert found.differing((5, 5)) == []


def test_the_first_step_that_differs_and_the_steps_of_one_alone() -> None:
    found = beside(old_letter(), walk(DETOUR, "no-old-letter"))
    assert (found.common, found.alike) == (2, False)
    assert numbers(found) == [(1, 1), (2, 2), (None, 3), (3, 4), (4, 5), (5, 6)]
    assert [step.number for step in found.only(1)] == [3]
    assert found.only(0) == []
    assert sentence(found) == "the two runs part at step 3"


def test_what_differs_after_the_first_step_that_differs_and_at_the_end() -> None:
    found = beside(old_letter(), walk(DETOUR, "no-old-letter"))
    assert found.after_parting() == (3, 3)
    assert {it.variable: it.values for it in found.differing((3, 3))} == {
        "mail_van": ("[LETTER {0} old]", "[LETTER {0}]"),
        "writer.drafts": ("{0}", "{1}"),
    }
    assert {it.variable: it.values for it in found.differing((5, 6))} == {"writer.drafts": ("{0}", "{0, 1}")}


def test_steps_that_both_take_are_aligned_after_a_gap_on_either_side() -> None:
    found = beside(walk(DETOUR, "no-old-letter"), old_letter())
    assert numbers(found) == [(1, 1), (2, 2), (3, None), (4, 3), (5, 4), (6, 5)]
    assert [pair.taken for pair in found.pairs][2] == (3, 2)


def test_a_run_that_ends_is_said_to() -> None:
    found = beside(walk(OLD_LETTER[:3], None), old_letter())
    assert found.common == 3
    assert found.after_parting() == (3, 4)
    assert sentence(found) == "A ends after 3 steps, which B takes as well"
    assert sentence(beside(old_letter(), walk(OLD_LETTER[:3], None))).startswith("B ends after 3 steps, which A")


def test_the_same_steps_from_other_beginnings_are_not_the_same_runs() -> None:
    instance = Instance(Unsure, 1, 1, ())
    one, other = (follow(instance, start, [("source.starts", None)], None) for start in instance.initial_states())
    found = beside(one, other)
    assert (found.common, found.states_part, found.alike) == (1, 0, False)
    assert sentence(found) == "the two runs take the same 1 step, from different beginnings"
    assert "Differs in the beginning:\n  somebody looks: no | yes" in printed(found)


def test_the_same_run_that_claims_something_else_is_not_the_same() -> None:
    found = beside(old_letter(), walk(OLD_LETTER, None))
    assert not found.alike
    assert sentence(found) == "the two runs take the same 5 steps, and end differently"


def test_of_two_protocols_each_has_parts_of_its_own() -> None:
    sent = follow(
        (handover := Instance(Handover, 1, 1, (never_finishes,))),
        handover.initial_states()[0],
        [("source.starts", None), ("source.sends", 0), ("source.finishes", None)],
        "never-finishes",
    )
    found = beside(old_letter(), sent)
    differing = {it.variable: it.values for it in found.differing((0, 0))}
    assert differing["writer.drafts"] == ("{}", None)
    assert differing["source.phase"] == (None, "idle")
    said = printed(found)
    assert "Nothing that both have differs" in said
    assert "only B has: post, " in said
    assert "A violates: Nobody reads an old letter" in said
    assert "B violates: It never finishes" in said


def test_a_gap_keeps_channels_as_full_as_they_are() -> None:
    story = tell(old_letter())
    assert gap(story, 2).fillings == (Filling(story.columns.index("mail van"), 0, 1, 1, 0),)
    assert gap(story, 5).fillings == (Filling(story.columns.index("mail van"), 0, 0, 0, 0),)


def test_the_page_says_all_of_it() -> None:
    found = beside(old_letter(), walk(DETOUR, "no-old-letter"))
    page = html(found, two_runs_record(found), "postcopy trace a --diff b")
    assert "the two runs part at step 3" in page
    assert page.count('class="row alone') == 1
    assert "only B" in page
    assert page.count("Violated: Nobody reads an old letter") == 2
    assert "postcopy trace a --diff b" in page


def test_what_is_repeated_for_ever_is_part_of_the_end(run: Run) -> None:
    lasso = STORED / "keep-alive-first.itf.json"
    found = run("trace", str(SHORT), "--diff", str(lasso))
    assert found.code == 0
    assert "14 steps and a loop of 6" in " ".join(found.out.split())


def test_the_command_prints_json_and_a_page(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "two.html"
    found = run("trace", str(SHORT), "--diff", str(OTHER), "--json", "--html", str(page))
    assert found.code == 0, found
    record = msgspec.json.decode(found.out)
    schema = msgspec.json.decode((ROOT / "docs" / "schemas" / "trace-diff.json").read_bytes())
    jsonschema.validate(record, schema)
    assert record["common"] == 6
    assert record["states_part"] == 0
    assert record["first"]["violated"] == "no-stale-device-read"
    assert record["second"]["violated"] == "no-two-guests"
    assert page.read_text(encoding="utf-8").endswith("<!-- written by postcopy -->\n")
    alone = run("trace", str(SHORT), "--html", str(page))
    assert alone.code == 0
    assert "postcopy trace" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--markdown"], "show one run: leave --diff away"),
        (["--svg", "a.svg"], "show one run: leave --diff away"),
        (["--json", "--markdown"], "not both"),
        (["--html", "a.pdf"], "has to end in .html"),
    ],
)
def test_what_does_not_go_together_is_refused(run: Run, given: list[str], said: str) -> None:
    assert said in refused(run, "trace", str(SHORT), "--diff", str(OTHER), *given)


def test_what_cannot_be_compared_is_refused(run: Run, tmp_path: Path) -> None:
    assert "--diff-protocol goes with --diff" in refused(run, "trace", str(SHORT), "--diff-protocol", "Postcopy")
    assert "none.itf.json" in refused(run, "trace", str(SHORT), "--diff", str(tmp_path / "none.itf.json"))
    assert "another version of the model" in refused(
        run, "trace", str(SHORT), "--diff", str(OTHER), "--diff-protocol", "Postcopy"
    )
