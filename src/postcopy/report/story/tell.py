"""A run in the document's words, for all formats: the formats only lay it out.

Each step has the thread and its action, the messages sent and received, and the variables that changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby

from postcopy.language.channel_ends import Network, Receives
from postcopy.language.concrete import Transition
from postcopy.language.instance import Instance, State
from postcopy.language.trace import Trace
from postcopy.language.variables import Sort, Variable
from postcopy.report.story.contradiction import Contradiction, explain
from postcopy.report.story.words import (
    MessageInWords,
    contents,
    contents_words,
    plain,
    slot_variables,
    step_count,
    step_words,
    value_words,
    variable_words,
)

OBSERVER = "known only to an all-seeing observer"
"""How ghost state is marked."""


@dataclass(frozen=True)
class Change:
    """One thing that a step changed.

    Attributes:
        variable: its name in the model (for the messages on a channel, the channel's name).
        title: what it is in the document's words.
        old: its value before, in words.
        new: its value after, in words.
        ghost: history that is kept for the properties and that no thread can read.
        bits: for a set of pages what it was and is, one bit a page.
        messages: for a channel what is on it afterwards, oldest first.
    """

    variable: str
    title: str
    old: str
    new: str
    ghost: bool = False
    bits: tuple[int, int] | None = None
    messages: tuple[MessageInWords, ...] | None = None

    @property
    def short(self) -> str:
        """The change without saying whether it is ghost state, and of a channel without what was on it before."""
        return f"{self.title}: {self.new}" if self.messages is not None else f"{self.title}: {self.old} → {self.new}"

    @property
    def words(self) -> str:
        """The change as one line."""
        return f"{self.short} ({OBSERVER})" if self.ghost else self.short


@dataclass(frozen=True)
class StoryStep:
    """One step of the story.

    Attributes:
        number: counted from 1.
        thread: who does it.
        what: what it does, with the page that it does it to.
        rule: rules of the document, e.g. ``R10 R13``; may be empty.
        qemu: the function of QEMU, where known.
        environment: a step of the guest, the operator or the network, which need not happen.
        sent: messages that it put on channels.
        received: messages that it took from channels.
        changes: what is different afterwards.
    """

    number: int
    thread: str
    what: str
    rule: str
    qemu: str
    environment: bool
    sent: tuple[MessageInWords, ...]
    received: tuple[MessageInWords, ...]
    changes: tuple[Change, ...]

    @property
    def sentence(self) -> str:
        """The thread and its action."""
        return f"{self.thread}: {self.what}"


@dataclass(frozen=True)
class Lane:
    """A thread that takes part, and the host that it belongs to."""

    thread: str
    host: str


@dataclass(frozen=True)
class Flight:
    """A message's way from one thread to another.

    Attributes:
        message: the message, as it was sent.
        sent: number of the step that sent it.
        host: the host that it goes to; where several may receive it, the one that did, or empty.
        received: number of the step that received it, or None.
        lost: number of the step in which it was lost, or None; where both are None it is still on its way.
        marks: what an all-seeing observer knew of it when it was received.
    """

    message: MessageInWords
    sent: int
    host: str
    received: int | None = None
    lost: int | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """A whole run in words.

    Attributes:
        title: what the run shows.
        protocol: name of the protocol's class.
        about: what the protocol is, from its docstring.
        size: pages and messages in flight.
        pages: how many target pages there are.
        host_page: target pages of one host page.
        given: how this run starts where a start may differ, one line each.
        lanes: the threads that take part, in the model's order and host by host.
        channels: the channels used, in words.
        steps: the steps.
        flights: every message's way, in the order of sending.
        contradiction: why the run is one; None for a witness.
        loop: for a run that goes on for ever, the number of the first step that is repeated (one more than there are
            steps where nothing need happen any more); None for a run that ends.
    """

    title: str
    protocol: str
    about: str
    size: str
    pages: int
    host_page: int
    given: tuple[str, ...]
    lanes: tuple[Lane, ...]
    channels: tuple[str, ...]
    steps: tuple[StoryStep, ...]
    flights: tuple[Flight, ...]
    contradiction: Contradiction | None
    loop: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Threads and channels from left to right: the first host's threads, the channels, all other threads."""
        hosts = [[lane.thread for lane in lanes] for _, lanes in groupby(self.lanes, key=lambda lane: lane.host)]
        return (*chain(*hosts[:1]), *self.channels, *chain(*hosts[1:]))

    @property
    def culprit(self) -> StoryStep | None:
        """The step that is the contradiction, where it is one: the last, unless the run goes on for ever."""
        return self.steps[-1] if self.steps and self.contradiction and self.loop is None else None

    @property
    def repeated(self) -> tuple[StoryStep, ...]:
        """The steps that are repeated for ever."""
        return self.steps[self.loop - 1 :] if self.loop is not None else ()

    @property
    def length(self) -> str:
        """How long it is, in words."""
        once, again = len(self.steps) - len(self.repeated), len(self.repeated)
        words = step_count(once)
        if self.loop is None:
            return words
        return f"{words} and a loop of {again}" if again else f"{words}, and then nothing for ever"

    @property
    def back(self) -> str:
        """What stands below the last step of a run that goes on for ever."""
        return (
            f"and again from step {self.loop}"
            if self.repeated
            else "and so it stays for ever: no thread has anything left to do"
        )


FOREVER = "from here on for ever"
"""What stands above the first step that is repeated."""


def tell(trace: Trace) -> Story:
    """A run in words."""
    instance, states = trace.instance, trace.states
    contradiction = explain(trace)
    flights = _flights(trace)
    steps = tuple(
        _step(instance, number, step, states[number - 1], flights) for number, step in enumerate(trace.steps, start=1)
    )
    used = {flight.message.channel for flight in flights}
    return Story(
        title=f"Counterexample to “{contradiction.sentence}”"
        if contradiction
        else "A run that shows that this can happen",
        protocol=instance.protocol.__name__,
        about=" ".join((instance.protocol.__doc__ or "").split("\n\n")[0].split()),
        size=instance.size,
        pages=instance.pages,
        host_page=instance.group,
        given=tuple(_given(instance, trace.initial)),
        lanes=_lanes(trace),
        channels=tuple(plain(name) for name in instance.channels if plain(name) in used),
        steps=steps,
        flights=tuple(flights),
        contradiction=contradiction,
        loop=trace.loop + 1 if trace.loop is not None else None,
    )


def _step(instance: Instance, number: int, step: Transition, before: State, flights: list[Flight]) -> StoryStep:
    info = step.action.info
    return StoryStep(
        number=number,
        thread=step.action.thread,
        what=step_words(step.action.doc, step.page),
        rule=info.rule,
        qemu=info.qemu,
        environment=info.environment,
        sent=tuple(f.message for f in flights if f.sent == number),
        received=tuple(replace(f.message, marks=f.marks) for f in flights if f.received == number),
        changes=tuple(_changes(instance, before, step.state)),
    )


def _changes(instance: Instance, before: State, after: State) -> Iterator[Change]:
    folded: set[Variable] = set()
    for channel in instance.channels.values():
        slots = slot_variables(channel)
        folded.update(slots)
        changed = [v for v in slots if before[instance.index[v]] != after[instance.index[v]]]
        if changed:
            old, new = (contents(instance, state, channel) for state in (before, after))
            ghost, title = all(v.ghost for v in changed), plain(channel.name)
            yield Change(channel.name, title, contents_words(old), contents_words(new), ghost, messages=tuple(new))
    for v in instance.variables:
        old_stored, new_stored = before[instance.index[v]], after[instance.index[v]]
        if v not in folded and old_stored != new_stored:
            old_words, new_words = value_words(v, old_stored), value_words(v, new_stored)
            bits = (old_stored, new_stored) if v.sort is Sort.PAGES else None
            yield Change(v.name, variable_words(v), old_words, new_words, v.ghost, bits)


def _given(instance: Instance, initial: State) -> Iterator[str]:
    """The initial values that another run may have otherwise; of a run from elsewhere, all that is not as at first."""
    starts = instance.initial_states()
    if initial not in starts:
        for change in _changes(instance, starts[0], initial):
            yield f"{change.title}: {change.new}" + (f" ({OBSERVER})" if change.ghost else "")
        return
    for i, variable in enumerate(instance.variables):
        if any(start[i] != starts[0][i] for start in starts):
            yield f"{variable_words(variable)}: {value_words(variable, initial[i])}"


def _lanes(trace: Trace) -> tuple[Lane, ...]:
    """The lanes: hosts in the protocol's order with the network after the first, threads as declared."""
    instance = trace.instance
    network = [name for name, machine in instance.machines.items() if _channels_at(machine, Network)]
    others = [name for name in instance.machines if name not in network]
    hosts = others[:1] + network + others[1:]
    acting = {(step.action.thread, step.action.machine) for step in trace.steps}
    host_of: dict[str, str] = {}
    for action in sorted(instance.actions, key=lambda action: hosts.index(action.machine)):
        if (action.thread, action.machine) in acting:
            host_of.setdefault(action.thread, action.machine)
    return tuple(Lane(thread, plain(host)) for thread, host in host_of.items())


def _channels_at(machine: type, end: type[Network | Receives]) -> set[str]:
    """The channels that a machine has such an end of."""
    return {value.channel for base in machine.__mro__ for value in vars(base).values() if isinstance(value, end)}


def _flights(trace: Trace) -> list[Flight]:
    """Follow every message: channels are FIFO; a message that has left its channel and was not received is lost."""
    instance = trace.instance
    flights: list[Flight] = []
    waiting: dict[str, list[int]] = {name: [] for name in instance.channels}
    receivers: dict[str, list[str]] = {name: [] for name in instance.channels}
    for name, machine in instance.machines.items():
        for channel_name in _channels_at(machine, Receives):
            receivers[channel_name].append(plain(name))
    target = {name: hosts[0] if len(hosts) == 1 else "" for name, hosts in receivers.items()}
    before = trace.initial
    for number, step in enumerate(trace.steps, start=1):
        arriving = {name: contents(instance, before, channel) for name, channel in instance.channels.items()}
        for event in step.events:
            queue = waiting.get(event.channel)
            if queue is None:
                continue
            if event.sent:
                message = MessageInWords(plain(event.channel), event.what.name, getattr(event.pages, "bits", 0))
                queue.append(len(flights))
                flights.append(Flight(message, number, target[event.channel]))
            elif queue:
                index = queue.pop(0)
                marks = arriving[event.channel].pop(0).marks if arriving[event.channel] else ()
                host = plain(step.action.machine)
                flights[index] = replace(flights[index], received=number, marks=marks, host=host)
        for name, channel in instance.channels.items():
            left = contents(instance, step.state, channel)
            for index in waiting[name][len(left) :]:
                flights[index] = replace(flights[index], lost=number)
            del waiting[name][len(left) :]
            for index, message in zip(waiting[name], left, strict=False):
                if flights[index].sent == number:
                    flights[index] = replace(flights[index], message=message)
        before = step.state
    return flights
