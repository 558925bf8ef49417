"""What a method body needs from whoever reads it, and the views through which it sees the state.

The same body is read concretely (`concrete`) and symbolically (`symbolic`); both are a `Interpretation`. The views
here are thin: they check that a machine touches only what is its own and pass the rest on. What can be told
from a body's text alone is not checked here but in `checks`.
"""

from __future__ import annotations

import dataclasses
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, cast

from postcopy.errors import PostcopyError, SpecError
from postcopy.language.expressions import Variable, index_of
from postcopy.language.values import NONE, Misuse, PageSet, Whole

if TYPE_CHECKING:
    from postcopy.language.instance import ActionInstance, Instance


class Signal(Exception):
    """Not an error: how the language and an interpretation steer a run of a body."""


class Disabled(Signal):
    """A guard does not hold: the action cannot be taken here. Raised by `require`, caught by the interpretation."""


class LimitReached(Exception):
    """The action ran for so long that it is taken never to end."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The end of a message about an unknown name."""
    close = get_close_matches(name, list(candidates), n=1)
    return f"; did you mean {close[0]}?" if close else ""


@dataclass(frozen=True)
class Slot:
    """The variables of one place in a channel: a message's kind (0: none), its pages, its ghost marks."""

    kind: Variable
    pages: Variable
    marks: dict[str, Variable]


@dataclass(frozen=True)
class ChannelVariables:
    """A bounded FIFO channel, flattened.

    Attributes:
        name: as declared in the protocol.
        kinds: the messages that it can carry.
        slots: oldest message first.
        up: whether the connection below stands.
        marked: the kinds of message that carry ghost marks.
        listening: whether a new connection may be made; None for a channel that is connected once and for all.
    """

    name: str
    kinds: tuple[Enum, ...]
    slots: tuple[Slot, ...]
    up: Variable
    marked: frozenset[Enum]
    listening: Variable | None = None

    def code(self, kind: Enum) -> int:
        """The stored number of a kind of message; 0 is kept for "no message"."""
        return 1 + index_of(self.kinds, kind)

    @property
    def carries(self) -> str:
        """The names of the enumerations that its messages are of."""
        return " and ".join(dict.fromkeys(type(kind).__name__ for kind in self.kinds))


class Marks(dict[str, PageSet]):
    """For each ghost mark, the pages of a message if it is so marked (else none)."""

    def __missing__(self, mark: str) -> PageSet:
        raise Misuse(f"the message carries no mark {mark}; its marks are {', '.join(self) or 'none'}")


@dataclass(frozen=True)
class Pattern:
    """A kind of message to look for on a channel.

    Attributes:
        kind: the kind.
        marks: ghost marks that it has to have (or not to have).
        about: whether it has to concern the page that is asked for; else any such message will do.
    """

    kind: Enum
    marks: tuple[tuple[str, bool], ...] = ()
    about: bool = False


def about(kind: Enum, **marks: bool) -> Pattern:
    """A message of this kind, with these ghost marks, that concerns the page in question."""
    return Pattern(kind, tuple(marks.items()), about=True)


@dataclass(frozen=True, eq=False)
class Message:
    """A message that was received: its pages and its marks."""

    pages: PageSet
    marked: Marks


@dataclass(frozen=True, eq=False)
class Event:
    """Something that a step did, seen from outside.

    Attributes:
        what: a member of a protocol's own enumeration, or of a channel's kinds.
        pages: the pages that it concerns.
        channel: for a message sent or received, the channel.
        sent: whether the message was sent (else received, or no message at all).
    """

    what: Enum
    pages: PageSet
    channel: str = ""
    sent: bool = False


@dataclass(eq=False)
class Step:
    """A step as properties and monitors see it: before, after, and what happened between."""

    action: ActionInstance
    before: View
    after: View
    events: list[Event] = field(default_factory=list)
    nothing: PageSet | None = None

    def of(self, what: Enum) -> PageSet:
        """The pages of all events of this kind (no page if there was none)."""
        return self._union(e.pages for e in self.events if e.what is what and not e.channel)

    def happened(self, what: Enum) -> bool:
        """Whether the step has such an event. A plain Python answer: events do not depend on the state."""
        return any(e.what is what and not e.channel for e in self.events)

    def sent(self, kind: Enum) -> PageSet:
        """The pages of all messages of this kind that the step put on a channel."""
        return self._union(e.pages for e in self.events if e.what is kind and e.sent)

    def sends(self, kind: Enum) -> bool:
        """Whether the step puts such a message on a channel."""
        return any(e.what is kind and e.sent for e in self.events)

    def receives(self, kind: Enum) -> bool:
        """Whether the step takes such a message from a channel."""
        return any(e.what is kind and e.channel and not e.sent for e in self.events)

    def _union(self, sets: Iterator[PageSet]) -> PageSet:
        assert self.nothing is not None
        result = self.nothing
        for pages in sets:
            result = result | pages
        return result


