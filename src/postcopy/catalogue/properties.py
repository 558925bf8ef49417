"""All properties by name, and which of them are asked of a protocol: what the command line and the documentation
choose from."""

from __future__ import annotations

from collections.abc import Mapping

from postcopy.catalogue.loading import by_name
from postcopy.errors import SpecError, UsageError
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.source_locations import of_class
from postcopy.properties.beyond import BEYOND
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from postcopy.suggestions import did_you_mean, unknown

DEFAULT: tuple[Property, ...] = (*SAFETY, *WITNESSES, *LIVENESS)
"""What is asked of every protocol, unless it declares a property inapplicable."""

BY_NAME: dict[str, Property] = {p.name: p for p in (*DEFAULT, *BEYOND)}


def asked_of(protocol: type[Protocol]) -> tuple[Property, ...]:
    """What is checked of a protocol when nothing is chosen: the catalogue's properties but for those that it declares
    inapplicable, and its own.

    Raises:
        SpecError: the protocol declares one wrongly; the message names the class and the line.
    """
    own, excused = _own(protocol), reasons(protocol)
    asked = [p for p in dict.fromkeys((*DEFAULT, *own)) if p.name not in excused]
    return tuple(sorted(asked, key=lambda p: (p.of_runs, p.is_witness)))  # the kernel has few bits for those of steps


def everything(protocol: type[Protocol]) -> tuple[Property, ...]:
    """All properties that can be asked of a protocol, those included that are not asked by default."""
    return tuple(dict.fromkeys((*asked_of(protocol), *BEYOND)))


def with_everything(name: str, pages: int, in_flight: int, group: int) -> Instance:
    """An instance of the protocol that a stored trace names, with all that can be asked of it.

    Raises:
        UsageError: there is no such protocol, or the size does not fit.
        SpecError: as `asked_of`.
    """
    return all_asked(by_name(name), pages, in_flight, group)


def all_asked(protocol: type[Protocol], pages: int, in_flight: int, group: int) -> Instance:
    """An instance of a protocol with all that can be asked of it.

    Raises:
        UsageError: the size does not fit.
        SpecError: as `asked_of`.
    """
    return Instance(protocol, pages, in_flight, everything(protocol), group)


def reasons(protocol: type[Protocol]) -> dict[str, str]:
    """Why properties are not asked of a protocol, by the name of the property.

    Raises:
        SpecError: there is no such property, or no reason.
    """
    known = {p.name for p in (*DEFAULT, *_own(protocol))}
    found: dict[str, str] = {}
    for base in reversed(protocol.__mro__):
        declared = vars(base).get("inapplicable", {})
        if not isinstance(declared, Mapping):
            raise _error(base, "inapplicable", "is not a dictionary of names and reasons")
        for name, reason in declared.items():
            if name not in known:
                hint = did_you_mean(str(name), known) or "; postcopy list properties shows what there is"
                raise _error(base, "inapplicable", f"names {name}, and there is no such property{hint}")
            if not isinstance(reason, str) or not reason.strip():
                raise _error(base, "inapplicable", f"gives no reason why {name} is not asked")
            found[name] = reason
    return found


def choose(names: list[str], protocol: type[Protocol]) -> tuple[Property, ...]:
    """The named properties, or those asked of the protocol where none is named.

    Raises:
        UsageError: there is no property of that name.
        SpecError: as `asked_of`.
    """
    known = BY_NAME | {p.name: p for p in _own(protocol)}
    for name in names:
        if name not in known:
            raise UsageError(unknown("property", name, known))
    return tuple(known[name] for name in dict.fromkeys(names)) or asked_of(protocol)


def _own(protocol: type[Protocol]) -> tuple[Property, ...]:
    """The properties that a protocol and its bases declare, the bases' first."""
    own: dict[str, Property] = {}
    for base in reversed(protocol.__mro__):
        declared = vars(base).get("properties", ())
        if not isinstance(declared, tuple):
            raise _error(base, "properties", "is not a tuple: properties = (one, another)")
        for prop in declared:
            if not isinstance(prop, Property):
                name = getattr(prop, "__name__", repr(prop))
                raise _error(base, "properties", f"holds {name}, which is no property: decorate it, e.g. with @always")
            if own.setdefault(prop.name, BY_NAME.get(prop.name, prop)) is not prop:
                raise _error(base, "properties", f"holds another property called {prop.name}: choose another name")
    return tuple(own.values())


def _error(cls: type, attribute: str, what: str) -> SpecError:
    return SpecError(f"{cls.__name__}.{attribute} {what}", of_class(cls, attribute))
