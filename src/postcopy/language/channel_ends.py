"""A machine's ends of channels: how it declares them, and what its actions can do at each.

The network has an end of its own, and properties and ghosts see channels through an `ObserverEnd`. All of them are
thin: they check that a body does only what its end allows, and pass the rest on to the interpretation.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import ClassVar, Generic, TypeVar, cast

from postcopy.errors import SpecError
from postcopy.language.body_errors import Disabled, MessageMissing
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.fields import FieldOwner
from postcopy.language.interpretation import Interpretation
from postcopy.language.messages import Event, Message, Pattern, about
from postcopy.language.values import NONE, PageSet, Whole
from postcopy.language.variables import Sort, stored
from postcopy.suggestions import did_you_mean

T = TypeVar("T")


class ChannelEnd:
    """The operations that all ends of a channel share."""

    def __init__(self, interpretation: Interpretation, channel: ChannelVariables) -> None:
        self._interpretation, self._channel = interpretation, channel

    @property
    def broken(self) -> bool:
        """The connection is gone: closed by the other side, or lost."""
        return not self._interpretation.load(self._channel.up)

    @property
    def listening(self) -> bool:
        """The receiving end waits for a new connection, and none has been made yet."""
        return cast(bool, self._interpretation.load(self._interpretation.listening(self._channel)))

    def close(self) -> None:
        """The connection is gone; messages on their way may still arrive."""
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

    def send(self, kind: Enum, pages: PageSet | Whole = NONE, **having: object) -> None:
        """Append a message. The action must have required `room`; a mark is set where it shares a page.

        Args:
            kind: the kind of message.
            pages: those that it concerns.
            having: for each mark the pages that are marked, and values of fields; one not given has its initial value.

        Raises:
            SpecError: no room was required, the kind is unknown here, or a mark or field is missing or unknown.
        """
        channel = self._channel
        self._interpretation.check_change(channel.name)
        self._interpretation.check_kind(channel, kind)
        marks = {name: value for name, value in having.items() if name not in channel.given}
        wanted = set(channel.slots[0].marks) if channel.marks_copies(kind) else set()
        if unknown := sorted(set(marks) - set(channel.slots[0].marks)):
            hint = did_you_mean(unknown[0], [*channel.given, *channel.slots[0].marks])
            raise SpecError(
                f"a {kind.name} on {channel.name} has no field {unknown[0]}"
                + (hint or _how_to_declare(channel.name, unknown[0])),
                self._interpretation.where(),
            )
        if set(marks) != wanted:
            say = [", ".join(sorted(names)) or "no mark" for names in (wanted, set(marks))]
            raise SpecError(
                f"a {kind.name} on {channel.name} carries {say[0]}, not {say[1]}: send(..., mark=pages)",
                self._interpretation.where(),
            )
        pages = self._interpretation.page_set(pages)
        marked = {mark: self._interpretation.page_set(cast(PageSet, value)) for mark, value in marks.items()}
        fields = {name: having.get(name, initial) for name, initial in channel.given.items()}
        self._interpretation.send(channel, kind, pages, marked, fields)
        self._event(kind, pages, sent=True)

    def connect(self) -> None:
        """Make a new, empty connection: a guard and a step in one, because the receiving end has to listen."""
        self._interpretation.check_change(self._channel.name)
        if not self.listening:
            raise Disabled
        self._interpretation.store(self._interpretation.listening(self._channel), False)
        self._interpretation.store(self._channel.up, True)
        self._interpretation.clear(self._channel)


def _how_to_declare(channel: str, field: str) -> str:
    return f': declare it, {channel} = Channel(..., fields={{"{field}": Flag("...")}})'


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

    def peek(self, kind: Enum) -> Message:
        """The next message, which must be of this kind: a guard. It stays on the channel."""
        if not self.next_is(kind):
            raise MessageMissing(self._channel.name)
        return self._interpretation.head(self._channel)

    def receive(self, kind: Enum) -> Message:
        """Take the next message, which must be of this kind: a guard and a step in one."""
        self._interpretation.check_change(self._channel.name)
        message = self.peek(kind)
        self._interpretation.pop(self._channel)
        self._event(kind, message.pages, sent=False)
        return message

    def listen(self) -> None:
        """Let the sending end make a new connection, once. The messages of the old one are lost."""
        self.close()
        self._interpretation.store(self._interpretation.listening(self._channel), True)

    def close(self) -> None:
        """Close the connection. Messages that were not received are lost, and no new connection can be made."""
        super().close()
        self._interpretation.clear(self._channel)
        if self._channel.listening is not None:
            self._interpretation.store(self._channel.listening, False)


class NetworkEnd(ChannelEnd):
    """The network's own access to a channel: it loses messages and connections."""

    @property
    def empty(self) -> bool:
        """No message is on its way."""
        return self._interpretation.head_is(self._channel, None)

    def drop_newest(self) -> None:
        """The message sent last is lost."""
        self._interpretation.check_change(self._channel.name)
        self._interpretation.drop_newest(self._channel)


