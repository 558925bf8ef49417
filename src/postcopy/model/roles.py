"""What a set of pages is in a migration: the roles that machines declare for their sets, and properties ask for.

A change that adds a set of pages declares its role, and the properties of the catalogue speak of it too. What a thread
waits for is declared with `waits`. A message that carries copies of its pages is one that is `marked` on its channel.
"""

from enum import Enum, auto


class Role(Enum):
    """What the pages of a set (or of a message) are."""

    PRESENT = auto()
    """They are in the destination's memory."""
    LANDING = auto()
    """A copy of them has come, and will be placed without any further request."""
    KEPT = auto()
    """A copy of them has come, and is kept aside until something asks for it."""
    REQUEST = auto()
    """They have been asked for, and not been sent since."""
    UNSENT = auto()
    """A host will send them, whether or not they are asked for."""
    NOTE = auto()
    """What a host remembers of them. No promise is about it."""
