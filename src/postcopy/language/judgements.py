"""When steps violate properties, each question asked once: what a property does not look at makes no other question.

A property is read on the state after a step, the state before it, and the step's events and action. The state before
it is the same for all steps. So two steps have one answer where those of their new values, events and actions that the
property looks at, on any way through it, are the same. What it looks at is noted while it is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.looks import Looks
from postcopy.language.messages import Event
from postcopy.language.properties import Property
from postcopy.language.symbolic import SymbolicInterpretation, violation
from postcopy.language.trees import Leaf
from postcopy.language.variables import Variable
from postcopy.language.view import Step


@dataclass
class Reads:
    """What a property has looked at.

    Attributes:
        values: variables whose value after the step it has read.
        kinds: the events and messages that it has looked for, by their identity: members of IntEnums equal each other.
        whole: ``action`` and ``events``, where it has looked at the action itself or at the list of all events.
    """

    values: dict[Variable, None] = field(default_factory=dict)
    kinds: dict[int, Enum] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def noting(self, updates: Mapping[Variable, Value]) -> dict[Variable, Value]:
        """New values, of which it is noted which are read."""
        return _NotedValues(updates, self.values)

    def noting_step(self, step: Step) -> Step:
        """A step, of which it is noted what is looked at."""
        return _NotedStep(**vars(step), reads=self)

    def key(self, action: ActionInstance, leaf: Leaf) -> Hashable:
        """What a leaf has of that: leaves with the same have the same answer."""
        every = "events" in self.whole
        events = (e for e in leaf.events if every or id(e.what) in self.kinds)
        return (
            tuple(leaf.updates.get(v) for v in self.values),
            tuple((id(e.what), e.pages, e.channel, e.sent) for e in events),
            action.name if "action" in self.whole else "",
        )


class _NotedValues(dict[Variable, Value]):
    """New values; an interpretation reads them by `get` alone."""

    def __init__(self, updates: Mapping[Variable, Value], read: dict[Variable, None]) -> None:
        super().__init__(updates)
        self._read = read

    def get(self, variable: Variable, default: Any = None) -> Any:  # noqa: ANN401  (as a dict's)
        self._read[variable] = None
        return super().get(variable, default)


@dataclass(eq=False)
class _NotedStep(Step):
    """A step that notes what is looked at."""

    reads: Reads = field(default_factory=Reads)

    def __getattribute__(self, name: str) -> object:
        if name in ("action", "events"):
            object.__getattribute__(self, "reads").whole.add(name)
        return object.__getattribute__(self, name)

    def _seen(self, what: Enum) -> list[Event]:
        self.reads.kinds[id(what)] = what
        events: list[Event] = [e for e in vars(self)["events"] if e.what is what]
        if not self.before.sees_all:
            events = [e for e in events if self.before.concerns(e.channel or self.action.machine)]
        return events


class Judgements:
    """When steps violate properties, at one size.

    Args:
        instance: the protocol at that size, with its monitors. Its properties do not matter.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._answers: dict[Property, list[tuple[Reads, dict[Hashable, tuple[TruthExpr, Looks]]]]] = {}

    def of(self, action: ActionInstance, leaf: Leaf, prop: Property) -> tuple[TruthExpr, Looks]:
        """When a step violates a property of steps, and what that looks at.

        Raises:
            SpecError: see `postcopy.language.symbolic.violation`.
        """
        answers = self._answers.setdefault(prop, [])
        for reads, known in answers:
            found = known.get(reads.key(action, leaf))
            if found is not None:
                return found
        looks, reads = Looks(), Reads()
        answer = violation(self._instance, action, leaf, prop, SymbolicInterpretation, looks, reads), looks
        for others, known in answers:
            if others == reads:
                known[reads.key(action, leaf)] = answer
                return answer
        answers.append((reads, {reads.key(action, leaf): answer}))
        return answer
