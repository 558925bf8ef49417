"""How properties are stated: a sentence, a function of a state or of a step, and why a failure is a contradiction.

The function answers with a truth value, or with the set of pages that offend (which has to be empty). Its docstring
is the explanation that a counterexample ends with. Properties look; they never touch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from postcopy.model.language import Monitor, PageSet, Step, View

Answer = bool | PageSet


class Kind(Enum):
    """What a property speaks of."""

    ALWAYS = "always"
    EVERY_STEP = "every step"
    SOMETIMES = "sometimes"
    NO_DEADLOCK = "no deadlock"


@dataclass(frozen=True)
class Property:
    """One thing that must hold (or, for a witness, must be reachable).

    Attributes:
        name: short, for the command line.
        sentence: the same as a sentence.
        kind: what it speaks of.
        holds: the function; of a `View` for states and witnesses, of a `Step` for steps.
        because: why a violation is a contradiction, in the document's words.
        rules: the rules of the document that it stands for.
        monitor: the history that it needs, if any.
    """

    name: str
    sentence: str
    kind: Kind
    holds: Callable[..., Answer]
    because: str
    rules: tuple[str, ...] = ()
    monitor: type[Monitor] | None = None

    @property
    def of_states(self) -> bool:
        """It must hold in every state."""
        return self.kind is Kind.ALWAYS

    @property
    def of_steps(self) -> bool:
        """It must hold of every step."""
        return self.kind is Kind.EVERY_STEP

    @property
    def is_witness(self) -> bool:
        """It must be reachable."""
        return self.kind is Kind.SOMETIMES


def _property(
    kind: Kind, sentence: str, rules: str, monitor: type[Monitor] | None
) -> Callable[[Callable[..., Answer]], Property]:
    def make(function: Callable[..., Answer]) -> Property:
        because = " ".join((inspect.getdoc(function) or "").split())
        name = function.__name__.replace("_", "-")
        return Property(name, sentence, kind, function, because, tuple(rules.split()), monitor)

    return make


def conjunct(sentence: str, rules: str = "") -> Callable[[Callable[..., Answer]], Property]:
    """A conjunct of an invariant: a property of states that helps to prove others.

    Its function may have a second parameter ``page``: then it is claimed for every page. Such a conjunct is for the
    prover; the explorer does not read it.
    """
    return _property(Kind.ALWAYS, sentence, rules, None)


def always(
    sentence: str, rules: str = "", monitor: type[Monitor] | None = None
) -> Callable[[Callable[[View], Answer]], Property]:
    """A property of every reachable state."""
    return _property(Kind.ALWAYS, sentence, rules, monitor)


def every_step(
    sentence: str, rules: str = "", monitor: type[Monitor] | None = None
) -> Callable[[Callable[[Step], Answer]], Property]:
    """A property of every step."""
    return _property(Kind.EVERY_STEP, sentence, rules, monitor)


def sometimes(sentence: str, rules: str = "") -> Callable[[Callable[[View], Answer]], Property]:
    """A witness: a situation that has to be reachable, so that what is said of it is not said of nothing."""
    return _property(Kind.SOMETIMES, sentence, rules, None)


NO_DEADLOCK = Property(
    "no-deadlock",
    "Whatever still has to happen, some thread can move",
    Kind.NO_DEADLOCK,
    lambda _: True,
    "Yet the migration is neither over nor still waiting to be started, and what only the guest, the operator or the "
    "network might do, nobody can rely on.",
    ("R4", "R6", "R16", "R24"),
)
