"""Judgements: what the stored ones say is what a check says now, for a sample; and the page says what they say."""

from pathlib import Path

import pytest

from mutation import judge, weakenings
from mutation.graphs import graph_of, same_runs
from mutation.model import Mutant, mutants
from mutation.page import PAGE, STORED, page, unexplained
from mutation.reasons import OPEN, REASONS
from mutation.results import Fate, Judgement, append, load, write
from mutation.weakenings import Weakening
from postcopy.model.destination import Destination
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source

ROOT = Path(__file__).parents[2]
MODEL, PROPERTIES = (load(ROOT / path) for path in STORED.values())
KILLED = {
    "destination.cpu_reads drops a statement: `require(self.waiting[cpu].empty)`": "waiting-thread-stands-still",
    "destination.finishes_device_load drops a statement: `require(self.device_waiting.empty)`": (
        "device-load-has-its-page"
    ),
    "destination.sends_shut drops a statement: `self.owes_shut = False`": "shut-once",
    "destination.handles_run drops a statement: `self.running = True`": "started-guest-runs",
    "source._clean_up drops a statement: `self.requests = NONE`": "nothing-is-kept",
}
"""Mutants of the model, and the property that was made for them."""


@pytest.fixture(scope="module")
def by_name() -> dict[str, Mutant]:
    return {mutant.name: mutant for mutant in mutants(("source", "destination"))}


@pytest.mark.parametrize("name", KILLED)
def test_a_mutant_is_killed_by_the_property_that_was_made_for_it(name: str, by_name: dict[str, Mutant]) -> None:
    judgement = judge.judge(by_name[name])
    assert (judgement.fate, judgement.by) == (Fate.KILLED, KILLED[name])


def test_a_mutant_without_an_effect_is_equivalent(by_name: dict[str, Mutant]) -> None:
    name = "source._clean_up swaps two statements: `self.stream.close()` -> `behind self.return_path.close()`"
    assert judge.judge(by_name[name]).by == "the same program"
    assert judge.judge(by_name[name]).fate is Fate.EQUIVALENT


def test_a_weakened_property_is_noticed_by_a_fault() -> None:
    found: list[Weakening] = [w for w in weakenings.weakenings() if w.function == "started_guest_runs"]
    assert {weakenings.judge(w).fate for w in found if w.edit.now == "return True"} == {Fate.KILLED}


def test_graphs_that_differ_in_what_no_step_reads_have_the_same_runs() -> None:
    class Forgets(Postcopy):
        """Does not clear the sent map at the end."""

        class source(Source):  # noqa: N801
            """Keeps it."""

            def _sacrifice_sent_map(self) -> None:
                """Stays."""

    class Moves(Postcopy):
        """Says nothing at the end."""

        class destination(Destination):  # noqa: N801
            """Owes nothing."""

            def sends_shut(self) -> None:
                """owes nothing any more"""
                self.owes_shut = False

    original, forgets, moves = (graph_of(p, 1, 1, 1) for p in (Postcopy, Forgets, Moves))
    assert original.same_as(original)
    assert not original.same_as(forgets)
    assert same_runs(original, forgets, lambda name: name == "source.sent")
    assert not same_runs(original, forgets, lambda name: False)
    assert not same_runs(original, moves, lambda name: name == "source.sent")


def test_judgements_are_kept(tmp_path: Path) -> None:
    one, two = Judgement("a", Fate.KILLED, "p", (2, 1, 1)), Judgement("b", Fate.SURVIVES, "runs")
    write(tmp_path / "kept", [one])
    append(tmp_path / "kept", two)
    assert load(tmp_path / "kept") == {"a": one, "b": two}
    assert load(tmp_path / "none") == {}


def test_what_survives_has_a_reason_or_is_open() -> None:
    both = [*MODEL.values(), *PROPERTIES.values()]
    assert sorted(unexplained(both)) == OPEN
    assert {*REASONS, *OPEN} == {j.mutant for j in both if j.fate is Fate.SURVIVES}


def test_enough_mutants_are_judged() -> None:
    assert len(MODEL) >= 170
    assert len(PROPERTIES) >= 60


def test_the_page_says_what_was_judged() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page(text) == text
