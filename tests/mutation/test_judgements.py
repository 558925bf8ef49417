"""Judgements: what the stored ones say is what a check says now, for a sample; and the page says what they say."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mutation import ghost, judge, weakenings
from mutation.edits import Edit, Kind
from mutation.graphs import graph_of, same_runs
from mutation.model import Mutant, mutants
from mutation.page import PAGE, STORED, page, unexplained
from mutation.reasons import OPEN, REASONS
from mutation.relation import Difference, difference
from mutation.results import Fate, Judgement, append, digest, load, stale, write
from mutation.weakenings import Weakening
from mutation.wider import DRAWS, all_drawn, drawn
from postcopy.catalogue.properties import BY_NAME
from postcopy.language import LeadsTo
from postcopy.model.destination import Destination
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
MODEL, WIDER, PROPERTIES = (load(ROOT / path) for path in STORED.values())
KILLED = {
    "destination.cpu_reads drops a statement: `require(self.waiting[cpu].empty)`": "waiting-thread-stands-still",
    "destination.finishes_device_load drops a statement: `require(self.device_waiting.empty)`": (
        "device-load-has-its-page"
    ),
    "destination.sends_shut drops a statement: `self.owes_shut = False`": "shut-once",
    "destination.handles_run drops a statement: `self.running = True`": "the-guest-runs-again",
    "source._clean_up drops a statement: `self.requests = NONE`": "nothing-is-kept",
}
"""Mutants of the model, and the property that was made for them."""


@pytest.fixture(scope="module")
def by_name() -> dict[str, Mutant]:
    return {mutant.name: mutant for mutant in mutants()}


@pytest.fixture(scope="module")
def digests(by_name: dict[str, Mutant]) -> dict[str, str]:
    """The digests of what is edited, by the names of all mutants and of all edits of properties."""
    of_the_model = {m.name: m.of for m in (*by_name.values(), *all_drawn())}
    return of_the_model | {w.name: w.of for w in weakenings.weakenings()}


@pytest.mark.parametrize("name", KILLED)
def test_a_mutant_is_killed_by_the_property_that_was_made_for_it(name: str, by_name: dict[str, Mutant]) -> None:
    judgement = judge.judge(by_name[name])
    assert (judgement.fate, judgement.by) == (Fate.KILLED, KILLED[name])


def test_a_mutant_without_an_effect_is_equivalent(by_name: dict[str, Mutant]) -> None:
    name = "source._clean_up swaps two statements: `self.stream.close()` -> `behind self.return_path.close()`"
    assert judge.judge(by_name[name]).by == "the same program"
    assert judge.judge(by_name[name]).fate is Fate.EQUIVALENT


def test_a_weakened_property_is_noticed_by_a_fault() -> None:
    found: list[Weakening] = [w for w in weakenings.weakenings() if w.function == "shut_says_the_truth"]
    judged = {weakenings.judge(w) for w in found if w.edit.now == "return True"}
    assert {(j.fate, j.weaker) for j in judged} == {(Fate.KILLED, True)}
    assert all(j.by.endswith(" no longer breaks shut-says-the-truth") for j in judged)


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
    every = [*MODEL.values(), *WIDER.values(), *PROPERTIES.values()]
    assert sorted(unexplained(every)) == OPEN
    assert {*REASONS, *OPEN} == {j.mutant for j in every if j.fate is Fate.SURVIVES}


def test_enough_mutants_are_judged() -> None:
    assert len(MODEL) >= 200
    assert set(WIDER) == {m.name for m in all_drawn()}
    assert sum(bool(j.weaker) for j in PROPERTIES.values()) >= 60


def test_no_judgement_is_stale(digests: dict[str, str]) -> None:
    assert stale([*MODEL.values(), *WIDER.values(), *PROPERTIES.values()], digests) == []


def test_a_stale_judgement_is_noticed(digests: dict[str, str]) -> None:
    one, two, three = list(MODEL.values())[:3]
    gone = replace(one, mutant=one.mutant.replace("`", "'", 1))
    of_another_text = replace(two, of=digest("def another(): ..."))
    assert stale([gone, of_another_text, three], digests) == [gone.mutant, two.mutant]


def test_a_docstring_makes_no_judgement_stale() -> None:
    assert digest("def f():\n    'Says.'\n    return 1") == digest("def f():\n    return 1")
    assert digest("def f():\n    return 2") != digest("def f():\n    return 1")


def test_the_page_says_what_was_judged() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page(text) == text


def cells(block: str) -> dict[str, list[int]]:
    """The numbers in a table of the page, by the first cell of the row."""
    text = (ROOT / PAGE).read_text(encoding="utf-8").split(f"<!-- judged: {block} -->")[1].split("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()[2:]]
    return {name: [int(cell) for cell in numbers] for name, *numbers in rows}


def test_the_page_counts_what_the_files_hold() -> None:
    """Counted here from the lines of the files, without the code that writes the page."""
    model, drawn_ones, properties = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in STORED.values()
    )
    fates = Counter(r["fate"] for r in model)
    counted = cells("model-counts")
    assert counted["all"] == [len(model)]
    assert counted["killed"] == [fates["killed"]]
    assert counted["equivalent, as shown"] == [fates["equivalent"]]
    assert counted["equivalent, for a reason"][0] + counted["open"][0] == fates["survives"]
    fates = Counter(r["fate"] for r in drawn_ones)
    counted = cells("wider-counts")
    assert counted["all"] == [len(drawn_ones)]
    assert counted["killed"] == [fates["killed"]]
    weaker = Counter((r["fate"], r["weaker"]) for r in properties)
    counted = cells("properties-weaker")
    assert counted["killed"] == [weaker["killed", True], weaker["killed", False]]
    assert counted["all"] == [sum(r["weaker"] for r in properties), sum(not r["weaker"] for r in properties)]


def test_at_least_nine_of_ten_drawn_mutants_that_differ_are_killed() -> None:
    for draw in DRAWS:
        fates = Counter(WIDER[m.name].fate for m in drawn(*draw))
        reasoned = sum(m.name in REASONS for m in drawn(*draw))
        differ = 60 - fates[Fate.EQUIVALENT] - reasoned
        assert fates[Fate.KILLED] >= 0.9 * differ >= 30


def test_the_page_has_each_mutant_once() -> None:
    for path in STORED.values():
        names = [json.loads(line)["mutant"] for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(names) == len(set(names))


CHEAP = ("killed", "equivalent")
"""Fates that are found again in a few seconds."""


def sample(judgements: dict[str, Judgement], number: int, seed: int) -> list[str]:
    """Some judgements that do not take long, drawn at random, and always the same."""
    quick = [
        j.mutant
        for j in judgements.values()
        if j.fate in CHEAP and "first" not in j.by and not j.mutant.startswith("guest.")
    ]
    return random.Random(seed).sample(sorted(quick), number)


@pytest.mark.slow
@pytest.mark.parametrize("name", sample(MODEL, 4, seed=1))
def test_a_mutant_of_the_sample_is_judged_as_before(name: str, by_name: dict[str, Mutant]) -> None:
    now = judge.judge(by_name[name])
    assert (now.fate, now.by, now.size) == (MODEL[name].fate, MODEL[name].by, MODEL[name].size)


@pytest.mark.slow
@pytest.mark.parametrize("name", sample(PROPERTIES, 3, seed=2))
def test_an_edited_property_of_the_sample_is_judged_as_before(name: str) -> None:
    edited = next(w for w in weakenings.weakenings() if w.name == name)
    now = weakenings.judge(edited)
    assert (now.fate, now.by, now.weaker) == (PROPERTIES[name].fate, PROPERTIES[name].by, PROPERTIES[name].weaker)


def test_an_edited_property_that_asks_for_more_is_no_weaker_one() -> None:
    """`device_load_has_its_page` asks for it at every time, where it was asked for when the load has gone on."""
    edited = replace(BY_NAME["device-load-has-its-page"], holds=lambda state: state.destination.device_waiting)
    found = difference(Postcopy, (1, 1, 1), BY_NAME["device-load-has-its-page"], edited)
    assert found == Difference(less=False, more=True)


def test_a_weaker_property_differs_where_a_fault_violates_the_original() -> None:
    original = BY_NAME["device-load-has-its-page"]
    fault = FAULTS["device-load-does-not-wait"]
    nothing = replace(original, holds=lambda state: True)
    assert difference(fault, (1, 1, 1), original, nothing) == Difference(less=True, more=False)
    assert difference(Postcopy, (1, 1, 1), original, nothing) == Difference(less=False, more=False)


def test_a_promise_is_weaker_that_is_made_in_fewer_states() -> None:
    """In the protocol itself, as a promise that is open for a while shows the difference."""
    original = BY_NAME["started-guest-runs"]
    never = replace(original, holds=lambda state: LeadsTo(when=False, then=True))
    assert difference(Postcopy, (1, 1, 1), original, never) == Difference(less=True, more=False)
    assert difference(Postcopy, (1, 1, 1), never, original) == Difference(less=False, more=True)


def test_a_blind_ghost_is_found_out_by_a_protocol_that_keeps_stale_copies() -> None:
    """The document's protocol never has a stale copy among those that are to be placed."""
    blind = next(m for m in mutants(("guest",)) if m.method == "arrived" and m.edit.kind is Kind.DROPS)
    assert ghost.unnoticed(blind) == "precopy-kept-aside breaks no-page-lost first, and not no-stale-device-read"


def test_assignments_that_touch_each_other_are_not_independent() -> None:
    def swap(one: str, two: str) -> bool:
        return Edit(Kind.SWAPS, 1, one, f"behind {two}").independent

    assert swap("self.a = NONE", "self.b -= page")
    assert not swap("self.a = NONE", "self.a = ALL")
    assert not swap("self.a = self.b", "self.b -= page")
    assert not swap("self.a = NONE", "self.b = self.a")
    assert not swap("self.a = NONE", "self.stream.send(Command.EOF)")
    assert not swap("if self.a:", "self.b = NONE")
    assert not Edit(Kind.DROPS, 1, "self.a = NONE", "").independent
