"""What the labels of a kernel's steps mean, and which bits stand for which properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from postcopy.errors import SpecError
from postcopy.explorer.kernel.calling_convention import (
    MAX_STEP_PROPERTIES,
    REST_BIT,
    check_number,
    failed,
    leaf_number,
    lowest,
    stays,
    violations,
)
from postcopy.language.instance import Instance
from postcopy.language.program import Program
from postcopy.language.properties import Kind, Property
from postcopy.language.step_errors import violated_by_error
from postcopy.language.trees import Leaf, leaves


class Meaning(NamedTuple):
    """What a label says of a step.

    Attributes:
        leaf: the number of the leaf taken.
        action: the index of its action.
        stays: the step changes nothing.
        violated: the properties of steps that it violates, as bits.
        failed: a check of the specification failed.
    """

    leaf: int
    action: int
    stays: bool
    violated: int
    failed: bool


class Labels(dict[int, Meaning]):
    """The numbers of a program's leaves and checks, and the meaning of every label: ``labels[label]``.

    There are few different labels: each is taken apart once.

    Attributes:
        leaves: the leaves by their numbers.
        action_of: for each leaf's number, the index of its action.
    """

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.leaves: list[Leaf] = []
        self.action_of: list[int] = []
        self._checks: list[tuple[str, str, int]] = []
        self._numbers: dict[int, tuple[int, int]] = {}
        for index, (_, tree) in enumerate(program.actions):
            for leaf in leaves(tree):
                number = len(self.action_of)
                self._numbers[id(leaf)] = (number, len(self._checks))
                self._checks += [(message, place, number) for _, message, place in leaf.checks]
                self.leaves.append(leaf)
                self.action_of.append(index)

    def leaf(self, leaf: Leaf) -> int:
        """The number of a leaf."""
        return self._numbers[id(leaf)][0]

    def failure(self, leaf: Leaf, check: int) -> int:
        """The label that says that a leaf's check failed."""
        return -1 - self._numbers[id(leaf)][1] - check

    def error(self, label: int) -> SpecError:
        """The error in the specification that a label of a failed check stands for."""
        message, place, _ = self._checks[check_number(label)]
        return SpecError(message, place)

    def violated_by_error(self, label: int) -> Property:
        """The property that a step with the label of a failed check violates."""
        return violated_by_error(self._checks[check_number(label)][0])

    def __missing__(self, label: int) -> Meaning:
        if failed(label):
            leaf = self._checks[check_number(label)][2]
            self[label] = Meaning(leaf, self.action_of[leaf], False, 0, True)
        else:
            leaf = leaf_number(label)
            self[label] = Meaning(leaf, self.action_of[leaf], stays(label), violations(label), False)
        return self[label]


@dataclass(frozen=True)
class PropertyBits:
    """Which bits stand for which properties, in labels and in what `examine` says.

    Attributes:
        properties: those of the instance; in a label property i has bit i.
        seen: those of states and the witnesses; in what `examine` says the one at i has bit i.
        states: bits of the properties of states, in what `examine` says.
        steps: bits of the properties of steps, in a label.
        witnesses: bits of the witnesses, in what `examine` says.
        deadlock: the absence of deadlock, where it is asked for.
    """

    properties: Sequence[Property]
    seen: Sequence[Property]
    states: int
    steps: int
    witnesses: int
    deadlock: Property | None

    @classmethod
    def of(cls, instance: Instance) -> PropertyBits:
        """The bits of an instance's properties.

        Raises:
            SpecError: there are more than a label or a state's examination has room for.
        """
        of_steps = max((i for i, p in enumerate(instance.properties, 1) if p.of_steps), default=0)
        seen = [p for p in instance.properties if p.of_states or p.is_witness]
        if of_steps > MAX_STEP_PROPERTIES or len(seen) > REST_BIT:
            raise SpecError(
                f"too many properties at once: {len(seen)} of states and witnesses (at most {REST_BIT}), and "
                f"properties of steps among the first {MAX_STEP_PROPERTIES}",
                instance.protocol.__name__,
            )
        return cls(
            instance.properties,
            seen,
            sum(1 << i for i, p in enumerate(seen) if p.of_states),
            sum(1 << i for i, p in enumerate(instance.properties) if p.of_steps),
            sum(1 << i for i, p in enumerate(seen) if p.is_witness),
            next((p for p in instance.properties if p.kind is Kind.NO_DEADLOCK), None),
        )

    def of_state(self, bits: int) -> Property:
        """The first of some properties of states or witnesses, by the bits of `examine`; there has to be one."""
        return self.seen[lowest(bits)]

    def of_step(self, bits: int) -> Property:
        """The first of some properties of steps, by the bits of a label; there has to be one."""
        return self.properties[lowest(bits)]
