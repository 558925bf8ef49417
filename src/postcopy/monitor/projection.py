"""A protocol with one page, as a graph whose steps show what a proxy sees of that page, and what is said to all.

Whatever a migration of many pages does, each of its pages does what this graph does: other guards over several pages
only ask for more. So a page whose messages are no path of the graph refutes the migration.

Four things differ from the model at a small size, so that no migration is refuted because it is larger.

- *Channels of any length*: a message that is sent right behind one that says the same is taken for one with it. A
  receiver that reads it twice does the same as one that reads it once. Where that is not enough, and a channel
  would hold more than `ROOM` messages, everything is allowed from there on.
- *Any number of pages*: where a step needs a page in some set, another page may be there: see `for_others`. A message
  about other pages is not seen.
- *Any number of vCPUs*: of two that wait for the page, one may be forgotten.
- *Connections side by side*: what was sent on a connection of its own may be seen later than what was sent on the main
  one after it. It is seen before it is received.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import and_
from typing import NamedTuple

from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Connected, Meaning, Sent
from postcopy.errors import UsageError
from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.language import expressions as ex
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.language.variables import Variable
from postcopy.monitor.fields import Queue, fields

ABOUT_PAGES = frozenset((wire.PAGE, wire.URGENT_PAGE, wire.REQUEST, wire.DISCARD))
"""Messages that are seen by the pages alone that they are about."""
ROOM = 7
"""So many different messages may be under way on a channel."""
MOST_STATES = 30_000
"""A larger graph is not made deterministic as a whole."""


class Symbol(NamedTuple):
    """What a proxy sees.

    Attributes:
        means: the message, or the new connection.
        about: it is about the page.
    """

    means: Meaning
    about: bool

    def __str__(self) -> str:
        return f"{self.means}{' with this page' if self.about else ''}"


class Step(NamedTuple):
    """A step of the graph.

    Attributes:
        symbol: what is seen of it; None where nothing is.
        machine: whose step it is.
        after: the node that it leads to; None for the one from where everything is allowed.
    """

    symbol: Symbol | None
    machine: str
    after: Node | None


class _Effect(NamedTuple):
    """What a step shows, or would show if it were not late.

    Attributes:
        sent: the message that a proxy sees; None where there is none.
        connected: the new connection that it sees; None where there is none.
        reads: channels with messages that are seen late, from which the step receives one.
    """

    sent: Sent | None
    connected: Connected | None
    reads: tuple[str, ...]


class Node(NamedTuple):
    """A state of a protocol.

    Attributes:
        protocol: which one, as a number.
        words: the state, as the kernel packs it.
        unseen: for each late channel how many of its newest messages have not been seen.
    """

    protocol: int
    words: Words
    unseen: tuple[int, ...]


@dataclass
class _Reading:
    """A protocol at one page, its states merged as the head of this file says."""

    kernel: Kernel
    shown: frozenset[Meaning]
    late: tuple[str, ...]

    def __post_init__(self) -> None:
        self.instance = self.kernel.instance
        self.channels = self.instance.channels
        self.ups = {channel.up: name for name, channel in self.channels.items()}
        where = fields(self.kernel.layout)
        history = [where[v] for v in self.kernel.program.variables if v.ghost]
        self.kept = tuple(
            ~sum(its.mask << its.shift for its in history if its.word == word)
            for word in range(self.kernel.layout.words)
        )
        self.queues = {name: Queue.of(channel, where) for name, channel in self.channels.items()}
        self.waiting = [[where[v] for v in several] for several in _waiting(self.instance)]
        self.late = tuple(name for name in self.late if name in self.channels)
        both = self.kernel, self.kernel.with_trees(for_others)
        self.effects = [(its, [self._effect(leaf) for leaf in its.labels.leaves]) for its in both]

    def steps(self, words: Words) -> Iterator[tuple[_Effect, str, Words]]:
        """The steps from a state that fail no check: what they show, whose they are, and where they lead."""
        for kernel, effects in self.effects:
            for label, *after in kernel.functions.expand(*words):
                meaning = kernel.labels[label]
                if not meaning.failed:
                    yield effects[meaning.leaf], self.instance.actions[meaning.action].machine, tuple(after)

    def senders(self) -> Iterator[tuple[Meaning, str]]:
        """What is shown, and by which machine."""
        for kernel, effects in self.effects:
            for effect, action in zip(effects, kernel.labels.action_of, strict=True):
                means = effect.sent or effect.connected
                if means is not None:
                    yield means, self.instance.actions[action].machine

    def _effect(self, leaf: Leaf) -> _Effect:
        sent = [Sent(event.channel, event.what.name) for event in leaf.events if event.channel and event.sent]
        seen = [its for its in sent if its in self.shown]
        if len(seen) > 1:
            raise UsageError(f"a step sends {seen[0]} and {seen[1]}: they cannot be told apart from two steps")
        connected = [
            Connected(self.ups[variable])
            for variable, value in leaf.updates.items()
            if variable in self.ups and ex.constant(value) == 1 and Connected(self.ups[variable]) in self.shown
        ]
        reads = tuple(event.channel for event in leaf.events if not event.sent and event.channel in self.late)
        return _Effect(seen[0] if seen else None, connected[0] if connected else None, reads)

    def merge(self, words: Words) -> Words | None:
        """The state that stands for this one; None where a channel holds too much."""
        left: Words | None = tuple(map(and_, words, self.kept))
        for queue in self.queues.values():
            if left is not None:
                left = queue.closed_up(left)
        return left

    def forgetting(self, words: Words) -> Iterator[Words]:
        """The states in which one vCPU fewer waits for the page."""
        for several in self.waiting:
            there = [one for one in several if one.of(words)]
            if len(there) > 1:
                for one in there:
                    found = list(words)
                    one.put(found, 0)
                    yield tuple(found)

    def under_way(self, words: Words) -> dict[str, int]:
        """How many messages each late channel holds."""
        return {name: self.queues[name].length(words) for name in self.late}


def for_others(tree: Tree) -> Tree:
    """An action as it is where each set that it asks for pages has some, other than the one page.

    An action that asks for none is left out.
    """
    found = _where_not_empty(tree)
    return None if found == tree else found


def _where_not_empty(tree: Tree) -> Tree:
    if not isinstance(tree, Branch):
        return tree
    condition = tree.condition
    if isinstance(condition, ex.IsEmpty) and not ex.mentions_page(condition) and tree.no is not None:
        return _where_not_empty(tree.no)
    return Branch(condition, _where_not_empty(tree.yes), _where_not_empty(tree.no))


_ONE_OF_SEVERAL = re.compile(r"(.*)\[\d+\]")


def _waiting(instance: Instance) -> list[list[Variable]]:
    """The sets that say for what each of several alike threads waits."""
    found: dict[str, list[Variable]] = {}
    for variable in instance.variables:
        one = _ONE_OF_SEVERAL.fullmatch(variable.name)
        if variable.waits and one is not None:
            found.setdefault(one[1], []).append(variable)
    return [several for several in found.values() if len(several) > 1]


class Graph:
    """What each page of a migration can do by one of some protocols. Its steps are found as they are asked for.

    Args:
        shown: what a proxy sees; all other steps are hidden.
        late: channels on connections of their own.
        room: so many different messages may be under way on a channel.

    Attributes:
        start: where runs begin.
        most: of so many states the steps can be asked for.

    Raises:
        SpecError: a protocol cheats or errs.
    """

    def __init__(
        self,
        protocols: Sequence[type[Protocol]],
        shown: frozenset[Meaning],
        late: tuple[str, ...] = (),
        room: int = ROOM,
    ) -> None:
        self._readings = [_Reading(Kernel(Instance(its, 1, room + 1)), shown, late) for its in protocols]
        self._steps: dict[Node, tuple[Step, ...]] = {}
        self._nodes: dict[Node, Node] = {}
        self.most = MOST_STATES
        self.start = frozenset(
            Node(number, words, (0,) * len(reading.late))
            for number, reading in enumerate(self._readings)
            for words in map(reading.merge, reading.kernel.initial)
            if words is not None
        )

    @property
    def states(self) -> int:
        """Of so many states the steps have been asked for."""
        return len(self._steps)

    @property
    def texts(self) -> list[str]:
        """All that the graph depends on, beside this file: the protocols as programs."""
        return [kernel.plain for reading in self._readings for kernel, _ in reading.effects]

    @property
    def senders(self) -> dict[Meaning, str]:
        """The host that shows each of what is shown; empty where several machines do, and for new connections."""
        found: dict[Meaning, set[str]] = {}
        for reading in self._readings:
            for means, machine in reading.senders():
                found.setdefault(means, set()).add(machine)
        return {
            means: "".join(machines) if len(machines) == 1 and isinstance(means, Sent) else ""
            for means, machines in found.items()
        }

    def steps(self, node: Node) -> tuple[Step, ...]:
        """The steps from a node.

        Raises:
            UsageError: of too many states the steps have been asked for.
        """
        if node not in self._steps:
            if len(self._steps) >= self.most:
                protocol = self._readings[node.protocol].instance.protocol.__name__
                raise UsageError(
                    f"{protocol} has more than {self.most:,} states at one page, too many for a monitor: fix options "
                    "of it (NAME=on, NAME=off)"
                )
            found = dict.fromkeys(self._from(self._readings[node.protocol], node))
            kept = (self._once(step) for step in found if step.symbol is not None or step.after != node)
            self._steps[node] = tuple(kept)
        return self._steps[node]

    def _once(self, step: Step) -> Step:
        """The same step, with the one object for its node: there are nine steps for each node."""
        if step.after is None:
            return step
        return Step(step.symbol, step.machine, self._nodes.setdefault(step.after, step.after))

    def _from(self, reading: _Reading, node: Node) -> Iterator[Step]:
        under_way = reading.under_way(node.words)
        unseen = dict(zip(reading.late, node.unseen, strict=True))
        for effect, machine, after in reading.steps(node.words):
            if any(under_way[name] <= unseen[name] for name in effect.reads):
                continue  # a proxy passes on what it has seen, and no more
            for symbol, then in self._shows(reading, effect, after, node):
                yield Step(symbol, machine, then)
        for name, count in zip(reading.late, node.unseen, strict=True):
            if count:
                seen = tuple(n - (other == name) for other, n in zip(reading.late, node.unseen, strict=True))
                yield Step(Symbol(Sent(name, "PAGE"), True), "source", node._replace(unseen=seen))
        for words in reading.forgetting(node.words):
            yield Step(None, "destination", node._replace(words=words))

    def _shows(
        self, reading: _Reading, effect: _Effect, after: Words, node: Node
    ) -> Iterator[tuple[Symbol | None, Node | None]]:
        words = reading.merge(after)
        there = {} if words is None else reading.under_way(words)

        def then(more: str = "") -> Node | None:
            if words is None:
                return None
            counts = zip(reading.late, node.unseen, strict=True)
            return Node(node.protocol, words, tuple(min(n + (name == more), there[name]) for name, n in counts))

        if effect.sent is not None:
            about = reading.queues[effect.sent.channel].newest(after)
            others = not about and effect.sent in ABOUT_PAGES
            yield None if others else Symbol(effect.sent, about), then()
            if effect.sent.channel in reading.late:
                yield None, then(effect.sent.channel)
        elif effect.connected is not None:
            yield Symbol(effect.connected, False), then()
        else:
            yield None, then()
