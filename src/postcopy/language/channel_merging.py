"""The channel of a protocol by its name: what several bases add to it is put together; contradictions are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from postcopy.errors import SpecError
from postcopy.language.channels import Channel, Extension
from postcopy.language.fields import Field
from postcopy.language.source_locations import of_class

T = TypeVar("T")


def channel_of(protocol: type, name: str) -> Channel:
    """A channel as the nearest class of a protocol declares it, with the extensions of all bases.

    The extensions come in the order of the bases, the most basic first. One that two of them have counts once, and a
    kind of message that two of them add is added once.

    Raises:
        SpecError: two bases contradict each other, and no class that has both says which is right.
    """
    nearest: Channel = getattr(protocol, name)
    declared = [(base, base.__dict__[name]) for base in reversed(protocol.__mro__) if _declares(base, name)]
    _check_origins(protocol, name, nearest, declared)
    said: dict[Extension, type] = {}
    for base, channel in declared:
        if channel.origin is nearest.origin:
            for extension in channel.extensions:
                said.setdefault(extension, base)
    _check_fields(protocol, name, nearest.origin, declared, said)
    if tuple(said) == nearest.extensions:
        return nearest
    for what in ("capacity", "reconnects"):
        _check_same(protocol, name, what, [(by, getattr(extension, what)) for extension, by in said.items()])
    merged = nearest.origin
    added: list[object] = []
    for extension in said:
        kinds = [kind for kind in extension.messages if not any(kind is known for known in added)]
        added += kinds
        merged = merged.with_extension(
            Extension(tuple(kinds), extension.marked, extension.reconnects, extension.capacity, extension.fields)
        )
    return merged


def _declares(base: type, name: str) -> bool:
    return isinstance(vars(base).get(name), Channel)


def _check_origins(protocol: type, name: str, nearest: Channel, declared: Sequence[tuple[type, Channel]]) -> None:
    """Refuse two channels of one name, of bases of which none knows the other."""
    same = [base for base, channel in declared if channel.origin is nearest.origin]
    for base, channel in declared:
        if channel.origin is not nearest.origin and not any(issubclass(other, base) for other in same):
            raise SpecError(
                f"{same[-1].__name__} and {base.__name__} each declare a channel {name} of their own: extend the one "
                f"of a base in both, {name} = Base.{name}.extended(...), or give one of them another name",
                of_class(protocol),
            )


def _check_same(protocol: type, name: str, what: str, said: Sequence[tuple[type, T | None]]) -> None:
    """Refuse that two bases say different things of a channel where the last word is of none that knows both."""
    told = [(by, value) for by, value in said if value is not None]
    for by, value in told[:-1]:
        last, its = told[-1]
        if value != its and not issubclass(last, by):
            raise SpecError(
                f"{by.__name__} and {last.__name__} contradict each other: {what}={value} and {what}={its} of the "
                f"channel {name}. Say which, {name} = {last.__name__}.{name}.extended({what}=...)",
                of_class(protocol),
            )


def _check_fields(
    protocol: type,
    name: str,
    origin: Channel,
    declared: Sequence[tuple[type, Channel]],
    said: Mapping[Extension, type],
) -> None:
    """Refuse that two bases declare a field of messages under one name differently."""
    first = next(base for base, channel in declared if channel.origin is origin)
    known: dict[str, tuple[type, Field[Any]]] = {field: (first, its) for field, its in origin.fields.items()}
    for extension, by in said.items():
        for field, its in extension.fields.items():
            other, before = known.setdefault(field, (by, its))
            if _declared(before) != _declared(its):
                raise SpecError(
                    f"{other.__name__} and {by.__name__} contradict each other: both declare the field {field} of "
                    f"messages on {name}, and not alike. Give one of the two another name",
                    of_class(protocol),
                )


def _declared(field: Field[Any]) -> tuple[object, ...]:
    """What a declaration of a field says: equal where two say the same."""
    variable = field.carried("", "", field.doc)
    return type(field), variable, tuple(map(type, variable.values)), type(field.initial), field.initial
