"""The modelling language: what the author of a protocol, or of a change to one, writes with.

    class Source(Machine):
        dirty = Bitmap("the migration bitmap: pages that still have to be sent", initial=ALL)
        stream = Sends("stream")

        @action(thread="migration", rule="R17")
        def send_background_page(self, page: Page) -> None:
            \"\"\"sends a page that is still dirty\"\"\"
            require(self.dirty[page])
            require(self.stream.room())
            self.dirty -= page
            self.stream.send(Command.PAGE, page)

A protocol is a class that names its machines and channels; an action is one atomic step of one thread; a
change is a subclass that overrides actions, adds some, or removes one by assigning None. How bodies are
interpreted stands in `postcopy.language.interpretation`, what is refused in them in `postcopy.language.body_checks`.
Nothing here knows about exploration or proofs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar, cast, overload

from postcopy.errors import SpecError
from postcopy.language.expressions import Sort, Variable
from postcopy.language.interpretation import (
    ChannelVariables,
    Disabled,
    Event,
    Interpretation,
    NetworkEnd,
    ReceiveEnd,
    SendEnd,
    Slot,
    Step,
    View,
    about,
    did_you_mean,
    location,
)
from postcopy.language.values import ALL, NONE, Cpu, Page, PageSet, Truth, Whole

if TYPE_CHECKING:
    from postcopy.language.properties import Property

__all__ = [
    "ALL",
    "EITHER",
    "NONE",
    "Bitmap",
    "Channel",
    "Choice",
    "Count",
    "Cpu",
    "CpuBitmap",
    "Flag",
    "Ghost",
    "Machine",
    "Monitor",
    "Network",
    "Page",
    "PageSet",
    "Protocol",
    "Receives",
    "Sends",
    "Step",
    "View",
    "about",
    "action",
    "require",
]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., None])


class _Either(Enum):
    EITHER = "either"


EITHER: Final = _Either.EITHER
"""An initial value that is left open: both are explored."""


def require(condition: bool) -> None:
    """A guard: the action can be taken only where the condition holds."""
    if not isinstance(condition, bool | Truth):
        bool(condition)  # what can say better why it is not a truth value, does
        what = f"{condition.__name__} without ()" if callable(condition) else repr(condition)
        raise SpecError(f"require needs a truth value, not {what}", location(sys._getframe(1), None))
    if not condition:
        raise Disabled


@dataclass(frozen=True)
class ActionInfo:
    """What is known of an action beside its body.

    Attributes:
        thread: the real thread whose step it is.
        rule: rules of the document that it stands for, e.g. ``"R17"`` or ``"R10 R13"``.
        qemu: the function of QEMU that does it, where known.
        environment: a step that nobody can rely on being taken (guest, operator, network).
        fair: a step that its thread takes in the end where it stays possible, whatever else the thread could do: it
            looks for it in every round of its loop. Of other steps only "the thread takes one of them" is relied on.
    """

    thread: str
    rule: str = ""
    qemu: str = ""
    environment: bool = False
    fair: bool = False


def action(
    thread: str, rule: str = "", qemu: str = "", environment: bool = False, fair: bool = False
) -> Callable[[F], F]:
    """Mark a method as one atomic step of a thread. Its docstring is the step in words, for traces.

    Raises:
        SpecError: a step on which nobody can rely is called fair.
    """
    if environment and fair:
        raise SpecError(
            "an action cannot be fair and environment: nobody can rely on it", location(sys._getframe(1), None)
        )

    def mark(function: F) -> F:
        function.__dict__["action_info"] = ActionInfo(thread, rule, qemu, environment, fair)
        return function

    return mark


class Field(Generic[T]):
    """A variable of a machine. Reading and assigning it in an action go through whoever reads the action.

    Attributes:
        doc: what it is, in the document's words.
        initial: its value when nothing has happened yet.
    """

    def __init__(self, doc: str, initial: object) -> None:
        self.doc, self.initial = doc, initial
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, part: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, part: Part, owner: type) -> T: ...
    def __get__(self, part: Part | None, owner: type) -> Field[T] | T:
        if part is None:
            return self
        return cast(T, part.read(f"{part.name}.{self.name}"))

    def __set__(self, part: Part, value: Any) -> None:
        part.write(f"{part.name}.{self.name}", value)

    def variables(self, owner: str, ghost: bool, cpus: int) -> list[tuple[Variable, object]]:
        """The state variables that the field stands for, each with its initial value."""
        shape = self._shape()
        names = [(self.name, self.doc)]
        if self._per_cpu:
            names = [(f"{self.name}[{cpu}]", f"{self.doc} (vCPU {cpu})") for cpu in range(cpus)]
        return [(Variable(f"{owner}.{name}", owner, *shape, ghost, doc), self.initial) for name, doc in names]

    _per_cpu: ClassVar[bool] = False

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        """Sort, number of values, their meanings, lowest value."""
        return (Sort.PAGES, 0, (), 0)

    def problem(self) -> str | None:
        """What is wrong with the declaration, if anything."""
        return None if isinstance(self.initial, Whole) else f"starts as {self.initial!r}: it can start as NONE or ALL"


class Bitmap(Field[PageSet]):
    """A set of pages."""

    def __init__(self, doc: str, initial: Whole = NONE) -> None:
        super().__init__(doc, initial)

    def __set__(self, part: Part, value: PageSet | Whole) -> None:
        super().__set__(part, value)


class Flag(Field[bool]):
    """A truth value; initially `EITHER` where both are to be explored."""

    def __init__(self, doc: str, initial: bool | _Either = False) -> None:
        super().__init__(doc, initial)

    def __set__(self, part: Part, value: bool) -> None:
        super().__set__(part, value)

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        return (Sort.NUMBER, 2, (False, True), 0)

    def problem(self) -> str | None:
        """What is wrong with the declaration, if anything."""
        fits = isinstance(self.initial, bool | _Either)
        return None if fits else f"starts as {self.initial!r}: it can start as False, True or EITHER"


E = TypeVar("E", bound=Enum)


class Choice(Field[E]):
    """A member of an enumeration (an IntEnum where order means something)."""

    def __init__(self, doc: str, initial: E) -> None:
        super().__init__(doc, initial)

    def __set__(self, part: Part, value: E) -> None:
        super().__set__(part, value)

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        members = tuple(type(cast(Enum, self.initial)))
        return (Sort.NUMBER, len(members), members, 0)

    def problem(self) -> str | None:
        """What is wrong with the declaration, if anything."""
        if self.initial is EITHER:
            return "starts as EITHER, which only a Flag can"
        fits = isinstance(self.initial, Enum)
        return None if fits else f"starts as {self.initial!r}: it can start as a member of an enumeration"


class Count(Field[int]):
    """A whole number from `low` to `high`; leaving that range is an error of the specification."""

    def __init__(self, doc: str, low: int, high: int, initial: int = 0) -> None:
        super().__init__(doc, initial)
        self.low, self.high = low, high

    def __set__(self, part: Part, value: int) -> None:
        super().__set__(part, value)

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        return (Sort.NUMBER, self.high - self.low + 1, (), self.low)

    def problem(self) -> str | None:
        """What is wrong with the declaration, if anything."""
        if self.initial is EITHER:
            return "starts as EITHER, which only a Flag can"
        fits = type(self.initial) is int and self.low <= self.initial <= self.high
        return None if fits else f"starts as {self.initial!r}, outside of its range {self.low} to {self.high}"


class CpuPages:
    """A set of pages for each vCPU: the value of a `CpuBitmap`."""

    def __init__(self, part: Part, field: str, cpus: int) -> None:
        self._part, self._names = part, [f"{part.name}.{field}[{cpu}]" for cpu in range(cpus)]

    def __getitem__(self, cpu: Cpu) -> PageSet:
        return cast(PageSet, self._part.read(self._names[cpu]))

    def __setitem__(self, cpu: Cpu, pages: PageSet | Whole) -> None:
        self._part.write(self._names[cpu], pages)

    def remove(self, pages: PageSet | Whole) -> None:
        """Take the pages out of every vCPU's set."""
        for name in self._names:
            self._part.write(name, cast(PageSet, self._part.read(name)) - pages)

    @property
    def any(self) -> PageSet:
        """The pages in some vCPU's set."""
        first, *rest = (cast(PageSet, self._part.read(name)) for name in self._names)
        for pages in rest:
            first = first | pages
        return first


