"""The concrete interpretation: an action's body, run as plain Python on one state. Slow and obvious: the reference.

Traces are made with it, and the compiled interpretation is held against it.
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import cast

from postcopy.errors import NoRoomError, SpecError
from postcopy.language.actions import ActionInstance, PageChoice, numbers_of
from postcopy.language.body_errors import Disabled, LocatingErrors, with_caller
from postcopy.language.calls import call
from postcopy.language.channel_variables import ChannelVariables, Slot
from postcopy.language.extended_members import as_bodies_see, plain
from postcopy.language.instance import Instance, State
from postcopy.language.interpretation import Interpretation
from postcopy.language.machines import let_watch
from postcopy.language.messages import Carried, Event, Marks, Message, Pattern
from postcopy.language.properties import of_each_page
from postcopy.language.step_errors import no_room, out_of_range, violated_by_error
from postcopy.language.values import ALL, NONE, ConcretePages, PageSet, Whole
from postcopy.language.variables import Sort, Variable
from postcopy.language.view import Step, View


class ConcreteInterpretation(Interpretation):
    """A state that method bodies can be run on.

    Attributes:
        values: the state's stored numbers, changed in place.
        failed: errors that count only if no later guard forbids the step.
    """

    instance: Instance

    def __init__(self, instance: Instance, state: State) -> None:
        super().__init__(instance)
        self.values = list(state)
        self.failed: list[SpecError] = []

    def load(self, variable: Variable) -> object:
        stored = self.values[self.instance.index[variable]]
        return self.set_of(stored) if variable.sort is Sort.PAGES else as_bodies_see(variable, variable.decode(stored))

    def set_of(self, bits: int) -> ConcretePages:
        """The pages whose bits are set."""
        instance = self.instance
        fine = 0 if instance.fine is None else self.values[instance.index[instance.fine]]
        return ConcretePages(bits, instance.pages, instance.group, fine)

    def store(self, variable: Variable, value: object) -> None:
        self.values[self.instance.index[variable]] = self._encode(variable, value)

    def _encode(self, variable: Variable, value: object) -> int:
        if variable.sort is Sort.PAGES:
            return cast(ConcretePages, self.page_set(cast(PageSet | Whole, value))).bits
        try:
            stored = self.instance.encode(variable, plain(variable, value))
        except ValueError:
            raise SpecError(
                f"{variable.name} is given {value!r}, which is not a {variable.kind}", self.where()
            ) from None
        if not 0 <= stored < variable.size:
            self.failed.append(SpecError(out_of_range(variable), self.where()))
        return stored

    def demand(self, condition: bool, message: str) -> None:
        if not condition:
            self.failed.append(SpecError(message, self.where()))

    def pages(self, what: Whole) -> ConcretePages:
        return self.set_of(0 if what is NONE else (1 << self.instance.pages) - 1)

    def _kinds(self, channel: ChannelVariables) -> list[object]:
        return [self.load(slot.kind) for slot in channel.slots]

    def room(self, channel: ChannelVariables, messages: int) -> bool:
        return self._kinds(channel).count(None) >= messages

    def send(
        self,
        channel: ChannelVariables,
        kind: Enum,
        pages: PageSet,
        marks: Mapping[str, PageSet],
        fields: Mapping[str, object],
    ) -> None:
        if not self.room(channel, 1):
            sent = sum(event.sent and event.channel == channel.name for event in self.events)
            self.failed.append(NoRoomError(no_room(channel.name, kind.name, 1 + sent), self.where()))
            return
        slot = channel.slots[self._kinds(channel).index(None)]
        self.store(slot.kind, kind)
        self.store(slot.pages, pages)
        for name, mark in slot.marks.items():
            self.store(mark, name in marks and not (marks[name] & pages).empty)
        for name, field in slot.fields.items():
            self.values[self.instance.index[field]] = self._encode(channel.fields[name], fields[name])

    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        return self._kinds(channel)[0] is kind

    def head(self, channel: ChannelVariables) -> Message:
        first = channel.slots[0]
        pages = cast(PageSet, self.load(first.pages))
        none = self.pages(NONE)
        marks = Marks({name: pages if self.load(m) else none for name, m in first.marks.items()})
        return Message(pages, marks, Carried({name: self.load(field) for name, field in first.fields.items()}))

    def pop(self, channel: ChannelVariables) -> None:
        for here, following in zip(channel.slots, channel.slots[1:], strict=False):
            for to, of in zip(here.variables, following.variables, strict=True):
                self.values[self.instance.index[to]] = self.values[self.instance.index[of]]
        self._clear(channel, -1)

    def _clear(self, channel: ChannelVariables, index: int) -> None:
        for variable in channel.slots[index].variables:
            self.values[self.instance.index[variable]] = 0

    def drop_newest(self, channel: ChannelVariables) -> None:
        occupied = len(channel.slots) - self._kinds(channel).count(None)
        if occupied:
            self._clear(channel, occupied - 1)

    def clear(self, channel: ChannelVariables) -> None:
        for index in range(len(channel.slots)):
            self._clear(channel, index)

    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        result: PageSet = self.pages(NONE)
        for slots in combinations(channel.slots, len(patterns)):
            if all(self._matches(slot, pattern) for slot, pattern in zip(slots, patterns, strict=True)):
                common: PageSet = self.pages(ALL)
                for slot, pattern in zip(slots, patterns, strict=True):
                    common = common & pattern.of(cast(PageSet, self.load(slot.pages))) if pattern.about else common
                result = result | common
        return result

    def _matches(self, slot: Slot, pattern: Pattern) -> bool:
        if self.load(slot.kind) is not pattern.kind:
            return False
        if any(self.load(slot.marks[mark]) is not want for mark, want in pattern.marks):
            return False
        return all(self.values[self.instance.index[slot.fields[name]]] == want for name, want in pattern.fields)

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        return any(self.load(slot.kind) is kind for slot in channel.slots)

    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        for slot in channel.slots:
            concerns = not (cast(PageSet, self.load(slot.pages)) & pages).empty
            if channel.marks_copies(self.load(slot.kind)) and concerns:
                self.store(slot.marks[mark], True)


@dataclass(frozen=True)
class Transition:
    """One step from one state.

    Attributes:
        action: whose step.
        page: the page parameter, both of them, or None.
        state: the state after it.
        events: what happened.
        violated: names of the properties of steps that it violates.
        error: for a step that errs, the error; then the state after it is the one before it.
    """

    action: ActionInstance
    page: PageChoice
    state: State
    events: tuple[Event, ...]
    violated: tuple[str, ...]
    error: SpecError | None = None


def take(instance: Instance, state: State, action: ActionInstance, page: PageChoice = None) -> Transition | None:
    """Take one action, or None where a guard forbids it.

    Raises:
        SpecError: the body cheats or errs.
    """
    interpretation = ConcreteInterpretation(instance, state)
    given = [interpretation.set_of(1 << number) for number in numbers_of(page)]
    with LocatingErrors(action.name, action.method):
        try:
            call(interpretation, instance.machines[action.machine], action, given)
        except Disabled:
            return None
        before = View(ConcreteInterpretation(instance, state))
        step = Step(action, before, View(interpretation), interpretation.events, interpretation.pages(NONE))
        for name, monitor in () if interpretation.failed else instance.monitors.items():
            let_watch(monitor(name, interpretation), step)
        if interpretation.failed:  # by the body, or by a monitor that counts too far
            error = with_caller(interpretation.failed[0], action.method)
            events = tuple(interpretation.events)
            return Transition(action, page, state, events, (violated_by_error(str(error)).name,), error)
    violated = tuple(p.name for p in instance.properties if p.of_steps and not holds(p.holds(step)))
    return Transition(action, page, tuple(interpretation.values), tuple(interpretation.events), violated)


def successors(instance: Instance, state: State) -> Iterator[Transition]:
    """Every step that can be taken from a state, in the order of the actions and pages."""
    for action in instance.actions:
        for page in action.choices(instance.pages):
            transition = take(instance, state, action, page)
            if transition is not None:
                yield transition


def holds(answer: object) -> bool:
    """Whether a property's answer (a truth value, or the set of pages that offend) says that it holds."""
    return answer.empty if isinstance(answer, PageSet) else bool(answer)


def answer_in(instance: Instance, state: State, ask: Callable[..., object]) -> object:
    """The answer of a property of states.

    For one that is claimed for every page: the answer for the first page for which it is false.
    """
    interpretation = ConcreteInterpretation(instance, state)
    looking = View(interpretation)
    if not of_each_page(ask):
        return ask(looking)
    answers = [ask(looking, interpretation.set_of(1 << page)) for page in range(instance.pages)]
    return next((answer for answer in answers if not holds(answer)), True)


def violated_by(instance: Instance, state: State) -> tuple[str, ...]:
    """Names of the properties of states that a state violates."""
    states = [p for p in instance.properties if p.of_states]
    return tuple(p.name for p in states if not holds(answer_in(instance, state, p.holds)))


def may_rest(instance: Instance, state: State) -> bool:
    """Whether nothing needs to happen in a state."""
    return bool(instance.protocol.may_rest(View(ConcreteInterpretation(instance, state))))


def is_deadlock(instance: Instance, state: State) -> bool:
    """Whether something still has to happen in a state, and nothing but the environment can change it."""
    moves = any(not step.action.info.environment and step.state != state for step in successors(instance, state))
    return not moves and not may_rest(instance, state)
