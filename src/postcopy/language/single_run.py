"""The protocol's own text, run at the size of a real migration: any number of pages, any number of messages in flight.

It is a third interpretation beside the concrete and the symbolic one, for one long run instead of many small states. A
set of pages is one large number, a channel is a queue, and a step that a guard forbids is undone.
"""

from __future__ import annotations

import linecache
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import cast

from postcopy.errors import SpecError
from postcopy.language.actions import ActionInstance
from postcopy.language.body_errors import Disabled, LocatingErrors, MessageMissing
from postcopy.language.calls import call
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.concrete import ConcreteInterpretation
from postcopy.language.extended_members import as_bodies_see, plain
from postcopy.language.instance import Instance
from postcopy.language.interpretation import Interpretation
from postcopy.language.machines import Machine
from postcopy.language.messages import Carried, Marks, Message, Pattern
from postcopy.language.source_locations import foreign
from postcopy.language.values import NONE, ConcretePages, PageSet, Whole
from postcopy.language.variables import Sort, Variable, stored
from postcopy.language.view import View


@dataclass(frozen=True, slots=True, eq=False)
class ManyPages(ConcretePages):
    """A set of pages of a large guest."""

    def _new(self, bits: int) -> ManyPages:
        return ManyPages(bits, self.pages, self.group, self.fine)


@dataclass(frozen=True)
class InFlight:
    """A message on a channel."""

    kind: Enum
    pages: ManyPages
    marks: frozenset[str] = frozenset()
    fields: Mapping[str, object] = field(default_factory=dict)


