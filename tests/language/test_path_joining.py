"""Paths that differ only in what they write become one; paths that differ in more stay apart."""

from __future__ import annotations

from enum import Enum, auto

from postcopy.language import (
    Channel,
    Flag,
    Machine,
    Protocol,
    Receives,
    Semaphore,
    Sends,
    Thread,
    View,
    action,
    require,
)
from postcopy.language.instance import Instance
from postcopy.language.path_joining import MOST_PATHS, join_paths
from postcopy.language.symbolic import read_action
from postcopy.language.trees import Branch, Leaf, Tree, leaves


class Word(Enum):
    """What is sent."""

    HELLO = auto()


class Sleeper(Machine):
    """Takes posts back, if there are any."""

    thread = Thread("thread")
    first = Semaphore("a semaphore")
    second = Semaphore("a semaphore")
    third = Semaphore("a semaphore")
    fourth = Semaphore("a semaphore")
    speaks = Flag("says hello")
    is_done = Flag("has taken posts back")
    away = Sends("line")

    @action(thread)
    def takes_all_back(self) -> None:
        """takes all posts back"""
        require(not self.speaks)
        for semaphore in (self.first, self.second, self.third, self.fourth):
            semaphore.try_wait()
        self.speaks = True

    @action(thread)
    def says_hello_between(self) -> None:
        """takes posts back, and says hello in between, if it has anything to say"""
        self.first.try_wait()
        self.second.try_wait()
        if self.speaks:
            require(self.away.room())
            self.away.send(Word.HELLO)
        self.third.try_wait()
        self.fourth.try_wait()
        self.is_done = True

    @action(thread)
    def does_something_or_nothing(self) -> None:
        """lowers one of them, where another one is up"""
        if self.second.count > 0:
            self.first.try_wait()


class Listener(Machine):
    """Hears it."""

    thread = Thread("other thread")
    near = Receives("line")

    @action(thread)
    def hears(self) -> None:
        """hears hello"""
        self.near.receive(Word.HELLO)


class Sleepers(Protocol):
    """Two threads."""

    line = Channel(Word)
    sleeper = Sleeper
    listener = Listener

    @staticmethod
    def may_rest(state: View) -> bool:
        """Always."""
        return True


def paths(tree: Tree) -> int:
    return sum(1 for _ in leaves(tree))


def tree_of(name: str) -> Tree:
    instance = Instance(Sleepers, 1, 1)
    return read_action(instance, next(action for action in instance.actions if action.method == name))


def test_independent_decisions_about_values_become_one_path() -> None:
    tree = tree_of("takes_all_back")
    assert paths(tree) == 16 > MOST_PATHS
    joined = join_paths(tree)
    assert paths(joined) == 1
    assert isinstance(joined, Branch)  # the guard stays one
    assert isinstance(joined.yes, Leaf) != isinstance(joined.no, Leaf)


def test_paths_with_other_events_stay_apart_wherever_they_are_decided() -> None:
    tree = tree_of("says_hello_between")
    assert paths(tree) == 32
    joined = join_paths(tree)
    assert {len(leaf.events) for leaf in leaves(joined)} == {0, 1}
    assert paths(joined) == 2


def test_a_path_that_changes_nothing_is_not_joined_with_one_that_does() -> None:
    """The search says of such a path when it is never taken, so that something may have been forgotten there."""
    tree = tree_of("does_something_or_nothing")
    joined = join_paths(tree, most=1)
    assert {bool(leaf.updates) for leaf in leaves(joined)} == {True, False}


def test_an_action_of_few_paths_is_left_as_it_is() -> None:
    tree = tree_of("does_something_or_nothing")
    assert join_paths(tree) is tree