class Interpretation(ABC):
    """One way to read a method body. Values are whatever the interpretation computes with.

    Attributes:
        instance: the protocol instance whose actions are read.
        actor: the machine whose action runs; None while a property or monitor looks on.
        writable: names of owners that may be written now.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.actor: str | None = None
        self.readable: frozenset[str] | None = None
        self.writable: frozenset[str] = frozenset()
        self.events: list[Event] = []

    @abstractmethod
    def load(self, variable: Variable) -> object:
        """The value of a variable: a `PageSet`, a truth value, a member of an enumeration, or a number."""

    @abstractmethod
    def store(self, variable: Variable, value: object) -> None:
        """Give a variable a new value; the value's type and range have to fit."""

    @abstractmethod
    def pages(self, what: Whole) -> PageSet:
        """The set with no page or with all pages, as a value of this interpretation."""

    def page_set(self, value: PageSet | Whole) -> PageSet:
        """A set of pages in this interpretation, from what a body may give for one."""
        if isinstance(value, Whole):
            return self.pages(value)
        if not isinstance(value, PageSet):
            raise SpecError(f"a set of pages is needed here, not {value!r}", self.where())
        return value

    @abstractmethod
    def room(self, channel: ChannelVariables, messages: int) -> bool:
        """Whether the channel can take that many more messages."""

    @abstractmethod
    def send(self, channel: ChannelVariables, kind: Enum, pages: PageSet, marks: dict[str, PageSet]) -> None:
        """Append a message, marked where one of its pages is in the mark's set."""

    @abstractmethod
    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        """Whether the oldest message is of this kind (None: there is no message)."""

    @abstractmethod
    def pop(self, channel: ChannelVariables) -> Message:
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

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        """Whether a message of this kind is on the channel."""
        return any(self.load(slot.kind) == kind for slot in channel.slots)

    @abstractmethod
    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages."""

    @contextmanager
    def acting(self, actor: str | None, readable: frozenset[str] | None, writable: frozenset[str]) -> Iterator[None]:
        """For a while, let `actor` read and write just what is given (readable None: everything)."""
        before = self.actor, self.readable, self.writable
        self.actor, self.readable, self.writable = actor, readable, writable
        try:
            yield
        finally:
            self.actor, self.readable, self.writable = before

    def check_read(self, owner: str, name: str) -> None:
        """Refuse a read of what the acting machine cannot see."""
        if self.readable is not None and owner not in self.readable and owner not in self.instance.ghosts:
            raise SpecError(
                f"{self.actor} reads {name}, which belongs to {owner}: a machine sees only its own state and "
                "its ends of the channels; send a message instead",
                self.where(),
            )

    def check_write(self, owner: str, name: str) -> None:
        """Refuse a write to what does not belong to the acting machine."""
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
            raise SpecError(
                f"{channel.name} has no mark {mark}; its marks are {', '.join(marks) or 'none'}", self.where()
            )

    def check_kind(self, channel: ChannelVariables, kind: object) -> None:
        """Refuse a kind of message that the channel does not carry."""
        if not any(kind is known for known in channel.kinds):
            raise SpecError(f"{channel.name} carries {channel.carries}, not {kind!r}", self.where())

    def listening(self, channel: ChannelVariables) -> Variable:
        """The variable that says whether a new connection may be made; refuses a channel that has none."""
        if channel.listening is None:
            raise SpecError(
                f"{channel.name} is connected once and for all: declare it with reconnects=True", self.where()
            )
        return channel.listening

    def where(self) -> str:
        """``file:line, in method`` of the innermost statement of the specification that is being read."""
        return location(sys._getframe(1), self.actor)


def of_each_page(holds: Callable[..., object]) -> bool:
    """Whether a property is claimed for every page: its function has a parameter ``page``."""
    return "page" in holds.__code__.co_varnames[: holds.__code__.co_argcount]


def place(code: CodeType, line: int) -> str:
    """``file:line, in method`` as messages have it; a comprehension counts as the method around it."""
    inside = code.co_qualname.split(".<locals>.<")[0].rpartition(".")[2]
    return f"{Path(code.co_filename).name}:{line}" + (f", in {inside}" if inside != "<module>" else "")


def location(frame: FrameType | None, actor: str | None, traceback: TracebackType | None = None) -> str:
    """`place` of the innermost frame that is not this package's own machinery."""
    candidates: list[tuple[CodeType, int]] = []
    while frame is not None:
        candidates.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    while traceback is not None:
        candidates.insert(0, (traceback.tb_frame.f_code, traceback.tb_lineno))
        traceback = traceback.tb_next
    for code, line in candidates:
        if not foreign(code.co_filename):
            return place(code, line)
    return actor or "specification"