class SingleRun(Interpretation):
    """One state of a protocol at any size, changed step by step.

    Args:
        instance: the protocol; its own size does not matter.
        pages: how many target pages there are.
        group: target pages of one host page.
        given: values of the fields that may be either at the start.
    """

    instance: Instance

    def __init__(self, instance: Instance, pages: int, group: int, given: dict[str, bool]) -> None:
        super().__init__(instance)
        self.size, self.group = pages, group
        start = ConcreteInterpretation(instance, instance.initial_states()[0])
        self._values: dict[Variable, object] = {}
        for variable in instance.variables:
            value = plain(variable, start.load(variable))
            if variable.sort is Sort.PAGES:
                value = self.pages(NONE) if cast(PageSet, value).empty else ~self.pages(NONE)
            self._values[variable] = given.get(variable.name, value)
        self.queues: dict[str, deque[InFlight]] = {name: deque() for name in instance.channels}
        self._undo: list[Callable[[], object]] = []

    # -- what bodies ask for ------------------------------------------------------------------------------------

    def load(self, variable: Variable) -> object:
        """The value of a variable."""
        return as_bodies_see(variable, self._values[variable])

    def store(self, variable: Variable, value: object) -> None:
        """Give a variable a new value."""
        before = self._values[variable]
        self._undo.append(lambda: self._values.__setitem__(variable, before))
        pages = variable.sort is Sort.PAGES
        self._values[variable] = self.page_set(cast(PageSet, value)) if pages else plain(variable, value)

    def demand(self, condition: bool, message: str) -> None:
        """An error, at once."""
        if not condition:
            raise SpecError(message, self.where())

    def pages(self, what: Whole) -> ManyPages:
        """No page, or all."""
        return self.set_of(0 if what is NONE else (1 << self.size) - 1)

    def set_of(self, bits: int) -> ManyPages:
        """The pages whose bits are set."""
        small = None if self.instance.fine is None else self._values.get(self.instance.fine)
        return ManyPages(bits, self.size, self.group, cast(ManyPages, small).bits if small is not None else 0)

    def room(self, channel: ChannelVariables, messages: int) -> bool:  # noqa: ARG002
        """Always: the room of a real connection is not counted in messages."""
        return True

    def send(
        self,
        channel: ChannelVariables,
        kind: Enum,
        pages: PageSet,
        marks: Mapping[str, PageSet],
        fields: Mapping[str, object],
    ) -> None:
        """Append a message."""
        queue = self.queues[channel.name]
        marked = frozenset(name for name, stale in marks.items() if not (stale & pages).empty)
        sets = {name for name, its in channel.fields.items() if its.sort is Sort.PAGES}
        given = {name: self.page_set(cast(PageSet, its)) if name in sets else its for name, its in fields.items()}
        queue.append(InFlight(kind, cast(ManyPages, pages), marked, given))
        self._undo.append(queue.pop)

    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        """Whether the oldest message is of this kind."""
        queue = self.queues[channel.name]
        return (queue[0].kind is kind) if queue else kind is None

    def head(self, channel: ChannelVariables) -> Message:
        """The oldest message."""
        head = self.queues[channel.name][0]
        none = self.pages(NONE)
        names = channel.slots[0].marks
        marks = Marks({name: head.pages if name in head.marks else none for name in names})
        return Message(head.pages, marks, Carried(head.fields))

    def pop(self, channel: ChannelVariables) -> None:
        """Take the oldest message off."""
        queue = self.queues[channel.name]
        head = queue.popleft()
        self._undo.append(lambda: queue.appendleft(head))

    def drop_newest(self, channel: ChannelVariables) -> None:
        """The newest message is lost."""
        queue = self.queues[channel.name]
        newest = queue.pop()
        self._undo.append(lambda: queue.append(newest))

    def clear(self, channel: ChannelVariables) -> None:
        """All messages are lost."""
        queue = self.queues[channel.name]
        before = list(queue)
        queue.clear()
        self._undo.append(lambda: queue.extend(before))

    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        """The pages for which there is a message for each pattern, one behind the other."""
        every = (1 << self.size) - 1
        found = [every, *(0 for _ in patterns)]  # for how many patterns from the first on, the pages found so far
        for message in self.queues[channel.name]:
            for n in reversed(range(len(patterns))):  # from the last on: a message stands for one pattern only
                if found[n] and _matches(channel, message, patterns[n]):
                    found[n + 1] |= found[n] & (self._asked_for(message, patterns[n]) if patterns[n].about else every)
        return self.set_of(found[-1])

    @staticmethod
    def _asked_for(message: InFlight, pattern: Pattern) -> int:
        return cast(ManyPages, pattern.of(message.pages)).bits if pattern.part else message.pages.bits

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        """Whether a message of this kind is on the channel."""
        return any(message.kind is kind for message in self.queues[channel.name])

    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        """Mark every message that concerns one of the pages."""
        queue = self.queues[channel.name]
        bits = cast(ManyPages, pages).bits
        for index, message in enumerate(queue):
            if channel.marks_copies(message.kind) and mark not in message.marks and message.pages.bits & bits:
                queue[index] = replace(message, marks=message.marks | {mark})
                self._undo.append(partial(queue.__setitem__, index, message))

    def become(self, other: ConcreteInterpretation) -> None:
        """Take over the state of another interpretation of the same size."""
        for variable in self._values:
            self._values[variable] = self._taken_over(other, variable)
        for name, channel in self.instance.channels.items():
            self.queues[name] = deque(
                InFlight(
                    cast(Enum, kind),
                    self.set_of(cast(ConcretePages, other.load(slot.pages)).bits),
                    fields={name: self._taken_over(other, its) for name, its in slot.fields.items()},
                )
                for slot in channel.slots
                if (kind := other.load(slot.kind)) is not None
            )

    def _taken_over(self, other: ConcreteInterpretation, variable: Variable) -> object:
        """The value that a variable has in another interpretation of the same size."""
        value = plain(variable, other.load(variable))
        return self.set_of(cast(ConcretePages, value).bits) if variable.sort is Sort.PAGES else value

    # -- steps ------------------------------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """The state, by attribute."""
        return View(self)

    def take(self, action: ActionInstance, pages: int = 0, other: int = 0) -> Forbidden | None:
        """Take an action, or say which guard forbids it; then nothing has changed.

        Args:
            action: the action.
            pages: bits of its page parameter; several pages stand for the action on each of them in turn, which is the
                same for an action that treats them alike.
            other: bits of its second page parameter.
        """
        machine = self.instance.machines[action.machine]
        self._undo, self.events = [], []
        with LocatingErrors(action.name, action.method):
            try:
                call(self, machine, action, [self.set_of(pages), self.set_of(other)])
            except Disabled as disabled:
                self._take_back()
                return _guard(machine, action, disabled)
        return None

    def could(self, action: ActionInstance, pages: int = 0, other: int = 0) -> bool:
        """Whether an action can be taken; nothing changes."""
        possible = self.take(action, pages, other) is None
        if possible:
            self._take_back()
        return possible

    def _take_back(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo = []


@dataclass(frozen=True)
class Forbidden:
    """Why an action cannot be taken.

    Attributes:
        action: its name.
        where: file and line of the guard that does not hold.
        guard: that line.
        waits_for: the channel whose oldest message the guard asks for, where it asks for one.
    """

    action: str
    where: str
    guard: str
    waits_for: str = ""


def _matches(channel: ChannelVariables, message: InFlight, pattern: Pattern) -> bool:
    fields = channel.fields
    return (
        message.kind is pattern.kind
        and all((name in message.marks) is want for name, want in pattern.marks)
        and all(stored(fields[name], message.fields[name]) == want for name, want in pattern.fields)
    )


def _guard(machine: type[Machine], action: ActionInstance, disabled: Disabled) -> Forbidden:
    code = getattr(machine, action.method).__code__
    found = (code.co_filename, code.co_firstlineno)  # where `at` is written, for a thread at another place
    traceback = disabled.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not foreign(code.co_filename):
            found = (code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    name, line = found
    text = linecache.getline(name, line).strip()
    waits_for = disabled.channel if isinstance(disabled, MessageMissing) else ""
    return Forbidden(action.name, f"{name.rsplit('/', 1)[-1]}:{line}", text, waits_for)
