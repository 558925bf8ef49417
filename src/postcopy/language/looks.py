"""What properties and monitors look at: collected while they are read, so that a search can say what they missed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from postcopy.language.variables import Variable


class How(Enum):
    """How a step can have to do with an event or a message."""

    OBSERVED = "observed"
    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True)
class Sight:
    """An event or a message that a property of steps or a monitor looks for.

    Attributes:
        what: the event, or the kind of the message.
        how: how a step has to do with it.
        enumeration: that of `what`: a member of an IntEnum equals those of others.
    """

    what: Enum
    how: How
    enumeration: type[Enum] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "enumeration", type(self.what))

    @property
    def name(self) -> str:
        """In words, e.g. ``Memory.CPU_READ`` or ``Command.PAGE sent``."""
        name = f"{type(self.what).__name__}.{self.what.name}"
        return name if self.how is How.OBSERVED else f"{name} {self.how.value}"


@dataclass
class Looks:
    """What a property (with its monitor) looks at, in any state or step.

    Attributes:
        variables: the fields that it reads.
        sights: the events and messages that it looks for.
        roles: whether it asks for the pages of a role, or for those that threads wait for.
    """

    variables: set[Variable] = field(default_factory=set)
    sights: set[Sight] = field(default_factory=set)
    roles: bool = False

    def add(self, other: Looks) -> None:
        """Note what another looks at, too."""
        self.variables |= other.variables
        self.sights |= other.sights
        self.roles |= other.roles

    @classmethod
    def all_of(cls, several: Iterable[Looks]) -> Looks:
        """All of several together."""
        whole = cls()
        for looks in several:
            whole.add(looks)
        return whole
