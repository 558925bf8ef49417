"""The small table pairs those words of a state of which there are few pairs."""

from __future__ import annotations

import numpy as np
import pytest

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search import small_store
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.small import Small
from postcopy.explorer.search.small_layout import Tree, best_tree, classes, in_order, rows_of, sample
from postcopy.explorer.search.status import Status
from postcopy.language import Count, Machine, Protocol, Thread, View, action, require
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy

LARGE = (1 << 62) - 1
"""The highest number of a variable that takes a word for itself."""


class Follower(Machine):
    """One number is close behind another, and a third goes its own way: three words."""

    worker, other = Thread("worker"), Thread("other")
    leader = Count("goes first", 0, LARGE)
    follower = Count("comes after", 0, LARGE)
    stranger = Count("goes its own way", 0, LARGE)

    @action(worker)
    def leads(self) -> None:
        """leads"""
        require(self.leader < 60)
        require(self.leader == self.follower)
        self.leader += 1

    @action(worker)
    def follows(self) -> None:
        """follows"""
        require(self.follower < self.leader)
        self.follower += 1

    @action(other)
    def wanders(self) -> None:
        """wanders"""
        require(self.stranger < 200)
        self.stranger += 1


class Three(Protocol):
    """Three words, of which the first two belong together."""

    machine = Follower

    @staticmethod
    def may_rest(state: View) -> bool:
        """Always: nothing has to happen."""
        return True


def explored(protocol: type[Protocol]) -> Exploration:
    return Exploration(Instance(protocol, 1, 1, ()), Options(reductions=(), engine=Engine.INTERPRETED))


def test_words_that_belong_together_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    """To pair the last two words, as was done before, would make as many pairs as half of the states."""
    made = explored(Three)
    machine = machine_of(made.kernel.plan)
    assert machine.code.words == 3
    chosen = Small(machine, made.question)
    monkeypatch.setattr(small_store, "tree", lambda *_: in_order(3))
    fixed = Small(machine, made.question)
    one, other = chosen.run(1 << 40), fixed.run(1 << 40)
    assert one.status is other.status is Status.DONE
    assert one.states == other.states == 121 * 201
    assert set(chosen.stored()) == set(fixed.stored())
    for small in (chosen, fixed):
        small.store.settle()
    assert chosen.store.tables.children[-1].tolist() == [3, 2]
    assert chosen.store.tables.known.tolist() == [61, 61, 201, 121]
    assert fixed.store.tables.known.tolist() == [61, 61, 201, 61 * 201]


@pytest.mark.slow
def test_words_of_the_protocol_are_paired_well() -> None:
    """With 7 pages the last two words have 61,000 and 6 values, the first two as many pairs as half of the states."""
    made = Exploration(Instance(Postcopy, 7, 1, ()), Options(reductions=(), engine=Engine.INTERPRETED))
    states = sample(machine_of(made.kernel.plan), made.question)
    assert best_tree(states) == (0, (1, 2))
    assert len(np.unique(states, axis=0)) == len(states)


def independent(values: tuple[int, ...], count: int = 5000) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    generator = np.random.default_rng(5)
    return np.stack([generator.integers(0, most, count) for most in values], axis=1)


@pytest.mark.parametrize("copies", [(0, 3), (1, 2), (0, 1), (2, 3)])
def test_wherever_a_word_follows_another_the_two_are_paired(copies: tuple[int, int]) -> None:
    states = independent((70, 80, 90, 100))
    states[:, copies[1]] = states[:, copies[0]] // 2
    assert frozenset(copies) in nodes(best_tree(states))


def nodes(tree: int | Tree) -> list[frozenset[int]]:
    """The words below each node of a tree, its root's last."""
    if isinstance(tree, int):
        return [frozenset([tree])]
    left, right = (nodes(part) for part in tree)
    return [*left, *right, left[-1] | right[-1]]


def test_of_independent_words_those_with_few_values_are_paired() -> None:
    assert best_tree(independent((1000, 4, 900))) == (0, (1, 2))
    assert best_tree(independent((4, 1000, 3))) == ((0, 2), 1)


def test_what_a_sample_does_not_show_yet_is_estimated() -> None:
    seen = independent((2000,), 2000)
    assert len(np.unique(seen)) < 1400
    assert 1700 < classes(seen) < 2300


def test_a_tree_as_rows_has_each_node_after_its_children() -> None:
    assert rows_of(((0, 2), ((1, 4), 3)), 5).tolist()[5:] == [[0, 2], [1, 4], [6, 3], [5, 7]]
    assert in_order(1).tolist() == in_order(2).tolist() == [[-1, -1], [-1, -1], [0, 1]]
    assert in_order(5).tolist()[5:] == [[1, 2], [3, 4], [5, 6], [0, 7]]