class CpuBitmap(Field[CpuPages]):
    """A set of pages for each vCPU, initially empty."""

    _per_cpu = True

    def __init__(self, doc: str) -> None:
        super().__init__(doc, NONE)

    @overload
    def __get__(self, part: None, owner: type) -> Field[CpuPages]: ...
    @overload
    def __get__(self, part: Part, owner: type) -> CpuPages: ...
    def __get__(self, part: Part | None, owner: type) -> Field[CpuPages] | CpuPages:
        return self if part is None else CpuPages(part, self.name, part.interpretation.instance.cpus)

    def __set__(self, part: Part, value: CpuPages) -> None:
        raise SpecError(
            f"{part.name}.{self.name} is a set for each vCPU: assign to one, {self.name}[cpu] = ..., or remove() pages",
            part.interpretation.where(),
        )


class _End(Generic[T]):
    """A machine's end of a channel of its protocol."""

    view: ClassVar[type]

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def __get__(self, part: Part, owner: type) -> T:
        if part is None:
            return cast(T, self)
        part.interpretation.check_read(part.name, f"{part.name}'s end of {self.channel}")
        return cast(T, self.view(part.interpretation, part.interpretation.instance.channels[self.channel]))

    def __set__(self, part: Part, value: object) -> None:
        raise SpecError("a channel's end cannot be assigned to: send, receive or close", part.interpretation.where())


