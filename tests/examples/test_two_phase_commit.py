"""A protocol that has nothing to do with migration goes through everything: search, liveness, walks, proof, exports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import all_asked, asked_of, proved_of
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.explorer.simulation.simulate import Finding, Simulation, WalkPlan
from postcopy.export.aut import aut
from postcopy.export.tla import tla
from postcopy.language import Protocol
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.prover.means import HERE
from postcopy.prover.proving import prove
from postcopy.prover.session import every_size
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer
from postcopy.report.pages.stepping import Stepping
from postcopy.report.results.difference import Size, compare
from postcopy.report.state_graph.files import Quotient, build, to_dot
from postcopy.report.state_graph.quotient import usual_variables
from tests.examples.conftest import ROOT, example
from tests.explorer.brute import brute_force
from tests.export.agreement import by_spin, explorer, exported, need_spin
from tests.export.test_tla import errors

SOUND = "two_phase_commit.py"
TOO_EARLY = "two_phase_commit_variants.py:CommitsTooEarly"
CRASHES = "two_phase_commit_variants.py:CoordinatorCrashes"
PROVED = "two_phase_commit_proof.py"
NAMES = ["no-deadlock", "agreement", "outcome-is-final", "all-commit", "outcome-reaches-everyone"]


def check(protocol: type[Protocol], pages: int = 2, *, only: str = "", symmetry: bool = True) -> Verdict:
    properties = [p for p in asked_of(protocol) if not only or p.name == only]
    return explore(
        Instance(protocol, pages, 2, properties), Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED)
    )


def test_it_is_short_enough_to_be_read_at_once() -> None:
    text = (ROOT / "examples" / SOUND).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    imported = re.findall(r"^from (\S+) import", text, re.MULTILINE)
    assert set(imported) == {"enum", "postcopy.language"}


def test_only_its_own_properties_and_the_absence_of_deadlock_are_asked_of_it() -> None:
    assert [p.name for p in asked_of(example(SOUND))] == NAMES
    assert all(not p.rules for p in asked_of(example(SOUND)))


# -- the search ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pages", "states", "transitions", "depth"), [(1, 10, 9, 5), (2, 60, 113, 9), (3, 392, 1_086, 13)]
)
def test_it_holds_with_these_counts(pages: int, states: int, transitions: int, depth: int) -> None:
    verdict = check(example(SOUND), pages)
    assert verdict.outcome is Outcome.HOLDS
    assert (verdict.states, verdict.transitions, verdict.depth) == (states, transitions, depth)
    assert verdict.witnesses == {"all-commit": True}
    assert not verdict.never_fired


def test_all_states_are_those_of_a_search_by_hand() -> None:
    protocol = example(SOUND)
    graph = brute_force(Instance(protocol, 2, 2))
    assert len(graph.depth) == check(protocol, symmetry=False).states


def test_where_one_vote_is_enough_the_agreement_breaks_in_six_steps() -> None:
    verdict = check(example(TOO_EARLY))
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.violated is not None
    assert verdict.violated.name == "agreement"
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == 6


def test_without_its_coordinator_it_stands_still() -> None:
    verdict = check(example(CRASHES))
    assert verdict.outcome is Outcome.DEADLOCK
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == 3


def test_without_its_coordinator_a_participant_waits_for_ever() -> None:
    verdict = check(example(CRASHES), only="outcome-reaches-everyone")
    assert verdict.outcome is Outcome.LIVENESS
    assert verdict.counterexample is not None
    assert verdict.counterexample.loop == len(verdict.counterexample.steps) == 3
    assert ("coordinator.crashes", None) in verdict.counterexample.labels


def test_walks_find_the_broken_agreement_and_nothing_in_the_sound_protocol() -> None:
    asked = {name: [p for p in asked_of(example(name)) if not p.of_runs] for name in (SOUND, TOO_EARLY)}
    sound = Simulation(
        Instance(example(SOUND), 6, 3, asked[SOUND]), WalkPlan(1, WalkPlan.depth, 100, None), lambda _: None
    )
    sound.run()
    assert sound.found().finding is Finding.NOTHING
    wrong = Simulation(
        Instance(example(TOO_EARLY), 6, 3, asked[TOO_EARLY]), WalkPlan(1, WalkPlan.depth, 100, None), lambda _: None
    )
    wrong.run()
    found = wrong.found()
    assert found.finding is Finding.VIOLATED
    assert found.counterexample is not None
    assert found.counterexample.violated == "agreement"
    assert len(found.counterexample.steps) == 6


# -- the proof -------------------------------------------------------------------------------------------------


def test_its_invariant_proves_it_for_any_number_of_participants() -> None:
    protocol = example(PROVED)
    asked, invariant, _ = proved_of(protocol)
    assert [p.name for p in asked] == NAMES
    proof = prove(protocol, asked, invariant)
    assert proof.status is Status.PROVED
    assert {o.conjunct for o in proof.obligations} >= {"agreement", "no-deadlock", *(p.name for p in invariant)}


@pytest.mark.parametrize("missing", range(4))
def test_it_takes_every_conjunct(missing: int) -> None:
    protocol = example(PROVED)
    asked, invariant, _ = proved_of(protocol)
    left = [conjunct for index, conjunct in enumerate(invariant) if index != missing]
    assert prove(protocol, asked, left).status is not Status.PROVED


def test_the_variant_is_refuted_by_its_run() -> None:
    protocol = example(TOO_EARLY)
    result = every_size(protocol, *proved_of(protocol), HERE, lambda _: None, lambda _: None)
    assert [v.property.name for v in result.of(Answer.REFUTED)] == ["agreement"]


# -- the exports -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "broken"), [(SOUND, None), (TOO_EARLY, "agreement")])
def test_spin_sees_the_same_states_and_says_the_same(target: str, broken: str | None, tmp_path: Path) -> None:
    need_spin()
    protocol = example(target)
    asked = [p for p in asked_of(protocol) if p.of_states or p.of_steps]
    wanted = explorer(protocol, (2, 2, 1), asked)
    assert wanted.violated == broken
    assert by_spin(exported(protocol, (2, 2, 1), asked), tmp_path) == wanted


def test_the_labelled_graph_has_every_transition() -> None:
    instance = Instance(example(SOUND), 2, 2)
    graph = brute_force(instance)
    lines = list(aut(read(instance)))
    assert lines[0] == f"des (0,{sum(graph.edges.values()) + 1},{len(graph.depth) + 1})"
    assert len(lines) == sum(graph.edges.values()) + 2


def test_the_tla_is_tla() -> None:
    protocol = example(SOUND)
    assert errors(tla(read(Instance(protocol, 2, 2, asked_of(protocol))), "TwoPhaseCommit", "TwoPhaseCommit")) == []


# -- what is shown ---------------------------------------------------------------------------------------------


def test_a_graph_tells_states_apart_by_what_the_protocol_says() -> None:
    instance = Instance(example(SOUND), 2, 1, asked_of(example(SOUND))[:3])
    graph = drawn(instance)
    assert graph.phase == "coordinator.phase"
    states = {
        (n["values"]["coordinator.phase"], *(n["values"][f"participants.{s}"] for s in ("working", "aborted")))
        for _, n in graph.networkx.nodes(data=True)
    }
    assert {phase for phase, *_ in states} == {"collecting", "committed", "aborted"}
    text = to_dot(graph)
    assert "boxes are coordinator.phase, nodes are participants" in text
    assert not re.search(r"guest|operator|migration|source\.", text)


def test_a_protocol_that_names_no_variables_is_drawn_by_its_enumerations() -> None:
    class Plain(example(SOUND)):  # type: ignore[misc]
        drawn_by = ()

    assert usual_variables(Instance(Plain, 1, 1)) == ("coordinator.phase",)


def drawn(instance: Instance) -> Quotient:
    exploration = Exploration(instance, Options(engine=Engine.INTERPRETED))
    exploration.run()
    return build(exploration, usual_variables(instance))


def test_the_comparison_says_what_the_variant_does_more() -> None:
    report = compare(("a", "b"), example(SOUND), example(TOO_EARLY), Size(2, 1), Size(2, 1), Options(), lambda _: None)
    assert (report.added, report.removed, report.changed) == ((), (), ("coordinator.commits",))
    assert report.turned == {"agreement": ("holds", "violated")}
    assert report.gained.difference is not None
    assert [str(seen) for seen in report.gained.difference.run[-1][1]] == ["sends COMMIT page 0"]
    assert report.lost.difference is None
    assert report.visible == ()


def test_two_files_with_the_same_protocol_are_the_same(tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text("# moved down\n\n" + (ROOT / "examples" / SOUND).read_text(encoding="utf-8"), encoding="utf-8")
    report = compare(("a", "b"), example(SOUND), load(str(copy))[1], Size(1, 1), Size(1, 1), Options(), lambda _: None)
    assert (report.added, report.removed, report.changed, report.turned) == ((), (), (), {})
    assert report.gained.difference is None
    assert report.lost.difference is None


def test_its_page_to_step_by_hand_offers_the_first_steps() -> None:
    page = Stepping(SOUND, all_asked(example(SOUND), 2, 2, 1)).answer("/")
    text = page.body.decode()
    assert page.status == 200
    assert "prepares, and votes to commit" in text
    assert "counts a vote" not in text
