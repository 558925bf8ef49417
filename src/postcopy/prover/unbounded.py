"""The third interpretation of the action methods: channels are sequences of any length, not slots.

It is the symbolic interpretation with another idea of a channel. The expressions have one variable for what is on a
channel (`Sort.MESSAGES`) and these operators on it:

    received(m)                        m without its oldest message
    sent(m, kind, pages, *marks)       m with one more message
    shortened(m)                       m without its newest message, if it has one
    lost(m)                            no message
    marked(m, mark, pages)             m, marked where a message of a marked kind concerns one of the pages
    head_is(m, kind), head_pages(m), head_marked(m, mark)    of the oldest message
    room(m, n)                         whether n more fit: the capacity is any number from 1 on
    in_order(m, *patterns)             the pages of such messages: see `ObserverEnd.in_order`
    carries(m, pattern)                whether there is such a message

What they mean to z3 stands in `postcopy.prover.formulas`.
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from enum import Enum
from typing import cast

from postcopy.errors import SpecError
from postcopy.language import expressions as ex
from postcopy.language.channels import ChannelVariables
from postcopy.language.expressions import Expr, Sort, Variable
from postcopy.language.fields import EITHER
from postcopy.language.instance import Instance
from postcopy.language.messages import Marks, Message, Pattern
from postcopy.language.symbolic import SymbolicInterpretation, SymbolicPages, SymbolicTruth
from postcopy.language.values import ALL, NONE, PageSet

MOST = 8
"""Messages that one step may ask room for."""


def messages_of(channel: ChannelVariables) -> Variable:
    """The variable for all that is on a channel."""
    return Variable(f"{channel.name}.messages", channel.name, Sort.MESSAGES, doc=f"the messages on {channel.name}")


def _messages(op: str, *args: object) -> Expr:
    """Which messages there are never depends on history, though they carry it."""
    made = Expr(op, args, Sort.MESSAGES)
    made.ghost = False
    return made


class UnboundedInterpretation(SymbolicInterpretation):
    """One run of a body, with channels of any length."""

    def _on(self, channel: ChannelVariables) -> Expr:
        return self.value(messages_of(channel))

    def _change(self, channel: ChannelVariables, op: str, *args: object) -> None:
        self._assign(messages_of(channel), _messages(op, self._on(channel), *args))

    def room(self, channel: ChannelVariables, messages: int) -> bool:
        return cast(bool, SymbolicTruth(self, self._fits(channel, messages)))

    def _fits(self, channel: ChannelVariables, messages: int) -> Expr:
        """Room for that many messages, said of the channel before those that this step has sent."""
        base = self._on(channel)
        while base.op in ("sent", "marked"):
            messages += base.op == "sent"
            base = base.operands[0]
        return Expr("room", (base, messages), Sort.TRUTH)

    def send(self, channel: ChannelVariables, kind: Enum, pages: PageSet, marks: dict[str, PageSet]) -> None:
        if not any(self.path.implied(self._fits(channel, n)) for n in range(1, MOST)):
            raise SpecError(f"{channel.name} may be full here: require room() before sending {kind.name}", self.where())
        concerned = self.set_of(pages)
        carried = []
        for name in channel.slots[0].marks:
            shared = ex.intersection(self.set_of(marks.get(name, NONE)), concerned)
            carried.append(ex.negation(ex.is_empty(shared)))
        self._change(channel, "sent", channel.code(kind), concerned, *carried)

    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        code = 0 if kind is None else channel.code(kind)
        return cast(bool, SymbolicTruth(self, Expr("head_is", (self._on(channel), code), Sort.TRUTH)))

    def pop(self, channel: ChannelVariables) -> Message:
        before = self._on(channel)
        pages = Expr("head_pages", (before,), Sort.PAGES)
        marked = {}
        for name in channel.slots[0].marks:
            is_marked = Expr("head_marked", (before, name), Sort.TRUTH)
            is_marked.ghost = True
            marked[name] = SymbolicPages(self, ex.choose(is_marked, pages, ex.EMPTY_SET))
        self._change(channel, "received")
        return Message(SymbolicPages(self, pages), Marks(marked))

    def drop_newest(self, channel: ChannelVariables) -> None:
        self._change(channel, "shortened")

    def clear(self, channel: ChannelVariables) -> None:
        self._change(channel, "lost")

    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        found = Expr("in_order", (self._on(channel), *patterns), Sort.PAGES)
        found.ghost = any(pattern.marks for pattern in patterns)
        return SymbolicPages(self, found)

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        return cast(bool, SymbolicTruth(self, Expr("carries", (self._on(channel), Pattern(kind)), Sort.TRUTH)))

    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        self._change(channel, "marked", mark, self.set_of(pages))


def initially(instance: Instance) -> dict[Variable, Expr]:
    """What the variables start as: values in the place of updates. Those that start as `EITHER` keep theirs."""
    start: dict[Variable, Expr] = {}
    for variable, value in instance.initial_values():
        if value is not EITHER:
            stored = instance.encode(variable, value)
            whole = ex.FULL_SET if value is ALL else ex.EMPTY_SET
            start[variable] = whole if variable.sort is Sort.PAGES else ex.number(stored)
    for channel in instance.channels.values():
        every = messages_of(channel)
        start[every] = _messages("lost", ex.variable(every))
    return start