class Sends(_End[SendEnd]):
    """The machine sends on the named channel."""

    view = SendEnd


class Receives(_End[ReceiveEnd]):
    """The machine receives from the named channel."""

    view = ReceiveEnd


class Network(_End[NetworkEnd]):
    """The machine is the network below the named channel."""

    view = NetworkEnd


class Channel:
    """A bounded FIFO channel of a protocol, with room for `in_flight` messages.

    Attributes:
        kinds: the messages that it can carry: an enumeration, or several, or single members.
        marks: names of ghost marks that some messages carry (e.g. whether a page's content is stale).
        marked: the kinds of message that carry them.
        reconnects: whether a new connection can be made when the old one is broken.
    """

    def __init__(
        self,
        kinds: type[Enum] | tuple[type[Enum] | Enum, ...],
        marks: tuple[str, ...] = (),
        marked: tuple[Enum, ...] = (),
        reconnects: bool = False,
    ) -> None:
        self.kinds, self.marks, self.marked, self.reconnects = kinds, marks, marked, reconnects

    def extended(
        self, *kinds: type[Enum] | Enum, marked: tuple[Enum, ...] = (), reconnects: bool | None = None
    ) -> Channel:
        """The same channel with more kinds of message, for a change: ``stream = Postcopy.stream.extended(More)``.

        Args:
            kinds: the enumerations, or members of some, that it carries beside those that it has.
            marked: those of the new ones that carry the channel's marks.
            reconnects: as for a new channel; None leaves it as it is.
        """
        has = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
        again = self.reconnects if reconnects is None else reconnects
        return Channel((*has, *kinds), self.marks, (*self.marked, *marked), again)

    @property
    def messages(self) -> tuple[Enum, ...]:
        """Every kind of message, in the order of declaration."""
        given = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
        return tuple(kind for some in given for kind in (some if isinstance(some, type) else (some,)))

    def flatten(self, name: str, capacity: int) -> tuple[ChannelVariables, list[tuple[Variable, object]]]:
        """The channel's variables, and each with its initial value."""
        values = (None, *self.messages)
        slots = tuple(
            Slot(
                Variable(f"{name}[{i}].kind", name, Sort.NUMBER, len(values), values, doc=f"message {i} on {name}"),
                Variable(f"{name}[{i}].pages", name, Sort.PAGES, doc=f"pages of message {i} on {name}"),
                {mark: _mark(name, i, mark) for mark in self.marks},
            )
            for i in range(capacity)
        )
        up = Variable(f"{name}.up", name, Sort.NUMBER, 2, (False, True), doc=f"the connection below {name} stands")
        initial: list[tuple[Variable, object]] = [(up, True)]
        for slot in slots:
            initial += [(slot.kind, None), (slot.pages, NONE), *((m, False) for m in slot.marks.values())]
        listening = None
        if self.reconnects:
            doc = f"a new connection for {name} is waited for"
            listening = Variable(f"{name}.listening", name, Sort.NUMBER, 2, (False, True), doc=doc)
            initial.append((listening, False))
        return ChannelVariables(name, self.messages, slots, up, frozenset(self.marked), listening), initial


def _mark(channel: str, i: int, mark: str) -> Variable:
    doc = f"message {i} on {channel} is {mark}"
    return Variable(f"{channel}[{i}].{mark}", channel, Sort.NUMBER, 2, (False, True), ghost=True, doc=doc)


class Part:
    """A part of the state with fields of its own: a machine, a ghost or a monitor."""

    ghost: ClassVar[bool] = False
    name: str
    interpretation: Interpretation

    def __init__(self, name: str, interpretation: Interpretation) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "interpretation", interpretation)

    def read(self, variable: str) -> object:
        """The value of one of this part's variables, if the acting machine may see it."""
        self.interpretation.check_read(self.name, variable)
        return self.interpretation.load(self.interpretation.instance.variable[variable])

    def write(self, variable: str, value: object) -> None:
        """Change one of this part's variables, if the acting machine may."""
        self.interpretation.check_write(self.name, variable)
        self.interpretation.store(self.interpretation.instance.variable[variable], value)

    def __setattr__(self, name: str, value: object) -> None:
        declared = getattr(type(self), name, None)
        if not isinstance(declared, Field | _End):
            hint = did_you_mean(name, self.fields())
            raise SpecError(
                f'{type(self).__name__} has no field {name}: declare it in the class, e.g. {name} = Flag("...")' + hint,
                self.interpretation.where(),
            )
        declared.__set__(self, cast(Any, value))

    @classmethod
    def fields(cls) -> dict[str, Field[Any]]:
        """The fields of the class and its bases, by name, in the order of declaration."""
        found: dict[str, Field[Any]] = {}
        for base in reversed(cls.__mro__):
            found |= {name: f for name, f in vars(base).items() if isinstance(f, Field)}
        return found


