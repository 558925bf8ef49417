"""What an action of a random protocol is made of: a tree of frozen dataclasses, which is written in the language.

`tests.strategies` draws the trees. `method_of` makes the action from one.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Any, cast

from postcopy.language import (
    ALL,
    NONE,
    Bitmap,
    Choice,
    Count,
    Cpu,
    Flag,
    Ghost,
    Page,
    PageSet,
    require,
)
from postcopy.language.values import Whole
from tests.language.tiny import Letter


class Level(IntEnum):
    """An enumeration with an order."""

    LOW = 3
    MIDDLE = 5
    HIGH = 9


class Mood(Enum):
    """An enumeration without one."""

    CALM = auto()
    TENSE = auto()
    WILD = auto()


class Spot(Enum):
    """Places in the program of a machine's threads."""

    HERE = auto()
    THERE = auto()


class Further(Enum):
    """Members that a choice is extended by."""

    EARLY = auto()
    LATE = auto()


class Noise(Enum):
    """What actions observe."""

    SOFT = auto()
    LOUD = auto()


LOW, TOP = -1, 2
FIELDS: dict[str, Any] = {
    "loud": Flag("the letter is loud", True),
    "times": Count("how often it was written", -1, 1),
    "mood": Choice("the mood of the letter", Mood.TENSE),
    "rest": Bitmap("what else it is about", ALL),
}
"""What every letter says beside its pages. A state has more for it only where some action says otherwise."""


class Memory(Ghost):
    """A ghost with a decision of its own."""

    old = Bitmap("pages with a history")

    def touched(self, pages: PageSet) -> None:
        """Uses the world and marks messages."""
        self.old |= pages & self.world.left.bits0
        self.world.wire.mark("stale", pages)

    def settled(self, pages: PageSet) -> None:
        """Decides by history, which a ghost may."""
        if self.old.empty:
            self.old = pages
        else:
            self.old -= pages


# -- conditions, sets and statements: what an action is made of ----------------------------------------------


@dataclass(frozen=True)
class Here:
    """Which parameters an action has: no page, one, or two; a vCPU or none."""

    pages: int
    cpu: bool


def _written(value: Any, here: Here) -> str:
    """A constant, or the text of an expression."""
    if isinstance(value, bool | int) and not isinstance(value, Enum):
        return repr(value)
    if isinstance(value, Enum):
        return value.name if isinstance(value, Whole) else f"{type(value).__name__}.{value.name}"
    return cast(str, value.of(here))


@dataclass(frozen=True)
class Field:
    """The value of a field."""

    name: str

    def of(self, _here: Here) -> str:
        return f"self.{self.name}"


@dataclass(frozen=True)
class Plain:
    """A text."""

    text: str

    def of(self, _here: Here) -> str:
        return self.text


@dataclass(frozen=True)
class ThePage:
    """The page parameter, or NONE where there is none; or the second one."""

    second: bool = False

    def of(self, here: Here) -> str:
        return ("other" if self.second else "page") if here.pages > self.second else "(self.bits0 & NONE)"


@dataclass(frozen=True)
class Awaited:
    """What the vCPU waits for (any vCPU where there is no parameter)."""

    def of(self, here: Here) -> str:
        return "self.waiting[cpu]" if here.cpu else "self.waiting.any"


@dataclass(frozen=True)
class Mixed:
    """Two sets by an operator; a fixed set may stand on either side."""

    operator: str
    left: Any
    right: Any

    def of(self, here: Here) -> str:
        return f"({_written(self.left, here)} {self.operator} {_written(self.right, here)})"


@dataclass(frozen=True)
class Turned:
    """The complement, or whole host pages."""

    whole: bool
    inner: Any

    def of(self, here: Here) -> str:
        return f"{self.inner.of(here)}.host_pages" if self.whole else f"(~{self.inner.of(here)})"


