"""Dead variables: to reset them changes nothing that can be seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel import dead_variables as dead
from postcopy.explorer.kernel.dead_variables import Reset
from postcopy.explorer.kernel.reductions import DEAD, PAGES
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.status import Status
from postcopy.language import expressions as ex
from postcopy.language import program as constants
from postcopy.language.instance import Instance
from postcopy.language.variables import Sort, Variable
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES

PROPERTIES = (*SAFETY, *WITNESSES)
SOME_CHANGES = ["preempt", "recovery"]


def exploration(instance: Instance, **options: Any) -> Exploration:
    made = Exploration(instance, replace(Options((PAGES, DEAD), engine=Engine.INTERPRETED), **options))
    made.run()
    return made


def every_state(instance: Instance) -> Exploration:
    """All states that can be reached, whatever is violated on the way."""
    made = Exploration(instance, Options((), engine=Engine.INTERPRETED))
    careless = replace(made.question, state_bits=0, step_bits=0, deadlock=False)
    made.search = Interpreted(made.kernel, careless)
    made.findings = made.search.run(0)
    made.run()
    return made


def misjudged(instance: Instance) -> list[tuple[int, ...]]:
    """The states that can be told from what is stored for them: by what is said of them, by whether they are stuck, or
    by what may happen next, what that violates and what is stored for the state that it leads to."""
    whole, reduced = (
        every_state(instance),
        Exploration(instance, Options((DEAD,), engine=Engine.INTERPRETED)),
    )
    assert whole.findings.status == Status.DONE
    functions, labels = reduced.kernel.functions, reduced.kernel.labels
    moves = [not action.info.environment for action in instance.actions]

    @cache  # a state is the successor of several, and a representative stands for several
    def stored(*words: int) -> tuple[int, ...]:
        return tuple(functions.canonical(*words))

    @cache
    def seen(words: tuple[int, ...]) -> object:
        steps, stuck = set(), True
        for label, *after in functions.expand(*words):
            step = labels[label]
            steps.add((step.action, label if step.failed else step.violated, stored(*after)))
            if not step.stays and tuple(after) != words and moves[step.action]:
                stuck = False
        return steps, stuck, functions.examine(*words)

    replaced = ((words, stored(*words)) for words in whole.stored())
    return [words for words, its in replaced if words != its and seen(words) != seen(its)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 2), (2, 1), (2, 2)], ids=lambda s: f"{s[0]} pages, {s[1]} in flight")
def test_no_state_is_told_from_its_representative(size: tuple[int, int]) -> None:
    assert misjudged(Instance(Postcopy, *size, PROPERTIES)) == []


@pytest.mark.one_in(18)
@pytest.mark.slow_but("memory-stays-locked")
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_nor_where_a_rule_is_taken_away(fault: str) -> None:
    """So each property has the same verdict, whatever other is violated before."""
    assert misjudged(Instance(FAULTS[fault], 2, 1, PROPERTIES)) == []


@pytest.mark.slow_but("source.sent")
@pytest.mark.parametrize("variable", ["destination.present", "source.sent", "wire.failed"])
def test_a_reset_too_many_is_noticed(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: the variable is called dead in the middle of the migration."""
    right = dead.resets

    def wrong(program: constants.Program) -> list[Reset]:
        v, phase = program.instance.variable[variable], program.instance.variable["destination.state"]
        return [*right(program), Reset((v,), (phase,), frozenset({(1,), (3,)}))]

    monkeypatch.setattr(dead, "resets", wrong)
    assert misjudged(Instance(Postcopy, 1, 1, PROPERTIES))


@pytest.mark.slow
def test_they_are_found() -> None:
    program = constants.read(Instance(Postcopy, 2, 2, PROPERTIES))
    resets = dead.resets(program)
    found = {(v.name, *(control.name for control in each.controls)) for each in resets for v in each.variables}
    assert ("destination.host_support", "destination.state") in found
    assert ("source.sent", "source.phase", "stream.up") in found
    assert not any(name == "destination.present" for name, *_ in found)


@pytest.mark.slow
@pytest.mark.parametrize("symmetry", [False, True], ids=["all", "pages renamed"])
def test_the_protocol_is_smaller(symmetry: bool) -> None:
    instance = Instance(Postcopy, 2, 2, PROPERTIES)
    others = (PAGES,) if symmetry else ()
    whole, reduced = (exploration(instance, reductions=each) for each in (others, (*others, DEAD)))
    assert (whole.findings.states, reduced.findings.states) == ((14_764, 10_492) if symmetry else (27_001, 19_759))
    assert reduced.findings.witnesses == whole.findings.witnesses
    for bit, at in whole.findings.first.items():
        assert len(reduced.search.path(reduced.findings.first[bit])) == len(whole.search.path(at))


@pytest.mark.one_in(18)
@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_faults_are_found_as_soon(fault: str) -> None:
    same(Instance(FAULTS[fault], 2, 2, PROPERTIES))


@pytest.mark.slow
@pytest.mark.parametrize("change", SOME_CHANGES)
def test_changes_have_the_same_verdict(change: str) -> None:
    asked = [p for p in asked_of(CHANGES[change]) if not p.of_runs]
    same(Instance(CHANGES[change], 2, 1, asked))


def same(instance: Instance) -> None:
    """The verdict is the same, the counterexample as long, and a run of the protocol itself."""
    whole, reduced = (explore(instance, Options(each, engine=Engine.INTERPRETED)) for each in ((PAGES,), (PAGES, DEAD)))
    assert (reduced.outcome, reduced.states <= whole.states) == (whole.outcome, True)
    if whole.counterexample is not None:
        assert reduced.counterexample is not None
        assert len(reduced.counterexample.steps) == len(whole.counterexample.steps)


@pytest.mark.parametrize(
    ("fact", "holds", "certain"),
    [
        (lambda v, _: ex.equal(v, ex.number(0)), True, True),
        (lambda v, _: ex.equal(v, ex.number(1)), True, False),
        (lambda v, _: ex.equal(v, ex.number(1)), False, True),
        (lambda v, _: ex.equal(v, ex.number(0)), False, False),
        (lambda v, w: ex.equal(v, w), True, False),
    ],
    ids=["was 0", "was 1", "was not 1", "was not 0", "was as another"],
)
def test_whether_to_become_1_is_a_change(fact: Any, holds: bool, certain: bool) -> None:
    v, w = (Variable(name, "m", Sort.NUMBER, 3) for name in "vw")
    facts = frozenset({(fact(ex.variable(v), ex.variable(w)), holds)})
    assert dead._changes(v, ex.number(1), {}, facts) is certain
