"""Differences between two protocols: their text, the verdicts of properties, and behaviours of only one of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.behaviour import Inclusion, Observation, behaviour, included
from postcopy.explorer.enumerate import further
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Progress
from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.channels import Channel
from postcopy.language.concrete import Transition
from postcopy.language.expressions import AnySort, Expr, Value
from postcopy.language.instance import Instance, State
from postcopy.language.machines import Ghost, Machine
from postcopy.language.program import fold
from postcopy.language.protocol import Protocol
from postcopy.language.readings import bodies_of
from postcopy.language.trees import Branch, Tree
from postcopy.language.variables import Variable
from postcopy.report.results.check import Answer, answer
from postcopy.report.story.words import page_words

Said: TypeAlias = Answer | Literal["not asked"]

MAX_STATES = 60_000
"""So many states of each protocol are made for the comparison of behaviours."""

MAX_PAIRS = 600_000


@dataclass(frozen=True)
class Size:
    """Target pages, messages in flight, and target pages of a host page."""

    pages: int
    in_flight: int
    group: int = 1


class Seen(NamedTuple):
    """A part of an observation.

    Attributes:
        words: what is seen.
        pages: of which pages, as bits.
    """

    words: str
    pages: int = 0

    def __str__(self) -> str:
        return f"{self.words} {page_words(self.pages)}" if self.pages else self.words


@dataclass(frozen=True)
class Difference:
    """All differences between a base and a change.

    Attributes:
        names: of the two.
        added, removed, changed: actions.
        fields, messages: those that only the change has, and those that only the base has.
        turned: for each property asked of either and not of the same answer: what base and change say.
        sentences: what each of these properties says, by its name.
        visible: what is compared beside messages, in words.
        hidden: messages that only one of the two has; it is not compared when they are sent.
        at: the size at which behaviours are compared.
        states: how many states each has there, as far as they were made.
        complete: whether all states of each were made.
        gained: whether the change does only what the base does.
        lost: whether the base does only what the change does.
    """

    names: tuple[str, str]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    fields: tuple[tuple[str, ...], tuple[str, ...]]
    messages: tuple[tuple[str, ...], tuple[str, ...]]
    turned: dict[str, tuple[Said, Said]]
    sentences: Mapping[str, str]
    visible: tuple[str, ...]
    hidden: tuple[str, ...]
    at: Size
    states: tuple[int, int]
    complete: tuple[bool, bool]
    gained: Inclusion
    lost: Inclusion


def compare(
    names: tuple[str, str],
    base: type[Protocol],
    change: type[Protocol],
    verdicts: Size,
    behaviours: Size,
    options: Options,
    look: Callable[[Progress], None],
) -> Difference:
    """Compare two protocols.

    Args:
        names: what to call them.
        base: the one.
        change: the other.
        verdicts: the size at which properties are asked.
        behaviours: the size at which behaviours are compared; few pages, because their names are part of what is seen.
        options: how properties are asked.
        look: is called with the progress.

    Raises:
        SpecError: one of them cheats or errs.
    """
    at = behaviours
    old, new = (Instance(protocol, at.pages, at.in_flight, group=at.group) for protocol in (base, change))
    kinds, visible = _shared_messages(base, change), _visible(old, new)
    look(Progress("finding the events that both protocols show"))
    graphs = [behaviour(i, partial(_seen, i, kinds, visible), MAX_STATES) for i in (old, new)]
    actions = [{a.name: a for a in i.actions} for i in (old, new)]
    both = [name for name in actions[0] if name in actions[1]]
    answers = [_answers(protocol, verdicts, options, look) for protocol in (base, change)]
    parts = [set(_fields(protocol)) for protocol in (base, change)]
    carried = [set(_messages(protocol)) for protocol in (base, change)]
    look(Progress("comparing their behaviours"))
    return Difference(
        names,
        tuple(name for name in actions[1] if name not in actions[0]),
        tuple(name for name in actions[0] if name not in actions[1]),
        tuple(name for name in both if _differ(old, actions[0][name], new, actions[1][name])),
        (tuple(sorted(parts[1] - parts[0])), tuple(sorted(parts[0] - parts[1]))),
        (tuple(sorted(carried[1] - carried[0])), tuple(sorted(carried[0] - carried[1]))),
        {
            name: (answers[0].get(name, "not asked"), answers[1].get(name, "not asked"))
            for name in answers[0] | answers[1]
            if answers[0].get(name) != answers[1].get(name)
        },
        {prop.name: prop.sentence for protocol in (base, change) for prop in asked_of(protocol)},
        tuple(words for its in visible.values() for words in its),
        _hidden_messages(base, change),
        behaviours,
        (graphs[0].states, graphs[1].states),
        (graphs[0].complete, graphs[1].complete),
        included(graphs[1], graphs[0], MAX_PAIRS, up_to_pages),
        included(graphs[0], graphs[1], MAX_PAIRS, up_to_pages),
    )


def size_words(at: Size) -> str:
    """A size in words."""
    host = f", host pages of {at.group}" if at.group > 1 else ""
    pages = f"{at.pages} page{'s' * (at.pages > 1)}"
    return f"{pages}, {at.in_flight} message{'s' * (at.in_flight > 1)} in flight{host}"


def too_large(found: Difference) -> list[str]:
    """Of which protocol not all states were made, as a line; none where they were."""
    cut = [name for name, complete in zip(found.names, found.complete, strict=True) if not complete]
    return [f"of {' and '.join(cut)} only the first {MAX_STATES:,} states were made: take a smaller size"] * bool(cut)


def _differ(old: Instance, action: ActionInstance, new: Instance, other: ActionInstance) -> bool:
    """Whether an action does something else; that it is written elsewhere does not count."""
    if action.info != other.info:
        return True
    known = {
        mine: ex.variable(its)
        for mine in new.variables
        for its in (old.variable.get(mine.name),)
        if its is not None and _shape(its) == _shape(mine)
    }
    return _plain(bodies_of(old).tree(action), {}, {}) != _plain(bodies_of(new).tree(other), known, {})


def _shape(variable: Variable) -> tuple[object, ...]:
    """All that a variable is, but for its words; members of enumerations by name, as two files may both define them."""
    values = tuple(value.name if isinstance(value, Enum) else value for value in variable.values)
    return variable.sort, variable.size, values, variable.low, variable.ghost


def _plain(tree: Tree, known: Mapping[Variable, Value], memo: dict[Expr, Expr]) -> object:
    """A tree without what depends on the file that it was read from: places, and the identity of enumerations."""

    def renamed(e: AnySort) -> AnySort:
        return fold(e, known, memo)

    if tree is None:
        return None
    if isinstance(tree, Branch):
        return renamed(tree.condition), _plain(tree.yes, known, memo), _plain(tree.no, known, memo)
    return (
        {variable.name: renamed(e) for variable, e in tree.updates.items()},
        [(event.what.name, renamed(event.pages), event.channel, event.sent) for event in tree.events],
        [(renamed(e), message) for e, message, _ in tree.checks],
    )


def _answers(
    protocol: type[Protocol], size: Size, options: Options, look: Callable[[Progress], None]
) -> dict[str, Answer]:
    """What the search says of each property: a violated one is taken out, and the others are asked again."""
    first = explore(Instance(protocol, size.pages, size.in_flight, asked_of(protocol), size.group), options, look)
    searches = [first, *further(first, options, report=look)]
    answers: dict[str, Answer] = {search.violated.name: "violated" for search in searches if search.violated}
    last = searches[-1]
    return {prop.name: answer(last, prop) for prop in last.instance.properties} | answers


def _messages(protocol: type[Protocol]) -> Iterator[str]:
    for name, channel in protocol.parts(Channel).items():
        for kind in channel.messages:
            yield f"{name} {kind.name}"


def _shared_messages(base: type[Protocol], change: type[Protocol]) -> frozenset[str]:
    """What both can send, by the kind alone: the channel that carries a page is not what it is about."""
    return _kinds(base) & _kinds(change)


def _hidden_messages(base: type[Protocol], change: type[Protocol]) -> tuple[str, ...]:
    return tuple(sorted(_kinds(base) ^ _kinds(change)))


def _kinds(protocol: type[Protocol]) -> frozenset[str]:
    return frozenset(text.partition(" ")[2] for text in _messages(protocol))


def _fields(protocol: type[Protocol]) -> Iterator[str]:
    for name, part in (protocol.parts(Machine) | protocol.parts(Ghost)).items():
        for field in part.fields():
            yield f"{name}.{field}"


def _visible(old: Instance, new: Instance) -> dict[Enum | str, tuple[str, ...]]:
    """What both protocols declare as visible beside messages, and have."""
    return {
        what: words
        for what, words in old.protocol.visible.items()
        if what in new.protocol.visible and (isinstance(what, Enum) or (what in old.variable and what in new.variable))
    }


def _seen(
    instance: Instance,
    kinds: frozenset[str],
    visible: Mapping[Enum | str, tuple[str, ...]],
    before: State,
    step: Transition,
) -> Observation:
    """The observation of a step: messages that both protocols know, and what both declare as visible."""
    seen = [
        Seen(f"sends {event.what.name}", _bits(event.pages))
        for event in step.events
        if event.sent and event.what.name in kinds
    ]
    seen += [
        Seen(words[0], _bits(event.pages))
        for event in step.events
        for what, words in visible.items()
        if what is event.what
    ]
    for flag, (rises, falls) in ((what, words) for what, words in visible.items() if isinstance(what, str)):
        index = instance.index[instance.variable[flag]]
        if before[index] != step.state[index]:
            seen.append(Seen(rises if step.state[index] else falls))
    return tuple(seen)


def _bits(pages: object) -> int:
    return getattr(pages, "bits", 0)


def up_to_pages(seen: Observation) -> Hashable:
    """What an observation has in common with those that differ from it by a renaming of pages alone."""
    parts = [part for part in seen if isinstance(part, Seen)]
    most = max((part.pages.bit_length() for part in parts), default=0)
    columns = sorted(tuple(part.pages >> page & 1 for part in parts) for page in range(most))
    return tuple(part.words for part in parts), tuple(column for column in columns if any(column))
