"""Random walks through a space too large to exhaust: which step is taken next, and where a walk begins.

A walk that takes any possible step does not get far: most steps change nothing, and a host dies long before the switch.
So a walk of this module

- takes only steps that change the state;
- draws an action first and then one of its pages, so that an action does not weigh more for having many pages;
- has a pace of its own for every action, up to 256 times slower than the fastest (that is what races are made of), for
  the environment's up to 32,768 times, so that a walk sees each mishap at its own time or not at all;
- holds an action the less worth taking the more often this walk has taken it;
- begins, three times out of four, not at the start but where an earlier walk has been. A *situation* is the set of
  actions that can change a state. For each a point of some walk is remembered; of three situations drawn, the one that
  the fewest walks have been in is gone on from. So what is rare is practised, and what is deep is reached step by step
  (after Go-Explore: Ecoffet and others, Nature 590, 2021). Where all is over nothing is remembered.

All that is drawn comes from `random.Random.random`, whose numbers are the same in every version of Python and on every
machine; nothing depends on the order of a hash. The n-th walk of a seed is always the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.stepper import Stepper
from postcopy.explorer.simulation.hyperloglog import Census
from postcopy.language.properties import Property

T = TypeVar("T")

_FROM_THE_START = 0.25
"""The share of walks that begin at an initial state."""

_CONTEST = 3
"""So many situations are drawn, and a walk goes on from the one that was visited least."""

_REST = 32
"""A walk ends after so many states in which nothing needs to happen any more."""

_FULL_PACE = 1 << 20
_PACES = 9
_PACES_OF_THE_ENVIRONMENT = 16
"""How many paces there are, each half the one before."""


class Point(NamedTuple):
    """A point of a walk: a state, and how the walk reached it.

    Attributes:
        state: the state.
        steps: how many steps led to it.
        action: index of the action of the last of them; -1 at the start.
        before: where that step was taken; None at the start.
    """

    state: Words
    steps: int = 0
    action: int = -1
    before: Point | None = None

    def after(self, action: int, state: Words) -> Point:
        """One step further."""
        return Point(state, self.steps + 1, action, self)

    @property
    def path(self) -> list[Point]:
        """The way here, the start first."""
        points = [self]
        while points[-1].before is not None:
            points.append(points[-1].before)
        return points[::-1]


class Bug(NamedTuple):
    """A property violated at the end of a walk.

    Attributes:
        at: where it is violated: for a property of steps, after that step.
        violated: the property.
    """

    at: Point
    violated: Property


@dataclass
class _Situation:
    """A set of possible actions: how many walks were in it, and a point where one of them was."""

    walks: int
    point: Point


class Walker:
    """Walks of one seed, one after the other, and counts of what they have visited.

    Attributes:
        stepper: the protocol that they go through.
        seed: what all draws come from.
        depth: steps from the start beyond which no walk goes.
        walks: how many were begun.
        steps: how many steps they took together.
        deepest: the most steps from the start that one came to.
        fired: for each action, how often it was taken. One that changes nothing is taken in every state where it can
            be, for the properties of steps to see it; it is not one of the steps.
        reached: for each witness, how many walks reached it.
        census: the states seen, up to a renaming of pages.
    """

    def __init__(self, stepper: Stepper, seed: int, depth: int) -> None:
        self.stepper, self.seed, self.depth = stepper, seed, depth
        self.walks = self.steps = self.deepest = 0
        self.fired = [0] * len(stepper.instance.actions)
        self.reached = {p.name: 0 for p in stepper.instance.properties if p.is_witness}
        self.census = Census()
        self._situations: dict[int, _Situation] = {}
        self._order: list[int] = []

    def walk(self) -> Bug | None:
        """Make one more walk, and return the violation that it found, if any."""
        self.walks += 1
        dice = random.Random(f"postcopy {self.seed} {self.walks}")
        point = self._begin(dice)
        paces = self._paces(dice)
        taken = [0] * len(paces)
        known: set[int] = set()
        reached: set[str] = set()
        rested = 0
        while True:
            look, moves = self.stepper.look(point.state), self.stepper.moves(point.state)
            self.census.add(self.stepper.representative(point.state))
            self.deepest = max(self.deepest, point.steps)
            for name in look.witnesses:
                if name not in reached:
                    reached.add(name)
                    self.reached[name] += 1
            if look.violated:
                return Bug(point, look.violated)
            for move in moves:
                if move.violated:
                    self.deepest = max(self.deepest, point.steps + 1)
                    return Bug(point.after(move.action, move.after), move.violated)
            stuck = self.stepper.deadlock(point.state, moves, look)
            if stuck:
                return Bug(point, stuck)
            choices: dict[int, list[Words]] = {}
            idle: set[int] = set()
            for move in moves:
                if move.after != point.state:
                    choices.setdefault(move.action, []).append(move.after)
                else:
                    idle.add(move.action)
            for action in idle:
                self.fired[action] += 1
            over = look.resting and not self.stepper.progress(point.state, moves)
            rested += over
            if not choices or rested > _REST or point.steps >= self.depth:
                return None
            situation = sum(1 << action for action in choices)
            if situation not in known and not (over and point.steps):
                known.add(situation)
                self._remember(situation, point, dice)
            action = _draw(dice, {a: paces[a] // (1 + taken[a]) for a in choices})
            taken[action] += 1
            self.fired[action] += 1
            self.steps += 1
            point = point.after(action, _one_of(dice, choices[action]))

    def _begin(self, dice: random.Random) -> Point:
        if not self._order or dice.random() < _FROM_THE_START:
            return Point(_one_of(dice, self.stepper.initial))
        drawn = [self._situations[_one_of(dice, self._order)] for _ in range(_CONTEST)]
        return min(drawn, key=lambda situation: situation.walks).point

    def _paces(self, dice: random.Random) -> list[int]:
        """How fast each action is in this walk."""
        actions = self.stepper.instance.actions
        spread = [_PACES_OF_THE_ENVIRONMENT if action.info.environment else _PACES for action in actions]
        return [_FULL_PACE >> _below(dice, paces) for paces in spread]

    def _remember(self, situation: int, point: Point, dice: random.Random) -> None:
        """Count a walk in a situation, and keep each one's point with the same chance."""
        known = self._situations.get(situation)
        if known is None:
            self._situations[situation] = _Situation(1, point)
            self._order.append(situation)
            return
        known.walks += 1
        if _below(dice, known.walks) == 0:
            known.point = point


def _below(dice: random.Random, bound: int) -> int:
    return int(dice.random() * bound)


def _one_of(dice: random.Random, things: list[T]) -> T:
    return things[_below(dice, len(things))]


def _draw(dice: random.Random, weights: dict[int, int]) -> int:
    """A key, the more likely the greater its weight; one of weight 0 is not impossible."""
    left = _below(dice, sum(weights.values()) + len(weights))
    for key, weight in weights.items():
        left -= weight + 1
        if left < 0:
            return key
    raise AssertionError("random() is less than 1")
