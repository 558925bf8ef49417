"""Several protocols as one: the class that has all of them as bases, and so for each machine that several change."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from postcopy.errors import UsageError
from postcopy.language.channel_ends import DeclaredEnd
from postcopy.language.channels import Channel
from postcopy.language.choices import Choice
from postcopy.language.chosen import Chosen
from postcopy.language.fields import EITHER
from postcopy.language.function_text import text_of
from postcopy.language.machines import Ghost, Machine
from postcopy.language.protocol import Protocol
from postcopy.language.python_values import components, is_constant, plain_function
from postcopy.language.ranking import Ranking
from postcopy.language.threads import Thread

COLLECTED = ("properties", "inapplicable", "invariant", "roles")
"""Attributes of a protocol that are collected from all bases."""

ABOUT = ("origin", "breaks", "pages")
"""What a change or fault of the catalogue says of itself. A composition inherits the first one's."""


class Named(NamedTuple):
    """A class of one of the protocols that are composed.

    Attributes:
        name: the protocol, as the user names it.
        protocol: the same.
        cls: the protocol itself, or the class of one of its machines or ghosts.
    """

    name: str
    protocol: type
    cls: type


def compose(protocols: Sequence[tuple[str, type[Protocol]]]) -> type[Protocol]:
    """The protocol that has several protocols as bases.

    A machine or ghost that several of them change becomes a class that has all of theirs as bases. Of a method that
    several override, at most one may replace what it overrides. It stands last; the others call ``super()``.

    Args:
        protocols: each with the name that messages give it. Where nothing else decides, the first comes first.

    Raises:
        UsageError: two of them cannot be merged. The message says what stands in the way and what to write.
        SpecError: two of them contradict each other in what they say of a channel, or the text of a method that several
            override is not to be found.
    """
    parts = _most_derived([Named(name, protocol, protocol) for name, protocol in protocols])
    if len(parts) == 1:
        return parts[0].cls
    names = dict.fromkeys(name for part in parts for cls in part.cls.__mro__ for name in vars(cls))
    merged: dict[str, object] = {}
    for name in names:
        if not name.startswith("__") and name not in (*COLLECTED, *ABOUT):
            values = _latest(parts, name)
            if len(values) > 1 and not _extend_one_channel([value for _, value in values]):
                merged[name] = _merged(name, values)
    composed: type[Protocol] = _class("+".join(part.cls.__name__ for part in parts), parts, merged)
    composed.parts(Channel)  # refuses what contradicts
    return composed


def _class(name: str, parts: Sequence[Named], body: Mapping[str, object]) -> type:
    about = {"__doc__": f"{_and(parts)} together.", "__module__": __name__}
    try:
        return type(name, tuple(part.cls for part in parts), {**about, **body})
    except TypeError:  # no order of all bases keeps the order of each
        raise _refused(parts, f"the bases of {name} stand in contrary orders", defines=name) from None


def _most_derived(parts: Sequence[Named]) -> list[Named]:
    """The classes, each once, without those that others are derived from."""
    first = {part.cls: part for part in reversed(parts)}
    return [
        part
        for part in parts
        if first[part.cls] is part and not any(c is not part.cls and issubclass(c, part.cls) for c in first)
    ]


def _latest(parts: Sequence[Named], name: str) -> list[tuple[Named, object]]:
    """What an attribute is in each protocol that has it, without what another protocol overrides."""
    defined = [(part, cls) for part in parts if (cls := next((c for c in part.cls.__mro__ if name in vars(c)), None))]
    found: list[tuple[Named, object]] = []
    for part, cls in defined:
        overridden = any(cls in other.cls.__mro__ and its is not cls for other, its in defined)
        if not overridden and not any(vars(cls)[name] is value for _, value in found):
            found.append((part, vars(cls)[name]))
    return found


