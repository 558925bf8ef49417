"""An interpretation runs the bodies of actions: what a body needs from it, and what it refuses to every body.

The same body is run concretely (`concrete`), symbolically (`symbolic`) and for one long run (`single_run`): each is an
`Interpretation`. What can be seen in a body's text alone is not checked here but in `body_checks`.
"""

from __future__ import annotations

import inspect
import sys
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from postcopy.errors import SpecError, UnknownNameError
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.looks import Looks
from postcopy.language.messages import Event, Message, Pattern
from postcopy.language.source_locations import location
from postcopy.language.values import PageSet, Whole
from postcopy.language.variables import Variable
from postcopy.language.worlds import World


class Scope(typing.Protocol):
    """The names of a protocol that bodies can refer to: what an interpretation needs to know of an `Instance`."""

    @property
    def cpus(self) -> int:
        """How many vCPUs there are."""

    @property
    def machines(self) -> Mapping[str, object]:
        """The machines by name."""

    @property
    def ghosts(self) -> Mapping[str, Callable[[str, Interpretation], object]]:
        """What makes each ghost (and monitor) for an interpretation, by name."""

    @property
    def monitors(self) -> Mapping[str, object]:
        """The monitors by name."""

    @property
    def channels(self) -> Mapping[str, ChannelVariables]:
        """The channels by name."""

    @property
    def roles(self) -> Sequence[tuple[Enum, Enum]]:
        """Kinds of message with their roles."""

    @property
    def worlds(self) -> Mapping[str, World]:
        """What belongs to each of several systems: "" for the first, and for ghosts of others. Empty for one."""

    @property
    def variable(self) -> Mapping[str, Variable]:
        """The variables of the state by name."""

    @property
    def parts(self) -> Mapping[str, Callable[[Interpretation], object]]:
        """What makes each machine, ghost, monitor and channel for a `View`, by name."""


