"""All properties by name: what the command line and the documentation choose from."""

from postcopy.errors import UsageError
from postcopy.names import unknown
from postcopy.properties.beyond import BEYOND
from postcopy.properties.language import Property
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES

DEFAULT: tuple[Property, ...] = (*SAFETY, *WITNESSES, *LIVENESS)
"""What is checked when nothing is chosen."""

BY_NAME: dict[str, Property] = {p.name: p for p in (*DEFAULT, *BEYOND)}


def choose(names: list[str]) -> tuple[Property, ...]:
    """The named properties, or the default ones where none is named.

    Raises:
        UsageError: there is no property of that name.
    """
    for name in names:
        if name not in BY_NAME:
            raise UsageError(unknown("property", name, BY_NAME))
    return tuple(BY_NAME[name] for name in dict.fromkeys(names)) or DEFAULT
