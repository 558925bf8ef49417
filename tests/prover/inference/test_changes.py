"""Small sound changes are proved with what is found, and their unsound twins are not.

All of them together take an hour, and stand in a table in docs/proof.md: here are some.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from postcopy.catalogue.properties import asked_of, proved_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import Answer as PropertyAnswer
from postcopy.language import View, always
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.model.destination import State
from postcopy.model.postcopy import Postcopy
from postcopy.prover.completion import Complete, as_it_is
from postcopy.prover.inference.completing import complete
from postcopy.prover.inference.find import Inferred, find_conjuncts
from postcopy.prover.inference.weeding import Weeding
from postcopy.prover.means import HERE
from postcopy.prover.session import every_size
from postcopy.prover.verdicts import Answer, can_be_asked
from tests.prover.inference.changes import (
    SOUND,
    UNSOUND,
    CompletesInTwoSteps,
    CompletesTooEarly,
    MirroredFlag,
    MirroredFlagLeftOn,
)
from tests.prover.inference.further_changes import SOUND as FURTHER

SMALL = Options(engine=Engine.INTERPRETED)


@pytest.mark.one_in(2)
@pytest.mark.slow
@pytest.mark.parametrize("change", [*SOUND, *FURTHER, *UNSOUND], ids=lambda change: change.__name__)
def test_the_sound_ones_are_sound_and_the_others_are_not(change: type[Postcopy]) -> None:
    asked = [p for p in asked_of(change) if not p.of_runs]
    wrong = any(
        explore(Instance(change, *size[:2], asked, size[2]), SMALL).outcome in (Outcome.VIOLATED, Outcome.DEADLOCK)
        for size in ((2, 1, 1), (2, 1, 2))
    )
    assert wrong == (change in UNSOUND)


@always("vCPUs wait from RUN on")
def waits_from_run_on(state: View) -> PropertyAnswer:
    """Before RUN they do not run."""
    return True if state.destination.state >= State.RUNNING else state.destination.waiting.any


def _proof(finds: Complete) -> tuple[Answer | None, list[str] | None]:
    asked = [waits_from_run_on]
    result = every_size(MirroredFlag, asked, (), None, HERE, lambda _: None, lambda _: None, complete=finds)
    said = None if result.completed is None else [found.prop.sentence for found in result.completed.found]
    return result.answer_for_all, said


@pytest.mark.slow
@pytest.mark.parametrize(("finds", "answer"), [(complete, Answer.PROVED), (as_it_is, Answer.NOT_PROVED)])
def test_a_change_is_proved_for_every_size_with_what_is_found(finds: Complete, answer: Answer) -> None:
    """In a process of its own: z3 finds another counterexample, and so another conjunct too, after much other work."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        proved, said = pool.submit(_proof, finds).result()
    assert proved is answer
    on_from_run = ["While destination.cpus_on, destination.state is at least RUNNING"]
    assert said == (on_from_run if answer is Answer.PROVED else [])


def _known(protocol: type[Postcopy]) -> tuple[list[Property], Sequence[Property]]:
    properties, invariant, _ = proved_of(protocol)
    return [p for p in properties if can_be_asked(p)], invariant


def _kept(inferred: Inferred, invariant: Sequence[Property]) -> list[Property]:
    return [*(p for p in invariant if p not in inferred.untrue), *(f.prop for f in inferred.found)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sound", "unsound"),
    [
        (MirroredFlag, MirroredFlagLeftOn),
        (CompletesInTwoSteps, CompletesTooEarly),
    ],
    ids=lambda change: change.__name__,
)
def test_what_makes_a_change_inductive_does_not_make_its_unsound_twin_so(
    sound: type[Postcopy], unsound: type[Postcopy]
) -> None:
    """What is found for the one leaves no counterexample to induction of it, and leaves one of the other."""
    properties, invariant = _known(sound)
    inferred = find_conjuncts(sound, properties, invariant, seconds=600)
    assert inferred.finished
    for change in (sound, unsound):
        claims = _kept(inferred, invariant)
        watching = [p.monitor for p in invariant if p.monitor is not None]
        weeding = Weeding(Instance(change, 1, 2, properties, 1, watching), claims)
        everything = list(weeding.claims)
        wanted = [*everything, *(p.name for p in properties if not p.of_states)]
        left = weeding.violation(everything, wanted)
        assert (left is None) == (change is sound), left


@pytest.mark.long
@pytest.mark.slow(first=True)
@pytest.mark.parametrize("unsound", [MirroredFlagLeftOn, CompletesTooEarly], ids=lambda change: change.__name__)
def test_nothing_that_is_found_makes_an_unsound_change_inductive(unsound: type[Postcopy]) -> None:
    """The search comes to no end; by this time it has found as many conjuncts as it ever has at once, some eighty."""
    properties, invariant = _known(unsound)
    inferred = find_conjuncts(unsound, properties, invariant, seconds=25, sizes=((1, 1, 1),))
    watching = [p.monitor for p in invariant if p.monitor is not None]
    weeding = Weeding(Instance(unsound, 1, 1, properties, 1, watching), _kept(inferred, invariant))
    everything = list(weeding.claims)
    assert weeding.violation(everything, [*everything, *(p.name for p in properties if not p.of_states)]) is not None
