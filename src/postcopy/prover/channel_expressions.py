"""The operators of the unbounded interpretation for channels of any length, beside those of the language.

`Messages` are what is on a channel, as a sequence of any length. `ChannelTruth`, `ChannelNumber`
and `ChannelPages` are what can be asked of them: truth values, numbers and sets of pages. All are closed unions, like
those of the language.

An expression of the language has such operators below it where an action looks at a channel. The language's own types
do not say so, on purpose: the explorer and the exports have no case for them, and get none to see, as only
`UnboundedInterpretation` makes them and only the prover reads what that makes. The functions `as_truth`, `as_number`,
`as_pages` and `as_value` are the only places where an operator of this file is put into an expression of the language.
Code that takes an expression of the prover apart says `Truth`, `Number`, `Pages` or `Operator` for what may be below
it, and `assert_never` at the end, so that mypy lists the operators of both.
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from postcopy.language import expressions as ex
from postcopy.language.expression_nodes import Node, VariableNode, nodes
from postcopy.language.messages import Pattern
from postcopy.language.variables import Sort, Variable


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ChannelNode(Node):
    """A node over the messages on a channel. It is no history, unless it says so.

    Attributes:
        messages: the messages.
    """

    messages: Messages

    def __post_init__(self) -> None:
        self._is_ghost(bool(self.history))

    @property
    def operands(self) -> tuple[Messages | ex.Expr, ...]:
        return (self.messages,)

    def __repr__(self) -> str:
        contents = (repr(getattr(self, name)) for name in self.__match_args__)
        return f"{type(self).__name__}({', '.join(contents)})"


# -- what is on a channel ----------------------------------------------------------------------------------------------


class MessagesNode(Node):
    """A sequence of messages. Which messages there are never depends on history, though they may carry it."""

    __slots__ = ()
    sort = Sort.MESSAGES


class MessagesVariable(MessagesNode, VariableNode):
    """The messages on a channel, before the step."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self.variable.name


class Received(MessagesNode, ChannelNode):
    """The messages without the oldest."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sent(MessagesNode, ChannelNode):
    """The messages and a new one behind them.

    Attributes:
        code: the number of the new one's kind on the channel.
        pages: the pages that it concerns.
        marks: whether it is marked, for each mark of the channel, in their order.
        fields: what it says, for each field of the channel, in their order.
    """

    code: int
    pages: ex.PagesExpr
    marks: tuple[ex.TruthExpr, ...]
    fields: tuple[ex.Value, ...] = ()

    @property
    def operands(self) -> tuple[Messages | ex.Expr, ...]:
        return self.messages, self.pages, *self.marks, *self.fields


class Shortened(MessagesNode, ChannelNode):
    """The messages without the newest, if there is one."""

    __slots__ = ()


class Lost(MessagesNode, ChannelNode):
    """No message: all of the given ones are lost."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Marked(MessagesNode, ChannelNode):
    """The messages, with those marked that are of a kind that carries marks and concern one of the pages."""

    mark: str
    pages: ex.PagesExpr

    @property
    def operands(self) -> tuple[Messages | ex.Expr, ...]:
        return self.messages, self.pages


# -- truth values ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeadIs(ex.Atom, ChannelNode):
    """The oldest message is of a kind. The code 0 stands for none: there is no message."""

    code: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeadMarked(ex.Atom, ChannelNode):
    """The oldest message is marked. Marks are history."""

    mark: str

    @property
    def history(self) -> str:
        return f"{variable_below(self.messages).owner}.{self.mark}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Carries(ex.Atom, ChannelNode):
    """There is a message of the pattern's kind."""

    pattern: Pattern


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HasRoom(ex.Atom, ChannelNode):
    """So many more messages fit: the channel's capacity is any number from 1 on."""

    more: int


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeadNumber(ex.NumberNode, ChannelNode):
    """What the oldest message says in a field that is a number, a choice or a flag, as it is stored."""

    field: str


# -- sets of pages -----------------------------------------------------------------------------------------------------


class HeadPages(ex.PagesNode, ChannelNode):
    """The pages that the oldest message concerns."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeadSet(ex.PagesNode, ChannelNode):
    """What the oldest message says in a field that is a set of pages."""

    field: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InOrder(ex.PagesNode, ChannelNode):
    """The pages that messages of these patterns, one behind the other, concern: see `ObserverEnd.in_order`."""

    patterns: tuple[Pattern, ...]

    @property
    def history(self) -> str:
        marks = {mark for pattern in self.patterns for mark, _ in pattern.marks}
        return ", ".join(f"{variable_below(self.messages).owner}.{mark}" for mark in sorted(marks))


Messages = MessagesVariable | Received | Sent | Shortened | Lost | Marked
ChannelTruth = HeadIs | HeadMarked | Carries | HasRoom
ChannelNumber = HeadNumber
ChannelPages = HeadPages | HeadSet | InOrder

Truth = ex.TruthExpr | ChannelTruth
Number = ex.NumberExpr | ChannelNumber
Pages = ex.PagesExpr | ChannelPages
Operator = ex.Expr | ChannelTruth | ChannelNumber | ChannelPages | Messages
"""Any node below an expression that the unbounded interpretation has made."""


def as_truth(e: ChannelTruth) -> ex.TruthExpr:
    """The truth value, to be put into an expression of the language."""
    return cast(ex.TruthExpr, e)


def as_number(e: ChannelNumber) -> ex.NumberExpr:
    """The number, to be put into an expression of the language."""
    return cast(ex.NumberExpr, e)


def as_pages(e: ChannelPages) -> ex.PagesExpr:
    """The set of pages, to be put into an expression of the language."""
    return cast(ex.PagesExpr, e)


def as_value(e: Messages) -> ex.Value:
    """The messages, as what a step leaves on a channel."""
    return cast(ex.Value, e)


def messages_after(updates: Mapping[Variable, ex.Value | Messages], channel: Variable) -> Messages:
    """What a step leaves on a channel.

    Args:
        updates: of the step.
        channel: the variable for the messages on the channel.

    Raises:
        TypeError: the step gives the variable something else.
    """
    after = updates.get(channel)
    if after is None:
        return MessagesVariable(channel)
    if isinstance(after, MessagesNode):
        return after
    raise TypeError(f"{channel.name} is given {after}, which is no sequence of messages")


def walk(root: ex.Expr | Messages) -> Iterator[Operator]:
    """Every node below and including the root, each once."""
    return cast(Iterator[Operator], nodes(root))


def variable_below(messages: Messages) -> Variable:
    """The variable of the channel that the messages are on."""
    while not isinstance(messages, MessagesVariable):
        messages = messages.messages
    return messages.variable
