"""Proved answers are kept on disk, and found again by what they are answers to (see `keys`).

There is a file for each action, of whatever protocol. What is damaged or was written by another version is not found,
and is asked anew. Nothing is kept of what z3 did not refute.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from postcopy.cache import Cache
from postcopy.prover.goals import Goal
from postcopy.prover.keys import Keys, environment
from postcopy.prover.obligations import ANY, Obligation
from postcopy.prover.progress import Deadlock
from postcopy.prover.solving import Status

KIND = "answers.json"

MOST = 5000
"""Goals in a file; older ones are dropped."""

VARIANTS = 4
"""Answers to a goal that use other conjuncts, or conjuncts that say something else; older ones are dropped."""


class Answer(msgspec.Struct, frozen=True):
    """That a goal is proved.

    Attributes:
        uses: the digests of the conjuncts that the proof used, by name.
        questions: how many questions to z3 it was.
        seconds: time that it took.
    """

    uses: dict[str, str]
    questions: int
    seconds: float


class Answers:
    """The answers to the goals of a protocol that are kept.

    Args:
        cache: where.
        keys: the digests of the goals and conjuncts.
        seed: of z3's random choices.
        without: a conjunct that must not be used.
    """

    def __init__(self, cache: Cache, keys: Keys, seed: int, without: str | None = None) -> None:
        self._cache, self._keys, self._environment = cache, keys, environment(seed)
        self._there = {name: digest for name, digest in keys.conjuncts.items() if name != without}
        self._files: dict[str, dict[str, list[Answer]]] = {}

    def to_goal(self, goal: Goal) -> Obligation | None:
        """The answer to a goal, if it has been proved of the same conjuncts."""
        answer = self._find(goal.action, self._keys.goal(goal))
        if answer is None or answer.questions != len(goal.violations):
            return None
        return _obligation(goal.conjunct, goal.action, answer)

    def to_deadlock(self, deadlock: Deadlock) -> Obligation | None:
        """The answer that there is no deadlock, if it has been proved."""
        answer = self._find(ANY, self._keys.deadlock(deadlock))
        return None if answer is None else _obligation(deadlock.conjunct, ANY, answer)

    def keep_goals(self, proved: Mapping[Goal, Obligation]) -> None:
        """Keep the answers to goals; those that are not proved are left out."""
        by_action: dict[str, dict[str, Obligation]] = {}
        for goal, obligation in proved.items():
            by_action.setdefault(goal.action, {})[self._keys.goal(goal)] = obligation
        for action, its in by_action.items():
            self._keep(action, its)

    def keep_deadlock(self, deadlock: Deadlock, obligation: Obligation) -> None:
        """Keep the answer that there is no deadlock."""
        self._keep(ANY, {self._keys.deadlock(deadlock): obligation})

    def _find(self, action: str, key: str) -> Answer | None:
        if action not in self._files:
            self._files[action] = self._read(action)
        answers = self._files[action].get(key, [])
        return next((a for a in answers if all(self._there.get(name) == used for name, used in a.uses.items())), None)

    def _read(self, action: str) -> dict[str, list[Answer]]:
        data = self._cache.get(KIND, self._file(action))
        try:
            return {} if data is None else msgspec.json.decode(data, type=dict[str, list[Answer]])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}

    def _keep(self, action: str, obligations: Mapping[str, Obligation]) -> None:
        new = {key: self._answer(o) for key, o in obligations.items() if o.status is Status.PROVED}
        if new:
            known = self._read(action)  # other processes may have written since
            for key, answer in new.items():
                others = [a for a in known.pop(key, []) if a.uses != answer.uses]
                known[key] = [answer, *others[: VARIANTS - 1]]
            self._cache.put(KIND, self._file(action), msgspec.json.encode(dict(list(known.items())[-MOST:])))

    def _answer(self, obligation: Obligation) -> Answer:
        uses = {name: self._there[name] for name in sorted(obligation.uses)}
        return Answer(uses, obligation.questions, round(obligation.seconds, 3))

    def _file(self, action: str) -> str:
        return f"{self._environment}\n{action}"


def _obligation(conjunct: str, action: str, answer: Answer) -> Obligation:
    return Obligation(conjunct, action, Status.PROVED, answer.seconds, answer.questions, frozenset(answer.uses))