@dataclass(frozen=True)
class Beside:
    """The neighbours on one side."""

    side: str
    inner: Any

    def of(self, here: Here) -> str:
        return f"{self.inner.of(here)}.{self.side}"


@dataclass(frozen=True)
class Compared:
    """A number or member compared with a constant or another field."""

    name: str
    operator: str
    other: Any

    def of(self, here: Here) -> str:
        return f"(self.{self.name} {self.operator} {_written(self.other, here)})"


@dataclass(frozen=True)
class Asked:
    """A question about one or two sets."""

    question: str
    left: Any
    right: Any

    def of(self, here: Here) -> str:
        a, b = self.left.of(here), self.right.of(here)
        questions = {"empty": ".empty", "full": ".full", "has": f"[{b}]", "subset": f".subset_of({b})"}
        return f"{a}{questions.get(self.question, f'.same_as({b})')}"


@dataclass(frozen=True)
class Line:
    """A question about the machine's end of the channel."""

    question: str
    detail: Any

    def of(self, here: Here) -> str:
        match self.question:
            case "room":
                return f"self.out.room({self.detail})"
            case "next":
                return f"self.inbox.next_is({_written(self.detail, here)})"
            case "none":
                return "self.inbox.empty"
            case "broken in":
                return "self.inbox.broken"
        return "self.out.broken"


@dataclass(frozen=True)
class Joined:
    """Conditions under `and`, `or` or `not` (of the first)."""

    word: str
    left: Any
    right: Any

    def of(self, here: Here) -> str:
        if self.word == "not":
            return f"(not {self.left.of(here)})"
        return f"({self.left.of(here)} {self.word} {self.right.of(here)})"


@dataclass(frozen=True)
class Guard:
    """`require`."""

    condition: Any

    def lines(self, here: Here) -> list[str]:
        return [f"require({self.condition.of(here)})"]


@dataclass(frozen=True)
class Either:
    """`if` and `else`."""

    condition: Any
    yes: tuple[Any, ...]
    no: tuple[Any, ...]

    def lines(self, here: Here) -> list[str]:
        found = [f"if {self.condition.of(here)}:", *_indented(self.yes, here)]
        return [*found, "else:", *_indented(self.no, here)]


def _indented(body: tuple[Any, ...], here: Here) -> list[str]:
    return [f"    {line}" for statement in body for line in statement.lines(here)] or ["    pass"]


@dataclass(frozen=True)
class Assigned:
    """A field gets the value of an expression, or a constant."""

    name: str
    value: Any

    def lines(self, here: Here) -> list[str]:
        return [f"self.{self.name} = {_written(self.value, here)}"]


@dataclass(frozen=True)
class Added:
    """A number moves by one; where that is `careful`, within its range."""

    by: int
    careful: bool

    def lines(self, _here: Here) -> list[str]:
        guard = f"require(self.count {'< TOP' if self.by > 0 else '> LOW'})"
        return [*([guard] if self.careful else []), f"self.count += {self.by}"]


@dataclass(frozen=True)
class Waits:
    """The vCPU waits for pages, or all stop to wait for them."""

    pages: Any

    def lines(self, here: Here) -> list[str]:
        pages = self.pages.of(here)
        return [f"self.waiting[cpu] = {pages}" if here.cpu else f"self.waiting.remove({pages})"]


@dataclass(frozen=True)
class Sent:
    """A message goes out, where there is room."""

    kind: Letter
    pages: Any
    having: tuple[tuple[str, Any], ...]

    def lines(self, here: Here) -> list[str]:
        fields = "".join(f", {name}={_written(value, here)}" for name, value in dict(self.having).items())
        mark = ", stale=self.memory.old" if self.kind == Letter.STAMPED else ""
        send = f"self.out.send({_written(self.kind, here)}, {self.pages.of(here)}{mark}{fields})"
        return ["require(self.out.room())", send]


