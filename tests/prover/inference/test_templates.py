"""Atoms and clauses say the same in every reading: as arrays, in the concrete interpretation, in words and as text."""

from __future__ import annotations

import random
from enum import Enum
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from postcopy.bitmaps import Bitmaps
from postcopy.language import Property, View
from postcopy.language.concrete import ConcreteInterpretation, answer_in, holds
from postcopy.language.instance import Instance
from postcopy.language.values import ConcretePages
from postcopy.model import destination, source
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.inference.arrays import States
from postcopy.prover.inference.atoms import Atom, Names, atoms_of
from postcopy.prover.inference.blocking import Blocking
from postcopy.prover.inference.clauses import Clause, property_of, source_of
from postcopy.prover.inference.observed import Reader, Rows, truths
from tests.prover.inference.pasting import pasted
from tests.prover.walks import walk

INSTANCE = Instance(Postcopy, 4, 2, [p for p in SAFETY if p.of_states or p.of_steps], 2)
NAMES = Names()
ATOMS = atoms_of(INSTANCE, NAMES)


def _states(count: int) -> list[tuple[int, ...]]:
    return random.Random(3).sample([*walk(INSTANCE, runs=12, steps=60, seed=5)], count)


def _concretely(prop: Property, state: tuple[int, ...], page: int, *, of_page: bool) -> bool:
    view = View(ConcreteInterpretation(INSTANCE, state))
    pages = (ConcretePages(1 << page, INSTANCE.pages, INSTANCE.group),) if of_page else ()
    return holds(prop.holds(view, *pages))


def _differences() -> set[str]:
    """Atoms whose value as an array is not their value in the concrete interpretation."""
    states, found = _states(12), set()
    rows = Reader(INSTANCE, ATOMS, NAMES).rows(States(INSTANCE, states))
    for number, atom in enumerate(ATOMS):
        yes, no = (property_of(Clause(((atom, wanted),)), "asked", NAMES) for wanted in (True, False))
        for at, state in enumerate(states):
            for page in range(INSTANCE.pages):
                said = _concretely(yes, state, page, of_page=atom.of_page)
                assert said != _concretely(no, state, page, of_page=atom.of_page), atom
                if said != rows[page, at, number]:
                    found.add(atom.yes)
    return found


@pytest.mark.slow
def test_arrays_say_of_each_atom_what_the_concrete_interpretation_says() -> None:
    assert _differences() == set()


@pytest.mark.slow
def test_host_pages_that_are_evaluated_wrongly_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = "postcopy.prover.inference.arrays.Bitmaps"
    monkeypatch.setattr(arrays, lambda pages, _group: Bitmaps(pages, 1))
    assert "state.destination.present.host_pages[page]" in _differences()


@pytest.mark.unmeasured
def test_arrays_say_of_each_conjunct_what_the_concrete_interpretation_says() -> None:
    states, chance = _states(60), random.Random(4)
    on_channels = [j for j, v in enumerate(INSTANCE.variables) if v.owner in INSTANCE.channels]
    mixed = []
    for state in states:
        other = chance.choice(states)  # what is on a channel is mixed as a whole: a gap is no state
        fields = enumerate(zip(state, other, strict=True))
        mixed.append(tuple(b if j in on_channels else chance.choice((a, b)) for j, (a, b) in fields))
    some_false = False
    for conjunct_ in INVARIANT[::5]:
        said = truths(States(INSTANCE, mixed), conjunct_)
        right = [holds(answer_in(INSTANCE, state, conjunct_.holds)) for state in mixed]
        assert said.tolist() == right, conjunct_.name
        some_false |= not all(right)
    assert some_false


def _atom(text: str) -> Atom:
    return next(a for a in ATOMS if a.yes == text)