def _merged(name: str, values: Sequence[tuple[Named, object]]) -> object:
    """An attribute of which several protocols have a value of their own."""
    owners, given = [part for part, _ in values], [value for _, value in values]
    for kind, what in ((Machine, "machine"), (Ghost, "ghost")):
        if any(isinstance(value, type) and issubclass(value, kind) for value in given):
            return _merged_part(name, what, kind, values)
    if all(isinstance(value, Channel) for value in given):
        if all({**vars(value), "origin": None} == {**vars(given[0]), "origin": None} for value in given):
            return given[0]
        raise _refused(owners, f"both add a channel {name}")
    if any(isinstance(value, Chosen) for value in given):
        return _merged_choice(name, owners, given)
    rankings = [value for value in given if isinstance(value, Ranking)]
    if len(rankings) == len(given) and len({(ranking.applies, ranking.monitor) for ranking in rankings}) == 1:
        return _ranked_together(rankings)
    if name == "rule":
        return " and ".join(str(value) for value in given)
    if name == "drawn_by":
        return tuple(dict.fromkeys(variable for value in given if isinstance(value, tuple) for variable in value))
    if name == "visible":
        whole: dict[object, object] = {}
        for value in given:
            whole |= value if isinstance(value, Mapping) else {}
        return whole
    if all(_same_constant(given[0], value) for value in given[1:]):
        return given[0]
    raise _refused(owners, f"both define {name}", defines=name)


def _merged_choice(name: str, owners: Sequence[Named], given: Sequence[object]) -> Chosen:
    """The set or option that several protocols declare as chosen at the start, fixed where one of them fixes it."""
    chosen = [value for value in given if isinstance(value, Chosen)]
    if len(chosen) < len(given) or len({(type(value), value.doc) for value in chosen}) > 1:
        raise _refused(owners, f"both define {name}", defines=name)
    fixed = [(owner, value) for owner, value in zip(owners, chosen, strict=True) if value.initial is not EITHER]
    if len({value.initial for _, value in fixed}) > 1:
        why = f"{name} is on in one and off in the other"
        raise _refused([owner for owner, _ in fixed], why, defines=f"{name} = Option(...) that says which")
    return fixed[0][1] if fixed else chosen[0]


def _ranked_together(rankings: Sequence[Ranking]) -> Ranking:
    """The components of all: those of the first, and each of another one behind the one that it has in front of it."""
    all_of_them = list(rankings[0].components)
    for ranking in rankings[1:]:
        for before, component in zip((None, *ranking.components), ranking.components, strict=False):
            if component not in all_of_them:
                all_of_them.insert(0 if before is None else all_of_them.index(before) + 1, component)
    return replace(rankings[0], components=tuple(all_of_them))


def _extend_one_channel(values: Sequence[object]) -> bool:
    """Whether the values are one channel, which the language extends by what each class with it as a base says."""
    channels = [value for value in values if isinstance(value, Channel)]
    return len(channels) == len(values) and len({id(channel.origin) for channel in channels}) == 1


def _extend_one_choice(one: object, other: object) -> bool:
    """Whether both are one choice, which the language extends by what each class with it as a base says."""
    return isinstance(one, Choice) and isinstance(other, Choice) and one.origin is other.origin


def _same_constant(one: object, other: object) -> bool:
    return one == other and all(is_constant(item) for value in (one, other) for item in components(value))


# -- machines and ghosts ----------------------------------------------------------------------------------------------


def _merged_part(name: str, what: str, kind: type, values: Sequence[tuple[Named, object]]) -> object:
    """The class of a machine or ghost that several protocols change."""
    parts: list[Named] = []
    for owner, value in values:
        if isinstance(value, type) and issubclass(value, kind):
            parts.append(Named(owner.name, owner.protocol, value))
            continue
        other = next(part for part, its in values if its is not value)
        does = "removes" if value is None else "gives another meaning to"
        raise _refused([owner, other], f"the first {does} the {what} {name}, which the second changes", defines=name)
    parts = _most_derived(parts)
    if len(parts) == 1:
        return parts[0].cls
    for one, other in combinations(parts, 2):
        if not _shared(one.cls, other.cls) - set(kind.__mro__):
            raise _refused([one, other], f"both add a {what} {name}")
    return _class(name, _ordered(name, parts), {})


def _shared(one: type, other: type) -> set[type]:
    return set(one.__mro__) & set(other.__mro__)


