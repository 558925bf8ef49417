"""What found conjuncts are made of: plain questions to a state, each as source text and in words.

An atom asks for a truth value: of a field, of what a channel carries, or of one page's place. All that the machine
finds is a disjunction of atoms and of negated ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.instance import Instance
from postcopy.language.locks import FREE
from postcopy.language.machines import Monitor
from postcopy.language.variables import Sort, Variable, has_order

MOST_VALUES = 24
"""A field with more values than this is not asked for each of them."""


@dataclass(frozen=True)
class Atom:
    """One question.

    Attributes:
        yes, no: the expression in the language of properties, and its negation.
        holds, fails: the same in words, as a clause. Of an atom about a page: the set that the page is in, as a noun.
        of_page: whether it asks for a page.
        owners: the names of the fields and channels that it looks at.
        cost: how unlikely it is to be wanted; atoms with a low cost are preferred.
        kinds: the messages that it speaks of, each with its channel.
        is_field: whether it asks if a page is in a field.
        monitor: the history that it asks, if any.
    """

    yes: str
    no: str
    holds: str
    fails: str
    of_page: bool = False
    owners: tuple[str, ...] = ()
    cost: int = 1
    kinds: tuple[tuple[str, Enum], ...] = ()
    is_field: bool = False
    monitor: type[Monitor] | None = None


@dataclass
class Names:
    """How enumerations are called in source text: two of one name get different ones.

    Attributes:
        known: the enumerations, by the name that the text uses.
    """

    known: dict[str, type[Enum]] = field(default_factory=dict)

    def of(self, value: Enum) -> str:
        """The member, as the text writes it."""
        kind = type(value)
        name = kind.__name__
        while self.known.setdefault(name, kind) is not kind:
            name = f"{kind.__module__.rpartition('.')[2].title().replace('_', '')}{name}"
            if self.known.get(name, kind) is not kind:
                name += "_"
        return f"{name}.{value.name}"

    def imports(self, texts: Iterable[str], monitors: Iterable[type[Monitor]], file: str) -> str:
        """The lines that import what some source texts mention, and these monitors, into the module `file`."""
        whole = "".join(texts)
        wanted: dict[str, type] = {name: kind for name, kind in self.known.items() if re.search(rf"\b{name}\.", whole)}
        wanted |= {monitor.__name__: monitor for monitor in monitors}
        words = (
            "Answer",
            *(word for word in ("Page", "View", "about") if re.search(rf"\b{word}\b", whole)),
            "conjunct",
        )
        lines = [f"from postcopy.language import {', '.join(words)}"]
        for name, kind in sorted((name, kind) for name, kind in wanted.items() if kind.__module__ != file):
            called = kind.__name__ if kind.__name__ == name else f"{kind.__name__} as {name}"
            lines.append(f"from {kind.__module__} import {called}")
        return "\n".join(lines) + "\n"


def atoms_of(instance: Instance, names: Names) -> list[Atom]:
    """All atoms of a protocol, in the order of its declarations.

    Args:
        instance: at any size: what is asked does not depend on it.
        names: is given the enumerations that the atoms mention.
    """
    found: list[Atom] = []
    internal = {v for c in instance.channels.values() for v in _variables(c)}
    for variable in instance.variables:
        if variable not in internal and variable not in instance.settled:
            monitor = instance.monitors.get(variable.owner)
            found += (replace(atom, monitor=monitor) for atom in _of_field(variable, names))
    for channel in instance.channels.values():
        found += _of_channel(channel, names)
    return list({atom.yes: atom for atom in found}.values())


def _variables(channel: ChannelVariables) -> Iterator[Variable]:
    yield channel.up
    if channel.listening is not None:
        yield channel.listening
    for slot in channel.slots:
        yield from slot.variables


def _of_field(variable: Variable, names: Names) -> Iterator[Atom]:
    where = f"state.{variable.name}"
    if variable.sort is Sort.PAGES:
        per_cpu, _, _ = where.partition("[")
        yield from _of_set(where if per_cpu == where else f"{per_cpu}.any", variable.name)
    elif variable.values == (False, True):
        yield Atom(where, f"not {where}", variable.name, f"not {variable.name}", owners=(variable.name,))
    elif FREE in variable.values:
        free, spoken = f"{where}.free", f"{variable.name} is free"
        yield Atom(free, f"not {free}", spoken, f"{variable.name} is held", owners=(variable.name,))
    elif variable.values and variable.size <= MOST_VALUES:
        yield from _of_choice(where, variable, names)
    elif not variable.values and variable.size <= MOST_VALUES:
        for value in range(variable.low, variable.low + variable.size):
            yield _comparison(where, variable, "==", "!=", "is", "is not", str(value), str(value))
            if variable.low < value:
                yield _comparison(where, variable, ">=", "<", "is at least", "is below", str(value), str(value))


def _of_choice(where: str, variable: Variable, names: Names) -> Iterator[Atom]:
    members = [value for value in variable.values if isinstance(value, Enum)]
    ordered = bool(members) and has_order(tuple(members))
    for place, value in enumerate(members):
        text = names.of(value)
        yield _comparison(where, variable, "==", "!=", "is", "is not", text, value.name)
        if ordered and 1 < place < len(members) - 1:
            yield _comparison(where, variable, ">=", "<", "is at least", "is before", text, value.name)


def _comparison(
    where: str, variable: Variable, yes: str, no: str, holds: str, fails: str, value: str, spoken: str
) -> Atom:
    return Atom(
        f"{where} {yes} {value}",
        f"{where} {no} {value}",
        f"{variable.name} {holds} {spoken}",
        f"{variable.name} {fails} {spoken}",
        owners=(variable.name,),
    )


def _of_set(where: str, name: str) -> Iterator[Atom]:
    shown = where.removeprefix("state.").removesuffix(".any")
    yield Atom(f"{where}.empty", f"not {where}.empty", f"{shown} is empty", f"{shown} is not empty", owners=(name,))
    yield Atom(f"{where}[page]", f"not {where}[page]", shown, shown, of_page=True, owners=(name,), is_field=True)
    around = f"{where}.host_pages[page]"
    spoken = f"a host page of {shown}"
    yield Atom(around, f"not {around}", spoken, spoken, of_page=True, owners=(name,), cost=2)
    apart = f"(~{where}).host_pages[page]"
    spoken = f"a host page that is not whole in {shown}"
    yield Atom(apart, f"not {apart}", spoken, spoken, of_page=True, owners=(name,), cost=2)


def _of_channel(channel: ChannelVariables, names: Names) -> Iterator[Atom]:
    name = channel.name
    where = f"state.{name}"
    yield Atom(f"{where}.broken", f"not {where}.broken", f"{name} is broken", f"{name} stands", owners=(name,))
    if channel.listening is not None:
        holds, fails = f"{name} waits for a connection", f"{name} waits for no connection"
        yield Atom(f"{where}.listening", f"not {where}.listening", holds, fails, owners=(name,))
    for kind in channel.kinds:
        asked = f"{where}.carries({names.of(kind)})"
        holds, fails = f"{name} carries {kind.name}", f"{name} carries no {kind.name}"
        yield Atom(asked, f"not {asked}", holds, fails, owners=(name,), kinds=((name, kind),))
        yield from _of_pages(channel, [kind], [True], names)
        for behind in channel.kinds:
            pair, both = [kind, behind], ((name, kind), (name, behind))
            none = f"{where}.in_order({names.of(kind)}, {names.of(behind)}).empty"
            spoken = f"behind {kind.name} on {name} is"
            holds, fails = f"{spoken} no {behind.name}", f"{spoken} {behind.name}"
            yield Atom(none, f"not {none}", holds, fails, owners=(name,), cost=2, kinds=both)
            for concerned in ([False, True], [True, False], [True, True]):
                yield from _of_pages(channel, pair, concerned, names)


def _of_pages(channel: ChannelVariables, kinds: list[Enum], concerned: list[bool], names: Names) -> Iterator[Atom]:
    """Whether there are such messages, one behind the other, that concern the page; also with each mark."""
    marked = [i for i, kind in enumerate(kinds) if concerned[i] and channel.marks_copies(kind)]
    last = marked[-1] if marked else None
    marks = [None, *((m, has) for m in channel.slots[0].marks for has in (True, False))] if marked else [None]
    for mark in marks:
        texts, spoken = [], []
        for i, kind in enumerate(kinds):
            text = names.of(kind)
            condition = f", {mark[0]}={mark[1]}" if mark is not None and i == last else ""
            texts.append(f"about({text}{condition})" if concerned[i] else text)
            said = f"{'' if mark[1] else 'not '}{mark[0]} " if mark is not None and i == last else ""
            spoken.append(f"{said}{kind.name}" if concerned[i] else f"any {kind.name}")
        yes = f"state.{channel.name}.in_order({', '.join(texts)})[page]"
        noun = f"{' followed by '.join(spoken)} on {channel.name}"
        cost = len(kinds) + (mark is not None)
        both = tuple((channel.name, kind) for kind in kinds)
        yield Atom(yes, f"not {yes}", noun, noun, of_page=True, owners=(channel.name,), cost=cost, kinds=both)