PHASE = _atom("state.source.phase == Phase.POSTCOPY")
RUNNING = _atom("state.source.running")
SENT_EMPTY = _atom("state.source.sent.empty")
DIRTY, PRESENT = _atom("state.source.dirty[page]"), _atom("state.destination.present[page]")
COMING = _atom("state.stream.in_order(about(Command.PAGE))[page]")


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            ((PHASE, False), (DIRTY, False), (PRESENT, False)),
            "While source.phase is POSTCOPY, source.dirty and destination.present share no page",
        ),
        (((PHASE, False), (RUNNING, False)), "While source.phase is POSTCOPY, not source.running"),
        (((PHASE, True), (RUNNING, True)), "While source.phase is not POSTCOPY, source.running"),
        (((DIRTY, False),), "No page is in source.dirty"),
        (((DIRTY, True), (COMING, True)), "Each page is in source.dirty or in PAGE on stream"),
        (((DIRTY, False), (PRESENT, True)), "Each page in source.dirty is in destination.present"),
        (((RUNNING, True),), "source.running"),
        (((SENT_EMPTY, True),), "source.sent is empty"),
    ],
)
def test_a_clause_in_words(parts: tuple[tuple[Atom, bool], ...], sentence: str) -> None:
    assert Clause(parts).sentence == sentence


@pytest.mark.unmeasured
def test_the_source_text_can_be_pasted(tmp_path: Path) -> None:
    clause = Clause(((PHASE, False), (DIRTY, False), (COMING, False)))
    text = source_of(clause, "given")
    given = pasted(tmp_path, NAMES.imports([text], (), "a_change") + text)["given"]
    assert given.sentence == clause.sentence
    states = States(INSTANCE, _states(60))
    found = property_of(clause, "found", NAMES)
    assert truths(states, given).tolist() == truths(states, found).tolist()


def test_two_enumerations_of_one_name_get_two_names() -> None:
    names = Names()
    assert names.of(destination.State.END) == "State.END"

    class State(Enum):
        END = 1

    assert names.of(State.END) != "State.END"
    assert names.of(source.Phase.ENDING) == "Phase.ENDING"
    assert names.of(destination.State.END) == "State.END"


def _brute(rows: Rows, row: Rows, most: int) -> set[frozenset[int]]:
    """All smallest sets of columns in which every row differs from the given one, by trying each."""
    found: set[frozenset[int]] = set()
    for size in range(1, most + 1):
        for chosen in map(frozenset, combinations(range(rows.shape[1]), size)):
            if not any(smaller <= chosen for smaller in found):
                where = sorted(chosen)
                if (rows[:, where] != row[where]).any(axis=1).all():
                    found.add(chosen)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_clauses_rule_out_a_row_and_hold_of_all_observed(seed: int) -> None:
    random_numbers = np.random.default_rng(seed)
    rows = random_numbers.random((30, 9)) < 0.4
    row = random_numbers.random(9) < 0.5
    atoms = [Atom(f"a{i}", f"not a{i}", f"a{i}", f"not a{i}") for i in range(9)]
    everything = np.ones(9, dtype=np.bool_)
    found = {frozenset(int(a.yes[1:]) for a, _ in c.parts) for c in Blocking(atoms, rows).clauses(row, everything)}
    assert found == _brute(rows, row, 6)


def test_a_row_that_was_observed_is_not_ruled_out() -> None:
    rows = np.array([[True, False], [False, False]])
    atoms = [Atom(f"a{i}", f"not a{i}", "", "") for i in range(2)]
    blocking = Blocking(atoms, rows)
    assert blocking.clauses(rows[0], np.ones(2, dtype=np.bool_)) == []
    other = np.array([True, True])
    assert [c.answer for c in blocking.clauses(other, np.ones(2, dtype=np.bool_))] == ["not a1"]
    assert blocking.clauses(other, np.array([True, False])) == []


def test_messages_are_asked_for_with_marks_and_behind_each_other() -> None:
    asked = {a.yes for a in ATOMS}
    assert "state.stream.in_order(about(Command.PAGE, stale=True))[page]" in asked
    assert "state.stream.in_order(Command.DISCARD, about(Command.PAGE))[page]" in asked
