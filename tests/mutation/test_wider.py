"""Wider edits: each kind is made, draws are always the same, and what the first draw found missing is there now."""

from collections import Counter

import pytest

from mutation import judge
from mutation.faults import touched_in
from mutation.model import Mutant
from mutation.results import Fate
from mutation.wider import DRAWS, MACHINES, Candidate, Wider, all_drawn, candidates, drawn, mutant_of
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy

pytestmark = pytest.mark.unmeasured


@pytest.fixture(scope="module")
def found() -> list[tuple[str, Candidate]]:
    return [(part, candidate) for part in MACHINES for candidate in candidates(part)]


def mutant(found: list[tuple[str, Candidate]], kind: Wider, method: str, was: str, now: str) -> Mutant:
    """The mutant of a candidate."""
    wanted = kind, method, was, now
    same = (pair for pair in found if (pair[1].kind, pair[1].method, pair[1].was, pair[1].now) == wanted)
    return mutant_of(*next(same))


@pytest.mark.parametrize(
    ("kind", "method", "was", "now", "line"),
    [
        (
            Wider.EXCHANGES,
            "opens_return_path",
            "self.phase = Phase.PINGING",
            "self.phase = Phase.ADVISING of pings",
            "self.phase = Phase.ADVISING",
        ),
        (Wider.BORROWS, "pings", "its end", "and self.requests = NONE of _clean_up", "self.requests = NONE"),
        (Wider.GUARDS, "pings", "", "require(self.requests.empty)", "require(self.requests.empty)"),
        (
            Wider.ALLOWS,
            "pings",
            "self.phase == Phase.PINGING",
            "self.phase == Phase.PINGING or self.phase == Phase.FAILED",
            "require(self.phase == Phase.PINGING or self.phase == Phase.FAILED)",
        ),
        (
            Wider.DISTANT,
            "pings",
            "Phase.ADVISING in self.phase = Phase.ADVISING",
            "Phase.DEAD",
            "self.phase = Phase.DEAD",
        ),
        (
            Wider.SOMETIMES,
            "opens_return_path",
            "self.phase = Phase.PINGING",
            "if not self.running",
            "if not self.running:",
        ),
        (Wider.PAGES, "_remember_sent", "page in self.sent |= page", "NONE", "self.sent |= NONE"),
    ],
)
def test_an_edit(found: list[tuple[str, Candidate]], kind: Wider, method: str, was: str, now: str, line: str) -> None:
    made = mutant(found, kind, method, was, now)
    [body] = [part for part in made.text.split("    def ") if part.startswith(f"{method}(")]
    assert line in [each.strip() for each in body.splitlines()]
    assert Instance(made.protocol(), 1, 1).actions


def test_a_helper_without_a_statement_is_one_at_this_call_alone(found: list[tuple[str, Candidate]]) -> None:
    made = mutant(
        found, Wider.HELPER, "places_page", "self._place(page.host_pages)", "_place without self.waiting.remove(pages)"
    )
    [body] = [part for part in made.text.split("    def ") if part.startswith("places_page(")]
    assert "self.present |= page.host_pages" in body
    assert "waiting.remove" not in body
    assert "self.waiting.remove(pages)" in made.text
    assert made.fields == frozenset()


def test_declarations_are_edited(found: list[tuple[str, Candidate]]) -> None:
    thread = mutant(found, Wider.THREAD, "pings", "migration", "operator").protocol()
    [pings] = [action for action in Instance(thread, 1, 1).actions if action.method == "pings"]
    assert pings.thread == "operator"
    role = mutant(found, Wider.ROLE, "device_waiting", "waits=main_thread", "").protocol()
    assert not Instance(role, 1, 1).variable["destination.device_waiting"].waits
    assert Instance(Postcopy, 1, 1).variable["destination.device_waiting"].waits


def test_a_draw_is_always_the_same_and_has_as_many_of_each_kind() -> None:
    for draw in DRAWS:
        first, again = drawn(*draw), drawn(*draw)
        assert [m.name for m in first] == [m.name for m in again]
        assert len({m.name for m in first}) == 60
        assert set(Counter(m.edit.kind for m in first).values()) == {6}
    assert drawn(60, 1) != drawn(60, 2)


def test_what_the_guest_does_in_a_step_is_looked_for_in_the_faults(found: list[tuple[str, Candidate]]) -> None:
    assert touched_in(mutant(found, Wider.GUARDS, "cpu_reads", "", "require(self.state < State.END)")) == {"CPU_READ"}
    assert touched_in(mutant(found, Wider.GUARDS, "pings", "", "require(self.requests.empty)")) == set()


MENDED: dict[tuple[Wider, str, str, str], str] = {
    (Wider.THREAD, "pings", "migration", "source_guest"): "threads-do-their-own-work",
    (Wider.THREAD, "handles_run", "main_thread", "balloon"): "threads-do-their-own-work",
    (Wider.SOMETIMES, "host_dies", "self.running = False", "if not self.postcopy_capability"): "nothing-is-kept",
    (Wider.GUARDS, "requests_page", "", "require(self.running)"): "witness device-page-is-requested is not reached",
    (
        Wider.GUARDS,
        "cpu_reads",
        "",
        "require(self.state < State.END)",
    ): "precopy-ends-dirty no longer breaks no-stale-read",
}
"""Mutants that survived the first draw, and what kills them since."""


@pytest.mark.slow
@pytest.mark.parametrize("edit", MENDED, ids=lambda edit: f"{edit[1]}")
def test_what_survived_is_killed(found: list[tuple[str, Candidate]], edit: tuple[Wider, str, str, str]) -> None:
    judged = judge.judge(mutant(found, *edit))
    assert (judged.fate, judged.by) == (Fate.KILLED, MENDED[edit])


def test_a_mutant_that_is_drawn_twice_is_judged_once() -> None:
    names = [m.name for m in all_drawn()]
    assert len(names) == len(set(names))
    assert set(names) == {m.name for draw in DRAWS for m in drawn(*draw)}
