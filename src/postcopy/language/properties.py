"""How properties are stated: a sentence, a function of a state or of a step, and why a failure is a contradiction.

The function answers with a truth value, or with the set of pages that offend (which has to be empty). What has to
happen in the end is stated as "when this is so, then that will be so" (`LeadsTo`). The docstring is the explanation
that a counterexample ends with. Properties look; they never touch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import NamedTuple

from postcopy.errors import SpecError
from postcopy.language.machines import Monitor
from postcopy.language.source_locations import place
from postcopy.language.values import PageSet
from postcopy.language.view import Step, View

Answer = bool | PageSet
"""The answer of a property of states or steps."""


class LeadsTo(NamedTuple):
    """A promise, as a state sees it: from a state where `when` holds on, `then` holds sooner or later.

    Attributes:
        when: the promise is made here.
        then: it is kept here, or excused.
    """

    when: bool
    then: bool


class Kind(Enum):
    """The kinds of property."""

    ALWAYS = "always"
    EVERY_STEP = "every step"
    SOMETIMES = "sometimes"
    EVENTUALLY = "eventually"
    NO_DEADLOCK = "no deadlock"


@dataclass(frozen=True)
class Property:
    """One thing that must hold (or, for a witness, must be reachable).

    Attributes:
        name: short, for the command line.
        sentence: the same as a sentence.
        kind: whether it is of states, steps or runs, or a witness.
        holds: the function; of a `View` for states and witnesses, of a `Step` for steps; for what happens in the end
            it answers with a `LeadsTo`, of a `View` and of what `each` names.
        because: why a violation is a contradiction, in the document's words.
        rules: the rules of the document that it stands for.
        monitor: the history that it needs, if any.
        each: ``page`` or ``cpu``, where a promise is made for each of them; both, or neither.
    """

    name: str
    sentence: str
    kind: Kind
    holds: Callable[..., Answer | LeadsTo]
    because: str
    rules: tuple[str, ...] = ()
    monitor: type[Monitor] | None = None
    each: tuple[str, ...] = ()

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

    @property
    def of_runs(self) -> bool:
        """It must hold of every fair run as a whole."""
        return self.kind is Kind.EVENTUALLY

    def promises(self, state: View, **each: object) -> LeadsTo:
        """The answer of a property of runs in a state, for a page or a vCPU where it is asked for each.

        Raises:
            SpecError: it answers something else.
        """
        answer = self.holds(state, **each)
        if not isinstance(answer, LeadsTo):
            code = self.holds.__code__
            raise SpecError(
                f"it answers {answer!r}: what happens in the end is answered with LeadsTo(when=..., then=...)",
                place(code, code.co_firstlineno),
            )
        return answer


def halves(
    prop: Property, given: Callable[[View], dict[str, object]]
) -> tuple[Callable[[View], bool], Callable[[View], bool]]:
    """`when` and `then` of a property of runs as two functions of a state.

    Args:
        prop: the property.
        given: the page and the vCPU that it is asked for in a state.
    """

    @wraps(prop.holds)
    def when(state: View) -> bool:
        return prop.promises(state, **given(state)).when

    @wraps(prop.holds)
    def then(state: View) -> bool:
        return prop.promises(state, **given(state)).then

    return when, then


def of_each_page(holds: Callable[..., object]) -> bool:
    """Whether a property is claimed for every page: its function has a parameter ``page``."""
    return "page" in holds.__code__.co_varnames[: holds.__code__.co_argcount]


def _property(
    kind: Kind, sentence: str, rules: str, monitor: type[Monitor] | None
) -> Callable[[Callable[..., Answer | LeadsTo]], Property]:
    def make(function: Callable[..., Answer | LeadsTo]) -> Property:
        because = " ".join((inspect.getdoc(function) or "").split())
        name = function.__name__.replace("_", "-")
        each = tuple(inspect.signature(function).parameters)[1:] if kind is Kind.EVENTUALLY else ()
        if unknown := [parameter for parameter in each if parameter not in ("page", "cpu")]:
            code = function.__code__
            raise SpecError(
                f"it has a parameter {unknown[0]}: beside the state, `page: Page` and `cpu: Cpu` are possible",
                place(code, code.co_firstlineno),
            )
        return Property(name, sentence, kind, function, because, tuple(rules.split()), monitor, each)

    return make


def conjunct(
    sentence: str, rules: str = "", monitor: type[Monitor] | None = None
) -> Callable[[Callable[..., Answer]], Property]:
    """A conjunct of an invariant: a property of states that helps to prove others.

    Its function may have a second parameter ``page``: then it is claimed for every page. Such a conjunct is for the
    prover alone.
    """
    return _property(Kind.ALWAYS, sentence, rules, monitor)


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


def sometimes(
    sentence: str, rules: str = "", monitor: type[Monitor] | None = None
) -> Callable[[Callable[[View], Answer]], Property]:
    """A witness: a situation that has to be reachable, so that properties that speak of it say something."""
    return _property(Kind.SOMETIMES, sentence, rules, monitor)


def eventually(
    sentence: str, rules: str = "", monitor: type[Monitor] | None = None
) -> Callable[[Callable[..., LeadsTo]], Property]:
    """A property of every fair run: whenever `when` holds, `then` holds at that time or later.

    The function takes the `View`, and `page: Page` or `cpu: Cpu` where it is asked for each page or each vCPU.

    Raises:
        SpecError: the function has another parameter.
    """
    return _property(Kind.EVENTUALLY, sentence, rules, monitor)


NO_DEADLOCK = Property(
    "no-deadlock",
    "Whatever still has to happen, some thread can move",
    Kind.NO_DEADLOCK,
    lambda _: True,
    "Yet something still has to happen, and a step of the environment may never be taken.",
)
"""Asks that some thread can change something wherever `Protocol.may_rest` says that something has to happen."""