@dataclass(frozen=True)
class Received:
    """A message comes in, and one of its fields is read."""

    kind: Letter
    into: str
    read: str | None

    def lines(self, here: Here) -> list[str]:
        return [
            f"message = self.inbox.receive({_written(self.kind, here)})",
            f"self.{self.into} |= message.pages",
            "self.memory.settled(message.marked['stale'])",
            *_read(self.read, self.into),
        ]


def _read(field: str | None, into: str) -> list[str]:
    """What a body does with a field of a message."""
    return {
        None: [],
        "loud": ["if message.carried['loud']:", f"    self.{into} = NONE"],
        "times": ["require(message.carried['times'] < 1)", "self.count = message.carried['times']"],
        "mood": ["require(message.carried['mood'] != Mood.WILD)"],
        "rest": [f"self.{into} &= message.carried['rest']"],
    }[field]


@dataclass(frozen=True)
class Peeked:
    """The next message is looked at, and may be refused."""

    kind: Letter
    refused: str
    into: str
    read: str | None

    def lines(self, here: Here) -> list[str]:
        return [
            f"message = self.inbox.peek({_written(self.kind, here)})",
            f"require((message.pages & self.{self.refused}).empty)",
            f"self.{self.into} |= message.pages",
            "self.memory.settled(message.marked['stale'])",
            *_read(self.read, self.into),
        ]


@dataclass(frozen=True)
class Answered:
    """A message comes in and another goes out; by then there may be more room."""

    kind: Letter
    flag: str | None

    def lines(self, here: Here) -> list[str]:
        return [
            f"message = self.inbox.receive({_written(self.kind, here)})",
            *([f"self.{self.flag} = self.out.room(2)"] if self.flag is not None else []),
            "require(self.out.room())",
            "self.out.send(Letter.PLAIN, message.pages)",
        ]


@dataclass(frozen=True)
class Closed:
    """One end is closed."""

    end: str

    def lines(self, _here: Here) -> list[str]:
        return [f"self.{self.end}.close()"]


@dataclass(frozen=True)
class Counted:
    """The semaphore is posted or waited for."""

    how: str

    def lines(self, _here: Here) -> list[str]:
        return [f"self.signal.{self.how}()"]


@dataclass(frozen=True)
class Locked:
    """The lock is taken, or given back by the thread that holds it."""

    takes: bool

    def lines(self, _here: Here) -> list[str]:
        return ["self.lock.acquire()"] if self.takes else ["require(self.lock.held)", "self.lock.release()"]


@dataclass(frozen=True)
class Told:
    """Something is observed, or the ghost is told of it."""

    noise: Noise | None
    pages: Any

    def lines(self, here: Here) -> list[str]:
        pages = self.pages.of(here)
        if self.noise is None:
            return [f"self.memory.touched({pages})"]
        return [f"self.observe({_written(self.noise, here)}, {pages})"]


@dataclass(frozen=True)
class Design:
    """One action: its parameters and its statements."""

    pages: int
    takes_cpu: bool
    body: tuple[Any, ...]


def method_of(design: Design) -> Callable[..., None]:
    """The action, from its text; `linecache` has the text, so that the check of bodies finds it."""
    here = Here(design.pages, design.takes_cpu)
    parameters = "self" + (", cpu: Cpu" if here.cpu else "") + "".join([", page: Page", ", other: Page"][: here.pages])
    head = f'def acts({parameters}) -> None:\n    """does something"""\n'
    text = head + "\n".join(_indented(design.body, here)) + "\n"
    file = f"random-action-{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    found: dict[str, Any] = {}
    enumerations = {each.__name__: each for each in (Letter, Level, Mood, Further, Noise, Spot)}
    names = {**enumerations, "NONE": NONE, "ALL": ALL, "TOP": TOP, "LOW": LOW, "require": require}
    exec(compile(text, file, "exec", dont_inherit=True), {**names, "Cpu": Cpu, "Page": Page}, found)
    return cast(Callable[..., None], found["acts"])