class Interpretation(ABC):
    """One way to run a method body. The type of its values is the interpretation's own.

    Attributes:
        instance: the protocol whose bodies are run.
        actor: the machine whose action runs; None while a property or monitor looks on.
        readable: names of the parts that may be read now; None: all.
        writable: names of the parts that may be written now.
        events: what the run has observed, sent and received so far.
        looks: where it is noted what is read; None where that is of no interest.
        thread: the thread whose action runs, as in a sentence; None while a property or monitor looks on.
    """

    instance: Scope
    looks: Looks | None = None

    def __init__(self, instance: Scope) -> None:
        self.instance = instance
        self.actor: str | None = None
        self.readable: frozenset[str] | None = None
        self.writable: frozenset[str] = frozenset()
        self.events: list[Event] = []
        self.thread: str | None = None

    @abstractmethod
    def load(self, variable: Variable) -> object:
        """The value of a variable: a `PageSet`, a truth value, a member of an enumeration, or a number."""

    @abstractmethod
    def store(self, variable: Variable, value: object) -> None:
        """Give a variable a new value; the value's type and range have to fit."""

    @abstractmethod
    def demand(self, condition: bool, message: str) -> None:
        """The step errs where the condition does not hold, unless a later guard forbids it."""

    @abstractmethod
    def pages(self, what: Whole) -> PageSet:
        """The set with no page or with all pages, as a value of this interpretation."""

    def page_set(self, value: PageSet | Whole) -> PageSet:
        """The set of pages that a body gives, as a value of this interpretation."""
        if isinstance(value, Whole):
            return self.pages(value)
        if not isinstance(value, PageSet):
            raise SpecError(f"a set of pages is needed here, not {value!r}", self.where())
        return value

    @abstractmethod
    def room(self, channel: ChannelVariables, messages: int) -> bool:
        """Whether the channel can take that many more messages."""

    @abstractmethod
    def send(
        self,
        channel: ChannelVariables,
        kind: Enum,
        pages: PageSet,
        marks: Mapping[str, PageSet],
        fields: Mapping[str, object],
    ) -> None:
        """Append a message, marked where one of its pages is in the mark's set, with a value for each field."""

    @abstractmethod
    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        """Whether the oldest message is of this kind (None: there is no message)."""

    @abstractmethod
    def head(self, channel: ChannelVariables) -> Message:
        """The oldest message, which there has to be."""

    @abstractmethod
    def pop(self, channel: ChannelVariables) -> None:
        """Take the oldest message off."""

    @abstractmethod
    def drop_newest(self, channel: ChannelVariables) -> None:
        """The newest message is lost."""

    @abstractmethod
    def clear(self, channel: ChannelVariables) -> None:
        """All messages are lost."""

    @abstractmethod
    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        """The pages for which the channel has a message for each pattern, one behind the other."""

    @abstractmethod
    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        """Whether a message of this kind is on the channel."""

    @abstractmethod
    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages."""

    def acting(self, actor: str | None, readable: frozenset[str] | None, writable: frozenset[str]) -> Acting:
        """For a while, let `actor` read and write no more than the given parts (readable None: read everything)."""
        return Acting(self, (actor, readable, writable))

    def check_read(self, owner: str, name: str) -> None:
        """Refuse a read of a variable that the acting machine cannot see."""
        if self.readable is not None and owner not in self.readable and owner not in self.instance.ghosts:
            raise SpecError(
                f"{self.actor} reads {name}, which belongs to {owner}: a machine sees only its own state and "
                "its ends of the channels; send a message instead",
                self.where(),
            )

    def check_write(self, owner: str, name: str) -> None:
        """Refuse a write to a variable of another machine."""
        if owner not in self.writable:
            who = self.actor or "a property"
            instead = f"call a method of {owner} instead" if owner in self.instance.ghosts else "send a message instead"
            raise SpecError(
                f"{who} writes {name}, which belongs to {owner}: only {owner} itself may change it; {instead}",
                self.where(),
            )

    def check_change(self, what: str) -> None:
        """Refuse that a ghost, a monitor or a property changes a channel."""
        if self.readable is None:
            who = self.actor or "a property"
            raise SpecError(f"{who} changes {what}: ghosts, monitors and properties only look", self.where())

    def check_mark(self, channel: ChannelVariables, mark: str) -> None:
        """Refuse a ghost mark that the channel does not have."""
        marks = channel.slots[0].marks
        if mark not in marks:
            raise UnknownNameError(
                f"{channel.name} has no mark {mark}; its marks are {', '.join(marks) or 'none'}", self.where()
            )

    def check_kind(self, channel: ChannelVariables, kind: object) -> None:
        """Refuse a kind of message that the channel does not carry."""
        if not any(kind is known for known in channel.kinds):
            raise UnknownNameError(f"{channel.name} carries {channel.carries}, not {kind!r}", self.where())

    def listening(self, channel: ChannelVariables) -> Variable:
        """The variable that says whether a new connection may be made; refuses a channel that has none."""
        if channel.listening is None:
            raise SpecError(
                f"{channel.name} is connected once and for all: declare it with reconnects=True", self.where()
            )
        return channel.listening

    def where(self) -> str:
        """``file:line, in method`` of the innermost statement of the specification that is being run."""
        own = {str(getattr(sys.modules.get(cls.__module__), "__file__", "")) for cls in type(self).__mro__}
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename in own:  # it may be of another room
            frame = frame.f_back
        return location(frame, self.actor)


class Acting:
    """For a while, an interpretation runs what a part does: see `Interpretation.acting`.

    Args:
        interpretation: the interpretation.
        rights: who acts, and what may be read and written.
    """

    def __init__(
        self, interpretation: Interpretation, rights: tuple[str | None, frozenset[str] | None, frozenset[str]]
    ) -> None:
        self._interpretation, self._rights = interpretation, rights

    def __enter__(self) -> None:
        self._exchange()

    def __exit__(self, *_: object) -> None:
        self._exchange()

    def _exchange(self) -> None:
        """Put the rights in force, and keep those that were."""
        of = self._interpretation
        before = of.actor, of.readable, of.writable
        of.actor, of.readable, of.writable = self._rights
        self._rights = before
