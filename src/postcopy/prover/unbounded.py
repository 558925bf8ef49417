"""The third interpretation of the action methods: channels are sequences of any length, not slots.

It is the symbolic interpretation with another idea of a channel. The expressions have one variable for all that is on
a channel (`Sort.MESSAGES`), and the operators of `postcopy.prover.channel_expressions` on it. What these mean to z3
stands in `postcopy.prover.formulas`.
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import cast

from postcopy.language import expressions as ex
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.fields import EITHER
from postcopy.language.instance import Instance
from postcopy.language.messages import Carried, Marks, Message, Pattern
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.step_errors import no_room
from postcopy.language.symbolic import SymbolicInterpretation
from postcopy.language.symbolic_values import SymbolicPages, SymbolicTruth
from postcopy.language.values import ALL, NONE, PageSet
from postcopy.language.variables import Sort, Variable
from postcopy.prover.channel_expressions import (
    Carries,
    HasRoom,
    HeadIs,
    HeadMarked,
    HeadNumber,
    HeadPages,
    HeadSet,
    InOrder,
    Lost,
    Marked,
    Messages,
    MessagesVariable,
    Received,
    Sent,
    Shortened,
    as_number,
    as_pages,
    as_truth,
    as_value,
    messages_after,
)

MOST = 8
"""Messages that one step may ask room for."""


def messages_of(channel: ChannelVariables) -> Variable:
    """The variable for all that is on a channel."""
    return Variable(f"{channel.name}.messages", channel.name, Sort.MESSAGES, doc=f"the messages on {channel.name}")


class UnboundedInterpretation(SymbolicInterpretation):
    """One run of a body, with channels of any length."""

    def _on(self, channel: ChannelVariables) -> Messages:
        return messages_after(self.updates, messages_of(channel))

    def _leave(self, channel: ChannelVariables, messages: Messages) -> None:
        self._assign(messages_of(channel), as_value(messages))

    def room(self, channel: ChannelVariables, messages: int) -> bool:
        return cast(bool, SymbolicTruth(self, self._fits(channel, messages)))

    def _fits(self, channel: ChannelVariables, messages: int) -> TruthExpr:
        """Room for that many messages, said of the channel before those that this step has sent."""
        base, sent = self._before_sending(channel)
        return as_truth(HasRoom(base, messages + sent))

    def _before_sending(self, channel: ChannelVariables) -> tuple[Messages, int]:
        """The channel before the messages that this step has sent, and how many these are."""
        base, sent = self._on(channel), 0
        while isinstance(base, Sent | Marked):
            sent += isinstance(base, Sent)
            base = base.messages
        return base, sent

    def send(
        self,
        channel: ChannelVariables,
        kind: Enum,
        pages: PageSet,
        marks: Mapping[str, PageSet],
        fields: Mapping[str, object],
    ) -> None:
        if not any(self.path.implied(self._fits(channel, n)) for n in range(1, MOST)):
            self.lacks_room(
                self._fits(channel, 1), no_room(channel.name, kind.name, 1 + self._before_sending(channel)[1])
            )
        concerned = self.sent_pages(channel, kind, pages)
        carried: list[TruthExpr] = []
        for name in channel.slots[0].marks:
            shared = ex.intersection(self.set_of(marks.get(name, NONE)), concerned)
            carried.append(ex.negation(ex.is_empty(shared)))
        given = tuple(self.field_of(channel, kind, name, value) for name, value in fields.items())
        self._leave(channel, Sent(self._on(channel), channel.code(kind), concerned, tuple(carried), given))

    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        code = 0 if kind is None else channel.code(kind)
        return cast(bool, SymbolicTruth(self, as_truth(HeadIs(self._on(channel), code))))

    def head(self, channel: ChannelVariables) -> Message:
        before = self._on(channel)
        pages = as_pages(HeadPages(before))
        marked = {}
        for name in channel.slots[0].marks:
            is_marked = as_truth(HeadMarked(before, name))
            marked[name] = SymbolicPages(self, ex.choose(is_marked, pages, ex.EMPTY_SET))
        carried: dict[str, object] = {}
        for name, variable in channel.fields.items():
            if variable.sort is Sort.PAGES:
                carried[name] = SymbolicPages(self, as_pages(HeadSet(before, name)))
            else:
                carried[name] = self.value_of(variable, as_number(HeadNumber(before, name)))
        return Message(SymbolicPages(self, pages), Marks(marked), Carried(carried))

    def pop(self, channel: ChannelVariables) -> None:
        self._leave(channel, Received(self._on(channel)))

    def drop_newest(self, channel: ChannelVariables) -> None:
        self._leave(channel, Shortened(self._on(channel)))

    def clear(self, channel: ChannelVariables) -> None:
        self._leave(channel, Lost(self._on(channel)))

    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        found = as_pages(InOrder(self._on(channel), patterns))
        if self.instance.fine is not None and any(pattern.part for pattern in patterns):  # its pages have no parts
            found = ex.intersection(found, ex.set_complement(self.pages_in(self.instance.fine)))
        return SymbolicPages(self, found)

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        return cast(bool, SymbolicTruth(self, as_truth(Carries(self._on(channel), Pattern(kind)))))

    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        self._leave(channel, Marked(self._on(channel), mark, self.set_of(pages)))


def instance_of_any_size(
    protocol: type[Protocol], properties: Sequence[Property], invariant: Sequence[Property]
) -> Instance:
    """An instance to read the protocol from: host pages are not single pages in it, and its size does not matter."""
    watching = [c.monitor for c in invariant if c.monitor is not None]
    return Instance(protocol, 2, 1, properties, 2, watching)


def initially(instance: Instance) -> dict[Variable, Value]:
    """What the variables start as: values in the place of updates. Those that start as `EITHER` keep theirs."""
    start: dict[Variable, Value] = {}
    for variable, value in instance.initial_values():
        if value is not EITHER:
            stored = instance.encode(variable, value)
            whole = ex.FULL_SET if value is ALL else ex.EMPTY_SET
            start[variable] = whole if variable.sort is Sort.PAGES else ex.number(stored)
    for channel in instance.channels.values():
        every = messages_of(channel)
        start[every] = as_value(Lost(MessagesVariable(every)))
    return start