def _ordered(name: str, parts: Sequence[Named]) -> list[Named]:
    """The classes in an order in which the one that replaces a method stands behind those that extend it."""
    behind: dict[Named, dict[Named, str]] = {part: {} for part in parts}
    for one, other in combinations(parts, 2):
        shared = _shared(one.cls, other.cls)
        both = [{n: None for c in p.cls.__mro__ if c not in shared for n in vars(c)} for p in (one, other)]
        for attribute in both[0]:
            if attribute in both[1] and not attribute.startswith("__"):
                last = _last(name, attribute, one, other, shared)
                if last is not None:
                    behind[last].setdefault(one if last is other else other, attribute)
    ordered: list[Named] = []
    while left := [part for part in parts if part not in ordered]:
        free = [part for part in left if not any(other in left for other in behind[part])]
        if not free:
            one = left[0]
            other = next(part for part in behind[one] if part in left)
            methods = " and ".join(f"{name}.{m}" for m in (behind[one][other], behind[other].get(one)) if m)
            raise _refused([one, other], f"each replaces what the other extends, see {methods}", name, methods)
        ordered.append(free[0])
    return ordered


def _last(name: str, attribute: str, one: Named, other: Named, shared: set[type]) -> Named | None:
    """Which of two classes that both override an attribute has to stand behind the other; None if neither has to."""
    chains = [
        [vars(cls)[attribute] for cls in part.cls.__mro__ if cls not in shared and attribute in vars(cls)]
        for part in (one, other)
    ]
    first, second = (chain[0] for chain in chains)
    where = f"{name}.{attribute}"
    if first is second or _same_declaration(first, second) or _extend_one_choice(first, second):
        return None
    if None in (first, second):
        pair = [one, other] if first is None else [other, one]
        raise _refused(pair, f"the first removes {where}, which the second changes", name, attribute)
    if plain_function(first) is None or plain_function(second) is None:
        if any(attribute in vars(cls) for cls in shared):
            raise _refused([one, other], f"both declare {where} anew", name, attribute)
        raise _refused([one, other], f"both declare {where}")
    infos = [getattr(value, "action_info", None) for value in (first, second)]
    if None not in infos and infos[0] != infos[1]:
        raise _refused([one, other], f"each declares {where} as another action", name, attribute)
    replaced = [_replaces(attribute, chain) for chain in chains]
    if all(replaced):
        what = (
            "action" if any(hasattr(vars(cls).get(attribute), "action_info") for cls in one.cls.__mro__) else "method"
        )
        why = f"both replace the {what} {where}, and neither calls super().{attribute}()"
        raise _refused([one, other], why, name, attribute)
    return one if replaced[0] else other if replaced[1] else None


def _same_declaration(one: object, other: object) -> bool:
    if isinstance(one, DeclaredEnd):
        return type(one) is type(other) and vars(one) == vars(other)
    return (isinstance(one, Thread) and one == other) or _same_constant(one, other)


def _replaces(method: str, chain: Sequence[object]) -> bool:
    """Whether one of the definitions of a method does not call that of its base by ``super()``."""
    functions = [plain_function(value) for value in chain]
    return any(function is None or not _calls_super(method, text_of(function).node) for function in functions)


def _calls_super(method: str, node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Attribute)
        and part.attr == method
        and isinstance(part.value, ast.Call)
        and isinstance(part.value.func, ast.Name)
        and part.value.func.id == "super"
        for part in ast.walk(node)
    )


# -- what to say ------------------------------------------------------------------------------------------------------


def _refused(parts: Sequence[Named], why: str, part: str = "", defines: str = "") -> UsageError:
    """The error in one line.

    Args:
        parts: those that cannot be combined.
        why: what stands in the way.
        part: the machine that has to be written, if it is one.
        defines: what has to be defined; nothing where a name has to be changed.
    """
    names = [part.protocol.__name__ for part in parts]
    write = f"write class Both({', '.join(names)}) in a file of your own"
    if part:
        write += f", with class {part}({', '.join(f'{name}.{part}' for name in names)}) that defines {defines}"
    elif defines:
        write += f", with {defines}"
    else:
        write = "give one of them another name"
    return UsageError(f"{_and(parts)} cannot be combined: {why}; {write}")


def _and(parts: Sequence[Named]) -> str:
    names = [part.name for part in parts]
    return ", ".join(names[:-1]) + f" and {names[-1]}"