class ObserverEnd(ReceiveEnd):
    """A channel as properties and ghosts see it, and the marks that ghosts can set on its messages."""

    def in_flight(self, kind: Enum, **having: object) -> PageSet:
        """The pages of all messages of a kind, with the given marks and values of fields, that are on the channel."""
        return self.in_order(about(kind, **having))

    def in_order(self, *patterns: Pattern | Enum) -> PageSet:
        """The pages for which there are such messages, each behind the one before.

        A kind stands for any message of it, `about(kind, mark=..., field=...)` for one that concerns the page. So
        ``in_order(Command.EOF, about(Command.PAGE))`` are the pages on their way behind an EOF.
        """
        wanted = tuple(self._here(p if isinstance(p, Pattern) else Pattern(p)) for p in patterns)
        return self._interpretation.in_order(self._channel, wanted)

    def _here(self, pattern: Pattern) -> Pattern:
        """A pattern with its marks apart from its fields, and with stored numbers for the values of these."""
        channel = self._channel
        self._interpretation.check_kind(channel, pattern.kind)
        marks: list[tuple[str, bool]] = []
        fields: list[tuple[str, int]] = []
        for name, value in pattern.having:
            if name not in channel.fields:
                self._interpretation.check_mark(channel, name)
                marks.append((name, cast(bool, value)))
                continue
            variable = channel.fields[name]
            if variable.sort is Sort.PAGES:
                raise SpecError(
                    f"{variable.name} is a set of pages: messages are looked for by their flags, choices and numbers",
                    self._interpretation.where(),
                )
            try:
                fields.append((name, stored(variable, value)))
            except ValueError:
                raise SpecError(
                    f"{variable.name} is compared with {value!r}, which is not a {variable.kind}",
                    self._interpretation.where(),
                ) from None
        return replace(pattern, marks=tuple(marks), fields=tuple(fields), having=())

    def mark(self, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages."""
        self._interpretation.check_write("ghosts", f"{self._channel.name} marks")
        self._interpretation.check_mark(self._channel, mark)
        self._interpretation.mark(self._channel, mark, pages)

    def carries(self, kind: Enum, **having: object) -> bool:
        """Whether a message of this kind, with the given marks and values of fields, is on the channel."""
        if having:
            return not self.in_order(Pattern(kind, having=tuple(having.items()))).empty
        self._interpretation.check_kind(self._channel, kind)
        return self._interpretation.carries(self._channel, kind)


class DeclaredEnd(Generic[T]):
    """A machine's end of a channel of its protocol."""

    view: ClassVar[type]

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def __get__(self, part: FieldOwner, owner: type) -> T:
        if part is None:
            return cast(T, self)
        part.interpretation.check_read(part.name, f"{part.name}'s end of {self.channel}")
        return cast(T, self.view(part.interpretation, part.interpretation.instance.channels[self.channel]))

    def __set__(self, part: FieldOwner, value: object) -> None:
        raise SpecError("a channel's end cannot be assigned to: send, receive or close", part.interpretation.where())


class Sends(DeclaredEnd[SendEnd]):
    """The machine sends on the named channel."""

    view = SendEnd


class Receives(DeclaredEnd[ReceiveEnd]):
    """The machine receives from the named channel."""

    view = ReceiveEnd


class Network(DeclaredEnd[NetworkEnd]):
    """The machine is the network below the named channel."""

    view = NetworkEnd
