"""What is asked: a protocol, by a name, a file or its class; a size; and properties."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TypeAlias

from postcopy.catalogue import loading, tables
from postcopy.catalogue.properties import choose
from postcopy.errors import UsageError
from postcopy.language.attribute_checks import check_attributes
from postcopy.language.instance import Instance
from postcopy.language.machines import Part
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.surface import command, setting


class NamedProtocol(NamedTuple):
    """A protocol, and the name that traces and reports give it."""

    name: str
    protocol: type[Protocol]


ProtocolLike: TypeAlias = str | Path | type[Protocol] | NamedProtocol
"""A protocol: its class; or what the command line takes: a name of the catalogue, FILE.py:Class, or several with +
between them, and OPTION=on or OPTION=off."""

PropertiesLike: TypeAlias = str | Property | Iterable[str | Property]
"""Properties, by their names or themselves; none of them stands for all that is asked of the protocol."""


def load(protocol: ProtocolLike) -> NamedProtocol:
    """The protocol that a name, a file or a class says, with its name.

    Args:
        protocol: see `ProtocolLike`.

    Raises:
        UsageError: there is no such protocol, a file cannot be read, or what is given is no protocol.
        SpecError: a file's own code errs as a specification while it is read.
    """
    if isinstance(protocol, NamedProtocol):
        return protocol
    if isinstance(protocol, Path):
        return NamedProtocol(*loading.resolve(str(protocol)))
    if isinstance(protocol, str):
        if not protocol.strip():
            raise UsageError("the name of a protocol is empty: write a class, a name or FILE.py:Class")
        return NamedProtocol(*loading.resolve(protocol))
    if isinstance(protocol, type) and issubclass(protocol, Protocol):
        check_attributes(protocol)
        return NamedProtocol(_name_of(protocol), protocol)
    if isinstance(protocol, Protocol):
        raise UsageError(f"give the class {type(protocol).__name__} itself, without () behind it")
    kind = "a protocol is a class, a name or FILE.py:Class"
    if isinstance(protocol, type) and issubclass(protocol, Part):
        raise UsageError(f"{kind}, and {protocol.__name__} is a part of one: give the Protocol that has it")
    raise UsageError(f"{kind}, and not {_short(protocol)}")


def _name_of(protocol: type[Protocol]) -> str:
    """The name in the catalogue, if it is of the catalogue."""
    names = (name for name, known in tables.BY_NAME.items() if known is protocol)
    return next(names, protocol.__name__)


def instance_of(
    protocol: type[Protocol],
    pages: int,
    in_flight: int,
    host_page: int | None,
    properties: PropertiesLike,
    *,
    liveness: bool,
) -> Instance:
    """The protocol at a size, with the properties that are asked.

    Args:
        protocol: the class.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        properties: see `PropertiesLike`.
        liveness: properties of whole runs are asked too.

    Raises:
        UsageError: the size does not fit; there is no such property; or one of whole runs is asked for by name,
            where only states and steps are looked at.
        SpecError: the protocol declares something wrongly.
    """
    whole_numbers(pages=pages, in_flight=in_flight)
    unless_none(whole_numbers, host_page=host_page)
    named = listed(properties)
    asked = choose(named, protocol)
    kept = [p for p in asked if liveness or not p.of_runs]
    if named and len(kept) < len(asked):
        lost = next(p.name for p in asked if p.of_runs)
        without = setting("liveness", False)
        raise UsageError(f"{lost} speaks of whole runs: only {command('check')} without {without} can be asked that")
    return Instance(protocol, pages, in_flight, kept, protocol.group if host_page is None else host_page)


def whole_numbers(**given: object) -> None:
    """Refuse what is no whole number, by the names of the parameters.

    Raises:
        UsageError: one is none.
    """
    for name, number in given.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise UsageError(f"{setting(name)} is a whole number, and not {_short(number)}")


def times(**given: object) -> None:
    """Refuse what is no time in seconds, by the names of the parameters.

    Raises:
        UsageError: one is none.
    """
    for name, number in given.items():
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise UsageError(f"{setting(name)} is a time in seconds, and not {_short(number)}")


def texts(**given: object) -> None:
    """Refuse what is no text, by the names of the parameters.

    Raises:
        UsageError: one is none.
    """
    for name, text in given.items():
        if not isinstance(text, str):
            raise UsageError(f"{setting(name)} is a text, and not {_short(text)}")


def functions(**given: object) -> None:
    """Refuse what cannot be called, by the names of the parameters.

    Raises:
        UsageError: one cannot.
    """
    for name, function in given.items():
        if not callable(function):
            raise UsageError(f"{setting(name)} is a function of a line, such as print, and not {_short(function)}")


def unless_none(refuse: Callable[..., None], **given: object) -> None:
    """Refuse as `whole_numbers`, `times` and `texts` do, where None stands for a default.

    Raises:
        UsageError: as these.
    """
    refuse(**{name: value for name, value in given.items() if value is not None})


def path_of(name: str, given: object) -> Path:
    """A path, from what is given for a parameter.

    Raises:
        UsageError: it is neither a text nor a path.
    """
    if not isinstance(given, str | PathLike):
        raise UsageError(f"{setting(name)} is the name of a file, and not {_short(given)}")
    return Path(given)


def path_or_none(name: str, given: object) -> Path | None:
    """As `path_of`; None for None."""
    return None if given is None else path_of(name, given)


def listed(properties: PropertiesLike) -> list[str | Property]:
    """The properties that are given, as a list.

    Raises:
        UsageError: one is neither a name nor a property.
    """
    if isinstance(properties, str | Property):
        return [properties]
    if not isinstance(properties, Iterable):
        raise UsageError(
            f"properties are given by their names, in a list, and not as {_short(properties)}{_decorate(properties)}"
        )
    found = list(properties)
    for each in found:
        if not isinstance(each, str | Property):
            raise UsageError(f"a property is given by its name, and not as {_short(each)}{_decorate(each)}")
    return found


def _decorate(given: object) -> str:
    """What to do with a function that was to be a property."""
    return '; decorate it, as with @always("...")' if callable(given) else ""


def _short(given: object) -> str:
    """A value as a message shows it."""
    text = " ".join(repr(given).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
