"""Steps of a protocol at a size of a few pages, remembered by what they have read.

An action's body is run once for all states in which it reads the same. What it has read, one after the other, is a path
through a tree; at its end stands what the step does, or that a guard forbids it. So a step is looked up in a
fraction of the time that its body takes, and one knows of each step what it depends on and what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias, cast

from postcopy.conformance.qemu.long_run import LongRun
from postcopy.language.actions import ActionInstance
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.instance import Instance
from postcopy.language.messages import Message, Pattern
from postcopy.language.single_run import InFlight
from postcopy.language.values import ConcretePages, PageSet
from postcopy.language.variables import Sort, Variable, stored

InQueue: TypeAlias = tuple[Enum, int, tuple[tuple[str, object], ...]]
"""A message: its kind, its pages as bits, and what else it says."""


class _Pages(NamedTuple):
    """A set of pages that a message names beside its own."""

    bits: int


class State(NamedTuple):
    """A state: the numbers and the sets of pages, stored, and the messages on each channel, oldest first."""

    values: tuple[int, ...]
    queues: tuple[tuple[InQueue, ...], ...]


@dataclass(frozen=True)
class Effect:
    """What a step does.

    Attributes:
        writes: variables, by their numbers, and their new values.
        queues: what happens to channels, in order: ``pop``, ``drop``, ``clear``, or a message that is sent.
        sent: messages that are sent: channel, kind, and pages as bits.
        reads: the variables that it has read, by their numbers.
        hears: channels of which it has read no more than the oldest message.
        looks: channels of which it has read more.
    """

    writes: tuple[tuple[int, int], ...]
    queues: tuple[tuple[int, str | InQueue], ...]
    sent: tuple[tuple[str, str, int], ...]
    reads: frozenset[int]
    hears: frozenset[int]
    looks: frozenset[int]

    def on(self, state: State) -> State:
        """The state after the step."""
        values = state.values
        if self.writes:
            new = list(values)
            for index, value in self.writes:
                new[index] = value
            values = tuple(new)
        if not self.queues:
            return State(values, state.queues)
        queues = list(state.queues)
        for index, what in self.queues:
            queue = queues[index]
            if what == "pop":
                queues[index] = queue[1:]
            elif what == "drop":
                queues[index] = queue[:-1]
            elif what == "clear":
                queues[index] = ()
            else:
                queues[index] = (*queue, cast(InQueue, what))
        return State(values, tuple(queues))


Asked: TypeAlias = tuple[str, int]
"""What a body asks for: a variable, the oldest message of a channel, or all its messages; by number."""
ROOT, VALUE, HEAD, QUEUE = "nothing", "value", "head", "queue"


@dataclass
class _Node:
    """A question, and for each answer what is asked next, or what the step does; None where it is forbidden."""

    question: Asked
    next: dict[object, _Node | Effect | None] = field(default_factory=dict)


class _Watched(LongRun):
    """A run that notes what a step asks for, in order, and what it does to channels."""

    def watch(self, numbers: Mapping[Variable, int], channels: Mapping[str, int]) -> None:
        """Note it by these numbers."""
        self._numbers, self._channels = numbers, channels
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self.asked: dict[Asked, None] = {}
        self.done: list[tuple[int, str | InQueue]] = []
        self.written: set[Variable] = set()

    def load(self, variable: Variable) -> object:
        """The value of a variable."""
        number = self._numbers.get(variable)
        if number is not None and variable not in self.written:
            self.asked[VALUE, number] = None
        return super().load(variable)

    def store(self, variable: Variable, value: object) -> None:
        """Give a variable a new value."""
        super().store(variable, value)
        self.written.add(variable)

    def _look(self, channel: ChannelVariables, *, whole: bool = False) -> None:
        number = self._channels[channel.name]
        if any(index == number for index, _ in self.done):
            whole = True  # the step itself has changed it: all that was on it before counts
        self.asked[QUEUE if whole else HEAD, number] = None

    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        """Whether the oldest message is of this kind."""
        self._look(channel)
        return super().head_is(channel, kind)

    def head(self, channel: ChannelVariables) -> Message:
        """The oldest message."""
        self._look(channel)
        return super().head(channel)

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        """Whether a message of this kind is on the channel."""
        self._look(channel, whole=True)
        return super().carries(channel, kind)

    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        """The pages for which there is a message for each pattern, one behind the other."""
        self._look(channel, whole=True)
        return super().in_order(channel, patterns)

    def pop(self, channel: ChannelVariables) -> None:
        """Take the oldest message off."""
        super().pop(channel)
        self.done.append((self._channels[channel.name], "pop"))

    def drop_newest(self, channel: ChannelVariables) -> None:
        """The newest message is lost."""
        super().drop_newest(channel)
        self.done.append((self._channels[channel.name], "drop"))

    def clear(self, channel: ChannelVariables) -> None:
        """All messages are lost."""
        super().clear(channel)
        self.done.append((self._channels[channel.name], "clear"))

    def send(
        self,
        channel: ChannelVariables,
        kind: Enum,
        pages: PageSet,
        marks: Mapping[str, PageSet],
        fields: Mapping[str, object],
    ) -> None:
        """Append a message."""
        super().send(channel, kind, pages, marks, fields)
        self.done.append((self._channels[channel.name], _message(self.queues[channel.name][-1])))

    def be(self, state: State, variables: Sequence[Variable]) -> None:
        """Be in a state."""
        for variable, value in zip(variables, state.values, strict=True):
            pages = variable.sort is Sort.PAGES
            self._values[variable] = self.set_of(value) if pages else variable.decode(value)
        for (_, queue), messages in zip(self.queues.items(), state.queues, strict=True):
            queue.clear()
            queue.extend(
                InFlight(kind, self.set_of(bits), frozenset(), self._said(said)) for kind, bits, said in messages
            )

    def _said(self, said: Sequence[tuple[str, object]]) -> dict[str, object]:
        return {name: self.set_of(its.bits) if isinstance(its, _Pages) else its for name, its in said}

    def stored(self, variable: Variable) -> int:
        """The value of a variable, as a state has it."""
        return _stored(variable, self._values[variable])

    def now(self, variables: Sequence[Variable]) -> State:
        """The state."""
        values = tuple(_stored(variable, self._values[variable]) for variable in variables)
        return State(values, tuple(tuple(map(_message, queue)) for queue in self.queues.values()))


def _stored(variable: Variable, value: object) -> int:
    return cast(ConcretePages, value).bits if variable.sort is Sort.PAGES else stored(variable, value)


def _message(message: InFlight) -> InQueue:
    said = ((name, _Pages(its.bits) if isinstance(its, ConcretePages) else its) for name, its in message.fields.items())
    return message.kind, message.pages.bits, tuple(said)


class Steps:
    """The steps of a protocol.

    Args:
        instance: the protocol; its own size does not matter.
        pages: how many pages there are; each is a host page of its own.
        given: values of the fields that may be either at the start.
        failing: the hosts that are known to give up.

    Attributes:
        variables: those of a state, by number.
        start: the first state.
    """

    def __init__(
        self, instance: Instance, pages: int, given: dict[str, bool], failing: frozenset[str] = frozenset()
    ) -> None:
        slots = {v for channel in instance.channels.values() for slot in channel.slots for v in slot.variables}
        self.variables = [v for v in instance.variables if not v.ghost and v not in slots]
        self.number = {variable: n for n, variable in enumerate(self.variables)}
        self.channels = {name: n for n, name in enumerate(instance.channels)}
        self._run = _Watched(instance, pages, 1, given, failing)
        self._run.watch(self.number, self.channels)
        self._trees: dict[tuple[str, int], _Node] = {}
        self.start = self._run.now(self.variables)

    def take(self, state: State, action: ActionInstance, pages: int = 0) -> Effect | None:
        """What an action does in a state; None where it is forbidden."""
        node: _Node | Effect | None = self._trees.setdefault((action.name, pages), _Node((ROOT, 0)))
        while isinstance(node, _Node):
            answer = _answer(state, node.question)
            if answer not in node.next:
                return self._learn(state, action, pages)
            node = node.next[answer]
        return node

    def _learn(self, state: State, action: ActionInstance, pages: int) -> Effect | None:
        """Run the body, and note what it has read and done."""
        run = self._run
        run.be(state, self.variables)
        run.begin()
        effect = None if run.step(action, pages) is not None else self._effect()
        run.settle()
        node, answer = self._trees[action.name, pages], None
        for question in run.asked:
            node = cast(_Node, node.next.setdefault(answer, _Node(question)))
            answer = _answer(state, question)
        node.next[answer] = effect
        return effect

    def _effect(self) -> Effect:
        run = self._run
        writes = tuple((self.number[v], run.stored(v)) for v in run.written if v in self.number)
        sent = tuple(
            (e.channel, e.what.name, cast(ConcretePages, e.pages).bits) for e in run.events if e.channel and e.sent
        )
        of = {what: frozenset(n for kind, n in run.asked if kind == what) for what in (VALUE, HEAD, QUEUE)}
        return Effect(writes, tuple(run.done), sent, of[VALUE], of[HEAD], of[QUEUE])


def _answer(state: State, question: Asked) -> object:
    what, number = question
    if what == ROOT:
        return None
    if what == VALUE:
        return state.values[number]
    queue = state.queues[number]
    return queue if what == QUEUE else queue[0] if queue else None
