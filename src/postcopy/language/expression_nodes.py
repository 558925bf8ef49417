"""Nodes: what all operators of expressions share, whatever their sort. The operators stand in `expressions`."""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from postcopy.language.interning import Interned
from postcopy.language.variables import Sort, Variable


class Node(metaclass=Interned):
    """What all operators share: there is one node for each structure, and it knows whether history is below.

    An operator is a frozen dataclass below this one. It names its operands, and has

    - `operands`: those of them that are expressions, in order;
    - `rebuilt`: the expression built again, and folded, with each operand changed by a function.

    Attributes:
        sort: what it denotes.
        ghost: whether any variable below is a ghost.
    """

    __slots__ = ("__weakref__", "ghost")
    sort: ClassVar[Sort]
    __match_args__: tuple[str, ...] = ()
    ghost: bool

    @property
    @abstractmethod
    def operands(self) -> tuple[Node, ...]:
        """The operands that are expressions, in order."""

    def __post_init__(self) -> None:
        ghost = False
        for operand in self.operands:
            if operand.ghost:
                ghost = True
        self._is_ghost(ghost)

    def _is_ghost(self, ghost: bool) -> None:
        """Note whether history is below; a frozen dataclass has no other way to do so."""
        object.__setattr__(self, "ghost", ghost)

    def __reduce__(self) -> str | tuple[object, ...]:
        return type(self), tuple(getattr(self, name) for name in self.__match_args__)

    @property
    def history(self) -> str:
        """The history that the operator itself asks for, in words; empty where it asks for none."""
        return ""

    def variables(self) -> frozenset[Variable]:
        """All variables below."""
        return frozenset(n.variable for n in nodes(self) if isinstance(n, VariableNode))


class WithoutOperands(Node):
    """A node without operands."""

    __slots__ = ()

    @property
    def operands(self) -> tuple[()]:
        return ()

    def rebuilt(self, change: object) -> Self:  # noqa: ARG002
        return self


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VariableNode(WithoutOperands):
    """The value of a variable before the step."""

    variable: Variable

    def __post_init__(self) -> None:
        self._is_ghost(self.variable.ghost)

    @property
    def history(self) -> str:
        """The ghost's variable, or the mark on a channel, wherever it is on it."""
        return re.sub(r"\[\d+\]", "", self.variable.name) if self.variable.ghost else ""


def nodes(root: Node) -> Iterator[Node]:
    """Every node below and including the root, each once, of whatever union it is."""
    seen: set[Node] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            yield node
            stack.extend(node.operands)
