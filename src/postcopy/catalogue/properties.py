"""All properties by name, and which of them are asked of a protocol: what the command line and the documentation
choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from postcopy.catalogue.loading import by_name
from postcopy.errors import SpecError, UsageError
from postcopy.language.instance import Instance
from postcopy.language.locks import locks_come_free
from postcopy.language.properties import NO_DEADLOCK, Property
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.language.source_locations import of_class
from postcopy.model.postcopy import Postcopy
from postcopy.properties.beyond import BEYOND
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.ranking import RANKING
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from postcopy.suggestions import did_you_mean, unknown
from postcopy.surface import command

DEFAULT: tuple[Property, ...] = (*SAFETY, *WITNESSES, *LIVENESS)
"""What is asked of the document's protocol and of all that extends it, unless it declares a property inapplicable."""

BY_NAME: dict[str, Property] = {p.name: p for p in (*DEFAULT, *BEYOND)}
"""All that can be asked of the document's protocol and of all that extends it."""


def asked_of(protocol: type[Protocol]) -> tuple[Property, ...]:
    """What is checked of a protocol when nothing is chosen: the catalogue's properties and its own, but for those that
    it declares inapplicable. Of the catalogue, a protocol that does not extend the document's is asked for the absence
    of deadlock alone.

    Raises:
        SpecError: the protocol declares one wrongly; the message names the class and the line.
    """
    own, excused = _own(protocol), reasons(protocol)
    asked = [p for p in dict.fromkeys((*_default(protocol), *own)) if p.name not in excused]
    return tuple(sorted(asked, key=lambda p: (p.of_runs, p.is_witness)))  # the kernel has few bits for those of steps


def everything(protocol: type[Protocol]) -> tuple[Property, ...]:
    """All properties that can be asked of a protocol, those included that are not asked by default."""
    return tuple(dict.fromkeys((*asked_of(protocol), *(BEYOND if issubclass(protocol, Postcopy) else ()))))


class ToProve(NamedTuple):
    """What a proof is about.

    Attributes:
        properties: all that is asked of the protocol. A proof names those that it cannot ask: of whole runs, witnesses.
        invariant: the conjuncts that help to prove them.
        ranking: why the protocol ends, if that is known.
    """

    properties: tuple[Property, ...]
    invariant: tuple[Property, ...]
    ranking: Ranking | None


def proved_of(protocol: type[Protocol], names: Sequence[str | Property] = ()) -> ToProve:
    """What a proof asks of a protocol: what `asked_of` says, or the properties of these names. What helps are the
    protocol's own conjuncts, for the document's protocol and what extends it those of the catalogue, and the properties
    of states that are not asked. An own conjunct with the name of one of the catalogue takes its place, and so does an
    own ranking. A protocol that is `proved_alone` has its own conjuncts and nothing else.

    Raises:
        UsageError: there is no property of that name, or a proof cannot be asked it.
        SpecError: as `asked_of`; or a conjunct is none.
    """
    asked, own = choose(names, protocol), tuple(_declared(protocol, "invariant").values())
    for prop in asked if names else ():
        if prop.of_runs or prop.is_witness:
            what = "speaks of whole runs" if prop.of_runs else "says what can be reached"
            raise UsageError(f"{prop.name} {what}: a proof cannot be asked that, but {command('check')} can")
    if protocol.proved_alone:
        return ToProve(asked, own, _ranking(protocol))
    others = tuple(p for p in asked_of(protocol) if p.of_states and p not in asked)
    if issubclass(protocol, Postcopy):
        restated = {conjunct.name for conjunct in own}
        return ToProve(
            asked, (*(c for c in INVARIANT if c.name not in restated), *own, *others), _ranking(protocol) or RANKING
        )
    return ToProve(asked, (*own, *others), _ranking(protocol))


def _ranking(protocol: type[Protocol]) -> Ranking | None:
    """The ranking that a protocol declares."""
    ranking = protocol.ranking
    if ranking is not None and not isinstance(ranking, Ranking):
        raise _error(protocol, "ranking", "is no ranking: ranking = Ranking(applies, monitor, components)")
    return ranking


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
    known = {p.name for p in (*_default(protocol), *_own(protocol))}
    found: dict[str, str] = {}
    for base in reversed(protocol.__mro__):
        declared = vars(base).get("inapplicable", {})
        if not isinstance(declared, Mapping):
            raise _error(base, "inapplicable", "is not a dictionary of names and reasons")
        for name, reason in declared.items():
            if name not in known:
                hint = did_you_mean(str(name), known) or f"; {command('list', 'properties')} shows what there is"
                raise _error(base, "inapplicable", f"names {name}, and there is no such property{hint}")
            if not isinstance(reason, str) or not reason.strip():
                raise _error(base, "inapplicable", f"gives no reason why {name} is not asked")
            found[name] = reason
    return found


def choose(given: Sequence[str | Property], protocol: type[Protocol]) -> tuple[Property, ...]:
    """The given properties, by name or themselves, each once; those asked of the protocol where none is given.

    Raises:
        UsageError: there is no property of that name.
        SpecError: as `asked_of`.
    """
    known = _by_name(protocol) | {p.name: p for p in _own(protocol)}
    known |= {each.name: each for each in given if isinstance(each, Property)}
    names = [each.name if isinstance(each, Property) else each for each in given]
    for name in names:
        if name not in known:
            raise UsageError(unknown("property", name, known))
    return tuple(known[name] for name in dict.fromkeys(names)) or asked_of(protocol)


def _default(protocol: type[Protocol]) -> tuple[Property, ...]:
    """What the catalogue asks of a protocol that excuses itself from nothing."""
    return (*(DEFAULT if issubclass(protocol, Postcopy) else (NO_DEADLOCK,)), *locks_come_free(protocol))


def _by_name(protocol: type[Protocol]) -> dict[str, Property]:
    """All of the catalogue that can be asked of a protocol."""
    known = BY_NAME if issubclass(protocol, Postcopy) else {NO_DEADLOCK.name: NO_DEADLOCK}
    return known | {p.name: p for p in locks_come_free(protocol)}


def _own(protocol: type[Protocol]) -> tuple[Property, ...]:
    """The properties that a protocol and its bases declare, the bases' first."""
    return tuple(_declared(protocol, "properties").values())


def _declared(protocol: type[Protocol], attribute: str) -> dict[str, Property]:
    """The properties in an attribute of a protocol and its bases, the bases' first."""
    own: dict[str, Property] = {}
    catalogue = _by_name(protocol)
    for base in reversed(protocol.__mro__):
        declared = vars(base).get(attribute, ())
        if not isinstance(declared, tuple):
            raise _error(base, attribute, f"is not a tuple: {attribute} = (one, another)")
        decorator = "@conjunct" if attribute == "invariant" else "@always"
        for prop in declared:
            if not isinstance(prop, Property):
                name = getattr(prop, "__name__", repr(prop))
                raise _error(base, attribute, f"holds {name}, which is no property: decorate it, e.g. with {decorator}")
            known = catalogue.get(prop.name, prop)
            if own.setdefault(prop.name, known) is not prop and prop is not NO_DEADLOCK:
                raise _error(base, attribute, f"holds another property called {prop.name}: choose another name")
    return own


def _error(cls: type, attribute: str, what: str) -> SpecError:
    return SpecError(f"{cls.__name__}.{attribute} {what}", of_class(cls, attribute))