class Machine(Part):
    """A host, or whatever else acts alone: fields, ends of channels, and actions of its threads."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        instance = self.interpretation.instance
        ghost = None if name in instance.monitors else instance.ghosts.get(name)
        if ghost is not None:
            return ghost(name, self.interpretation)
        if name in instance.machines:
            hint = ": a machine sees only its own state and its ends of the channels; send a message instead"
        else:
            hint = did_you_mean(name, dir(type(self))) or f"; its fields are {', '.join(self.fields()) or 'none'}"
        raise SpecError(f"{type(self).__name__} has no field {name}{hint}", self.interpretation.where())

    def observe(self, what: Enum, pages: PageSet | Whole = NONE) -> None:
        """Say that something happened that properties speak of. Changes nothing."""
        if not isinstance(what, Enum):
            raise SpecError(
                f"a member of an enumeration is needed to observe, not {what!r}", self.interpretation.where()
            )
        self.interpretation.events.append(Event(what, self.interpretation.page_set(pages)))


class Ghost(Part):
    """What an all-seeing observer remembers. Actions may call its methods; nothing may be decided by it."""

    ghost = True

    @property
    def world(self) -> View:
        """The whole state. Not for actions, which may call a ghost's methods and hand on what it holds."""
        if self.interpretation.readable is not None:
            raise SpecError(
                f"{self.interpretation.actor} looks at the whole world: a machine sees only its own state and its "
                "ends of the channels; send a message instead",
                self.interpretation.where(),
            )
        return View(self.interpretation, self.interpretation.instance.parts)

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name in _PLAIN or not callable(value) or name.startswith("_"):
            return value
        interpretation: Interpretation = object.__getattribute__(self, "interpretation")
        own: str = object.__getattribute__(self, "name")

        def called(*args: object, **named: object) -> None:
            with interpretation.acting(own, None, frozenset({own, "ghosts"})), self._never_forbids():
                value(*args, **named)

        return called

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        hint = did_you_mean(name, dir(type(self))) or f"; its fields are {', '.join(self.fields()) or 'none'}"
        raise SpecError(f"{type(self).__name__} has no {name}{hint}", self.interpretation.where())

    @contextmanager
    def _never_forbids(self) -> Iterator[None]:
        try:
            yield
        except Disabled as error:
            where = location(None, self.name, error.__traceback__)
            raise SpecError(f"{self.name} has a guard: no step may depend on history", where) from None


_PLAIN = frozenset(dir(Part)) | {"world", "watch"}


class Monitor(Ghost):
    """History that a property needs: `watch` is told of every step and may remember it in its fields."""

    def watch(self, step: Step) -> None:
        """Remember what the property will ask for."""
        raise NotImplementedError

    def _sees(self, step: Step) -> None:
        """Let it watch, and write nothing but its own fields."""
        with self.interpretation.acting(self.name, None, frozenset({self.name})), self._never_forbids():
            self.watch(step)


class Protocol:
    """Machines, ghosts and channels, named as class attributes; a subclass that renames none is a change.

    Attributes:
        cpus: how many vCPUs the destination has.
        group: target pages of a host page that it takes to show what the protocol is about, where nobody says.
        properties: what must hold (or be reachable) beside what is asked of every protocol. Those of a subclass come
            on top of its bases' own.
        inapplicable: names of properties that are not asked of it, each with the reason. Collected in the same way.
    """

    cpus: ClassVar[int] = 2
    group: ClassVar[int] = 1
    properties: ClassVar[tuple[Property, ...]] = ()
    inapplicable: ClassVar[Mapping[str, str]] = {}

    @staticmethod
    def may_rest(state: View) -> bool:
        """Whether nothing needs to happen any more; where this is false and nothing can, it is a deadlock."""
        raise NotImplementedError

    @classmethod
    def parts(cls, kind: type[T]) -> dict[str, Any]:
        """The attributes of the class and its bases that are such classes (or such objects), by name.

        A subclass replaces a part of its base, or removes it by assigning None.
        """
        names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
        found = {name: getattr(cls, name) for name in names}
        return {
            name: value
            for name, value in found.items()
            if isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind))
        }