@cache
def foreign(file: str) -> bool:
    """Not written by an author of a specification: this package's machinery, or Python's own library."""
    library = file.startswith(_LIBRARY) and "site-packages" not in file
    return is_machinery(file) or file.startswith("<") or library


_LIBRARY = str(Path(dataclasses.__file__).parent)


def as_spec_error(error: Exception, name: str) -> SpecError:
    """An ordinary Python error in a body, as an error of the specification. `name`: for want of a line."""
    text = str(error) if isinstance(error, Misuse) else f"{type(error).__name__}: {error}"
    if isinstance(error, LimitReached | RecursionError):
        text = "the action never ends"
    return SpecError(text, location(None, name, error.__traceback__))


def named(error: SpecError, method: str) -> SpecError:
    """The same error; where it is in a helper, with the name of the action (or property) that called it."""
    if error.where.endswith(f", in {method}") or ", called by " in error.where:
        return error
    text = str(error).removeprefix(f"{error.where}: ")
    return SpecError(text, f"{error.where}, called by {method}")


@contextmanager
def told(name: str, method: str) -> Iterator[None]:
    """Let every error of a body be told as a `SpecError` that names the method and the line."""
    try:
        yield
    except SpecError as error:
        raise named(error, method) from error.__cause__
    except (Signal, PostcopyError):
        raise
    except Exception as error:
        raise named(as_spec_error(error, name), method) from error


_HERE = str(Path(__file__).parent)


def is_machinery(file: str) -> bool:
    """Whether a file belongs to the language: its lines are never the fault of who wrote the specification."""
    return file.startswith(_HERE)


class ChannelEnd:
    """What all views of a channel share."""

    def __init__(self, interpretation: Interpretation, channel: ChannelVariables) -> None:
        self._interpretation, self._channel = interpretation, channel

    @property
    def broken(self) -> bool:
        """The connection is gone: closed by the other side, or lost."""
        return not self._interpretation.load(self._channel.up)

    @property
    def listening(self) -> bool:
        """The receiving end waits for a new connection. At the receiving end: nobody has connected since."""
        return cast(bool, self._interpretation.load(self._interpretation.listening(self._channel)))

    def close(self) -> None:
        """The connection stands no more; what is on its way may still arrive."""
        self._interpretation.check_change(self._channel.name)
        self._interpretation.store(self._channel.up, False)

    def _event(self, kind: Enum, pages: PageSet, *, sent: bool) -> None:
        self._interpretation.events.append(Event(kind, pages, self._channel.name, sent))


class SendEnd(ChannelEnd):
    """The end at which messages go in."""

    def room(self, messages: int = 1) -> bool:
        """Whether that many messages can be sent now; a real sender would block otherwise."""
        if not isinstance(messages, int) or messages < 1:
            raise SpecError(
                f"room({messages!r}): a number of messages from 1 on is needed", self._interpretation.where()
            )
        return self._interpretation.room(self._channel, messages)

    def send(self, kind: Enum, pages: PageSet | Whole = NONE, **marks: PageSet | Whole) -> None:
        """Append a message. The action must have required `room`; a mark is set where it shares a page.

        Raises:
            SpecError: no room was required, the kind is unknown here, or a mark is missing or unknown.
        """
        channel = self._channel
        self._interpretation.check_change(channel.name)
        self._interpretation.check_kind(channel, kind)
        wanted = set(channel.slots[0].marks) if kind in channel.marked else set()
        if set(marks) != wanted:
            say = [", ".join(sorted(names)) or "no mark" for names in (wanted, set(marks))]
            raise SpecError(
                f"a {kind.name} on {channel.name} carries {say[0]}, not {say[1]}: send(..., mark=pages)",
                self._interpretation.where(),
            )
        pages = self._interpretation.page_set(pages)
        given = {mark: self._interpretation.page_set(marked) for mark, marked in marks.items()}
        self._interpretation.send(channel, kind, pages, given)
        self._event(kind, pages, sent=True)

    def connect(self) -> None:
        """Make a new, empty connection: a guard and a step in one, because the receiving end has to listen."""
        self._interpretation.check_change(self._channel.name)
        if not self.listening:
            raise Disabled
        self._interpretation.store(self._interpretation.listening(self._channel), False)
        self._interpretation.store(self._channel.up, True)
        self._interpretation.clear(self._channel)


