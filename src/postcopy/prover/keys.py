"""What a proof is a proof of: digests of all that reaches z3, which do not depend on the run or the process.

A goal's digest covers its violations: the guards and updates of paths, what is wrong after them, and all variables
and channels that they mention. A conjunct's digest covers its parts in the same way. The digest of the environment
covers what makes formulas of these and what refutes them: z3, its random choices, and the sources of the prover and
of the language.

An answer holds wherever the digests of the goal and of the conjuncts that it used are the same: z3 needed nothing else.
Of what is not mentioned (other conjuncts, variables and channels) the formulas assume only what can always be: a number
is in its range, a channel may be empty, and what is named may be named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path as File
from typing import TypeVar

import z3

from postcopy.language import expressions
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.expression_nodes import Node
from postcopy.language.expressions import Value
from postcopy.language.messages import Pattern
from postcopy.language.variables import Sort, Variable
from postcopy.prover.channel_expressions import Carries, ChannelNode, InOrder, variable_below
from postcopy.prover.goals import Conjunct, Goal, Path, Violation
from postcopy.prover.progress import Deadlock

Thing = TypeVar("Thing")

ROOMS = (File(expressions.__file__).parent, File(__file__).parent)
"""The folders whose sources decide what formulas mean."""


def environment(seed: int) -> str:
    """The digest of what a question is asked with.

    Args:
        seed: of z3's random choices. An answer to another one would do, but that one wants to be asked.
    """
    return _hash("environment", z3.get_full_version(), str(seed), *_sources()).hex()


@lru_cache
def _sources() -> tuple[str, ...]:
    files = sorted(file for room in ROOMS for file in room.glob("*.py"))
    return tuple(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files)


class Keys:
    """The digests of the goals and conjuncts of a protocol, in hexadecimal.

    Args:
        channels: of the protocol.
        conjuncts: of its invariant.
        single_copies: the names of the channels on which a marked message concerns one page at most.
    """

    def __init__(
        self, channels: Iterable[ChannelVariables], conjuncts: Iterable[Conjunct], single_copies: Collection[str] = ()
    ) -> None:
        self._single_copies = single_copies
        self._channels = {channel.name: channel for channel in channels}
        self._known: dict[int, tuple[object, bytes]] = {}
        self.conjuncts = {c.name: self._conjunct(c) for c in conjuncts}

    def goal(self, goal: Goal) -> str:
        """The digest of a goal."""
        violations = [self._violation(violation) for violation in goal.violations]
        return _hash("goal", goal.conjunct, goal.action, *violations).hex()

    def deadlock(self, deadlock: Deadlock) -> str:
        """The digest of what a deadlock is."""
        moves = [self._all(self._node(move), str(pages)) for move, pages in deadlock.moves]
        oldest = [self._all(self._variable(v), str(codes)) for v, codes in deadlock.oldest]
        numbers = [self._variable(v) for v in deadlock.numbers]
        parts = (self._all(*moves), self._all(*oldest), self._all(*numbers))
        return _hash("deadlock", deadlock.conjunct, self._node(deadlock.unfinished), *parts).hex()

    def _conjunct(self, conjunct: Conjunct) -> str:
        parts = [self._node(part) for part, _ in conjunct.parts]
        return _hash("conjunct", str(conjunct.each_page), *parts).hex()

    def _violation(self, violation: Violation) -> bytes:
        path = b"" if violation.path is None else self._once(violation.path, self._path)
        updates = b"" if violation.updates is None else self._once(violation.updates, self._updates)
        return _hash("violation", self._node(violation.wrong), path, updates, str(violation.each_page))

    def _path(self, path: Path) -> bytes:
        guard = self._all(*map(self._node, path.guard))
        return _hash("path", guard, self._once(path.updates, self._updates), str(path.pages))

    def _updates(self, updates: Mapping[Variable, Value]) -> bytes:
        ordered = sorted(updates.items(), key=lambda one: one[0].name)
        return self._all(*(self._all(self._variable(v), self._node(e)) for v, e in ordered))

    def _node(self, node: Node) -> bytes:
        return self._once(node, self._of_node)

    def _of_node(self, node: Node) -> bytes:
        contents = [getattr(node, name) for name in node.__match_args__]
        if isinstance(node, Carries | InOrder):
            patterns = (node.pattern,) if isinstance(node, Carries) else node.patterns
            contents = [node.messages, *(self._pattern(node, pattern) for pattern in patterns)]
        return _hash(type(node).__name__, *map(self._content, contents))

    def _content(self, content: object) -> bytes | str:
        match content:
            case bytes():
                return content
            case Node():
                return self._node(content)
            case Variable():
                return self._variable(content)
            case tuple():
                return self._all(*map(self._content, content))
            case bool() | int() | str():
                return f"{type(content).__name__} {content}"
            case _:
                raise TypeError(f"{content!r} has no digest: no answer may be kept for what contains it")

    def _pattern(self, node: ChannelNode, pattern: Pattern) -> bytes:
        channel = self._channels[variable_below(node.messages).owner]
        marks = [f"{name} {has}" for name, has in pattern.marks]
        fields = [f"{name} says {value}" for name, value in pattern.fields]
        return _hash("pattern", str(channel.code(pattern.kind)), str(pattern.about), str(pattern.part), *marks, *fields)

    def _variable(self, variable: Variable) -> bytes:
        declared = (variable.name, variable.owner, variable.sort.name, str(variable.size), str(variable.ghost))
        if variable.sort is Sort.MESSAGES:
            return _hash("messages", *declared, self._channel(self._channels[variable.owner]))
        return _hash("chosen" if variable.chosen else "variable", *declared)

    def _channel(self, channel: ChannelVariables) -> bytes:
        marked = sorted(channel.code(kind) for kind in channel.marked)
        slot = channel.slots[0]
        fields = [f"{name} {its.sort.name} {its.size}" for name, its in slot.fields.items()]
        single = str(channel.name in self._single_copies)
        return _hash("channel", channel.name, str(len(channel.kinds)), str(marked), single, *slot.marks, *fields)

    def _once(self, thing: Thing, digest: Callable[[Thing], bytes]) -> bytes:
        """A digest, computed once for each object (not for those that are equal: messages may be, by their numbers)."""
        if id(thing) not in self._known:
            self._known[id(thing)] = (thing, digest(thing))  # the object too, so that no other one gets its number
        return self._known[id(thing)][1]

    @staticmethod
    def _all(*parts: bytes | str) -> bytes:
        return _hash("all", *parts)


def _hash(*parts: bytes | str) -> bytes:
    """A digest of parts that no other parts have: each comes with its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data) + data)
    return digest.digest()
