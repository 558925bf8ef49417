"""What a change removes of its base (``wire = None``), and the properties that still read it."""

from __future__ import annotations

from postcopy.errors import UnknownNameError
from postcopy.language.body_checks import checks_of
from postcopy.language.channels import Channel
from postcopy.language.instance import Instance
from postcopy.language.machines import Ghost, Machine
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.source_locations import of_class
from postcopy.language.view import Step, View


def check_removed(instance: Instance) -> None:
    """Refuse that a property is asked that reads what the protocol has removed.

    Raises:
        UnknownNameError: it is; the message names the change, what it removes, and the properties.
    """
    removed = removed_by(instance.protocol)
    if not removed:
        return
    reading = {name: [p.name for p in instance.properties if name in _absent(instance, p)] for name in removed}
    for name, properties in reading.items():
        if properties:
            change, several = removed[name], len(properties) > 1
            which = f"propert{'ies' if several else 'y'} {', '.join(properties)} read{'' if several else 's'}"
            declared = ", ".join(f'"{each}": "the reason"' for each in properties)
            raise UnknownNameError(
                f"{change.__name__} removes {name}, which the {which}: declare inapplicable = {{{declared}}} in "
                f"{change.__name__}, or leave {name} in",
                of_class(change, name),
            )


def removed_by(protocol: type[Protocol]) -> dict[str, type[Protocol]]:
    """What a protocol does not have any more of its bases, by name, with the class that removes it."""
    found: dict[str, type[Protocol]] = {}
    for change in protocol.__mro__:
        if not issubclass(change, Protocol):
            continue
        had = {name for base in change.__mro__[1:] if issubclass(base, Protocol) for name in _parts(base)}
        for name, value in vars(change).items():
            if value is None and name in had and getattr(protocol, name) is None:
                found.setdefault(name, change)
    return found


def _parts(protocol: type[Protocol]) -> list[str]:
    return [name for kind in (Machine, Ghost, Channel) for name in protocol.parts(kind)]


def _absent(instance: Instance, prop: Property) -> frozenset[str]:
    checks = checks_of(instance.protocol, instance.monitors)
    absent = checks.function(prop.holds, Step if prop.of_steps else View)
    return absent if prop.monitor is None else absent | checks.ghost(prop.monitor)