class ReceiveEnd(ChannelEnd):
    """The end at which messages come out, oldest first."""

    @property
    def empty(self) -> bool:
        """No message is waiting."""
        return self._interpretation.head_is(self._channel, None)

    def next_is(self, kind: Enum) -> bool:
        """Whether the next message is of this kind."""
        self._interpretation.check_kind(self._channel, kind)
        return self._interpretation.head_is(self._channel, kind)

    def receive(self, kind: Enum) -> Message:
        """Take the next message, which must be of this kind: a guard and a step in one."""
        self._interpretation.check_change(self._channel.name)
        if not self.next_is(kind):
            raise Disabled
        message = self._interpretation.pop(self._channel)
        self._event(kind, message.pages, sent=False)
        return message

    def listen(self) -> None:
        """Let the sending end make a new connection, once; what is left of the old one is gone."""
        self.close()
        self._interpretation.store(self._interpretation.listening(self._channel), True)

    def close(self) -> None:
        """Close the connection; what was not yet received is gone, and nobody listens any more."""
        super().close()
        self._interpretation.clear(self._channel)
        if self._channel.listening is not None:
            self._interpretation.store(self._channel.listening, False)


class NetworkEnd(ChannelEnd):
    """What the network itself can do to a channel."""

    @property
    def empty(self) -> bool:
        """No message is on its way."""
        return self._interpretation.head_is(self._channel, None)

    def drop_newest(self) -> None:
        """The message sent last is lost."""
        self._interpretation.check_change(self._channel.name)
        self._interpretation.drop_newest(self._channel)


class ObserverEnd(ReceiveEnd):
    """What properties and ghosts can see of a channel, and the marks that ghosts can leave on it."""

    def in_flight(self, kind: Enum, **marks: bool) -> PageSet:
        """The pages of all messages of a kind, with the given marks, that are on the channel."""
        return self.in_order(about(kind, **marks))

    def in_order(self, *patterns: Pattern | Enum) -> PageSet:
        """The pages for which there are such messages, each behind the one before.

        A kind stands for any message of it, `about(kind, mark=...)` for one that concerns the page. So
        ``in_order(Command.EOF, about(Command.PAGE))`` are the pages on their way behind an EOF.
        """
        wanted = tuple(p if isinstance(p, Pattern) else Pattern(p) for p in patterns)
        for pattern in wanted:
            self._interpretation.check_kind(self._channel, pattern.kind)
            for mark, _ in pattern.marks:
                self._interpretation.check_mark(self._channel, mark)
        return self._interpretation.in_order(self._channel, wanted)

    def mark(self, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages."""
        self._interpretation.check_write("ghosts", f"{self._channel.name} marks")
        self._interpretation.check_mark(self._channel, mark)
        self._interpretation.mark(self._channel, mark, pages)

    def carries(self, kind: Enum) -> bool:
        """Whether a message of this kind is on the channel."""
        self._interpretation.check_kind(self._channel, kind)
        return self._interpretation.carries(self._channel, kind)


class View:
    """The whole state, by attribute: machines, channels, ghosts, monitors. Given to properties and ghosts."""

    def __init__(self, interpretation: Interpretation, parts: dict[str, Callable[[Interpretation], object]]) -> None:
        self._interpretation, self._parts = interpretation, parts

    def __getattr__(self, name: str) -> Any:
        try:
            return self._parts[name](self._interpretation)
        except KeyError:
            raise SpecError(
                f"there is no {name} in this protocol, only {', '.join(sorted(self._parts))}",
                self._interpretation.where(),
            ) from None

    def copies_in_flight(self, **marks: bool) -> PageSet:
        """The pages of all messages of marked kinds, on whatever channel: the copies of pages that are on their way."""
        copies = self._interpretation.pages(NONE)
        for channel in self._interpretation.instance.channels.values():
            end = ObserverEnd(self._interpretation, channel)
            for kind in channel.kinds:
                if kind in channel.marked:
                    copies = copies | end.in_flight(kind, **marks)
        return copies

    def mark_copies(self, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages, on every channel with that mark."""
        for channel in self._interpretation.instance.channels.values():
            if mark in channel.slots[0].marks:
                ObserverEnd(self._interpretation, channel).mark(mark, pages)
