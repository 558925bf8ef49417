"""Random protocols and random states of them, for tests that hold one interpretation or one search against another.

`random_protocols()` draws a small design (a tree of frozen dataclasses) and builds machines whose actions are written
from that tree in the language itself, so whatever an interpretation may get wrong can turn up. Every
protocol drawn is valid: no action leaves a range or overfills the channel (unless `careful=False`: then
numbers may leave their range).
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from functools import cache
from typing import Any, Literal, cast

from hypothesis import strategies as st

from postcopy.bitmaps import Bitmaps
from postcopy.language import (
    ALL,
    EITHER,
    NONE,
    Bitmap,
    Channel,
    Choice,
    Chosen,
    Count,
    Cpu,
    CpuBitmap,
    Flag,
    Ghost,
    Lock,
    Machine,
    Maps,
    Monitor,
    Network,
    Option,
    Page,
    PageSet,
    Property,
    Protocol,
    Receives,
    Semaphore,
    Sends,
    Step,
    Thread,
    View,
    about,
    action,
    always,
    every_step,
    require,
)
from postcopy.language.instance import Instance, State
from postcopy.language.values import Whole
from postcopy.language.variables import Sort
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


def _method(design: Design) -> Callable[..., None]:
    """The action, from its text; `linecache` has the text, so that the check of bodies finds it."""
    here = Here(design.pages, design.takes_cpu)
    parameters = "self" + (", cpu: Cpu" if here.cpu else "") + "".join([", page: Page", ", other: Page"][: here.pages])
    head = f'def acts({parameters}) -> None:\n    """does something"""\n'
    text = head + "\n".join(_indented(design.body, here)) + "\n"
    file = f"random-action-{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    found: dict[str, Any] = {}
    used = ("Letter", "Level", "Mood", "Further", "Noise", "Spot", "NONE", "ALL", "TOP", "LOW", "require")
    names = {k: globals()[k] for k in used}
    exec(compile(text, file, "exec", dont_inherit=True), names | {"Cpu": Cpu, "Page": Page}, found)
    return cast(Callable[..., None], found["acts"])


# -- strategies --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """The fields that a machine has."""

    flags: int
    bitmaps: int
    enumeration: type[Enum]
    sends: bool
    receives: bool
    has_places: bool
    ordered: bool
    maps: bool
    has_locks: bool
    """It has a semaphore and a lock."""
    has_block: bool
    """It reads a set that is chosen at the start."""
    has_option: bool
    """It reads an option."""
    extended: bool
    """`choice` has the members of Further too; `other_choice` does not."""

    def members(self, choice: str) -> list[Enum]:
        """What a choice can be."""
        return [*self.enumeration, *(Further if self.extended and choice == "choice" else ())]


@cache
def _sets(shape: Shape, pages: int) -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.sampled_from([Field(f"bits{i}") for i in range(shape.bitmaps)]),
        *([st.just(Field("block"))] if shape.has_block else []),
        st.just(Awaited()),
        *([st.just(Field("mapped.bits0"))] if shape.maps else []),
        *([st.just(ThePage())] * (2 if pages else 0)),
        *([st.just(ThePage(second=True))] * (2 if pages > 1 else 0)),
    )

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        fixed = st.sampled_from([NONE, ALL])
        operators = st.sampled_from("|&-")
        return st.one_of(
            st.builds(Mixed, operators, inner, inner),
            st.builds(Mixed, operators, inner, fixed),
            st.builds(Mixed, operators, fixed, inner),
            st.builds(Turned, st.booleans(), inner),
            *([st.builds(Beside, st.sampled_from(["next", "previous"]), inner)] if shape.ordered else []),
        )

    return st.recursive(leaves, larger, max_leaves=3)


@cache
def _conditions(shape: Shape, pages: int) -> st.SearchStrategy[Any]:
    sets = _sets(shape, pages)
    ordered = ["==", "!=", "<", "<=", ">", ">="]
    operators = ordered if issubclass(shape.enumeration, int) else ordered[:2]
    parts: list[st.SearchStrategy[Any]] = [
        st.builds(Compared, st.just("choice"), st.sampled_from(operators), st.sampled_from(shape.members("choice"))),
        st.builds(Compared, st.just("choice"), st.sampled_from(operators), st.just(Field("other_choice"))),
        st.builds(Compared, st.just("other_choice"), st.sampled_from(operators), st.just(Field("choice"))),
        st.builds(Compared, st.just("count"), st.sampled_from(ordered), st.integers(LOW - 1, TOP + 1)),
        st.builds(Compared, st.just("count"), st.sampled_from(ordered), st.just(Field("small"))),
        *(st.builds(Asked, st.just(q), sets, sets) for q in ("empty", "full", "has", "subset", "same")),
    ]
    if shape.has_locks:
        parts += [st.just(Plain("self.lock.free")), st.just(Plain("self.lock.held"))]
        parts += [st.just(Plain("(self.signal.count > 1)"))]
    if shape.has_option:
        parts += [st.just(Field("option"))] * 2
    if shape.flags:
        flags = st.sampled_from([Field(f"flag{i}") for i in range(shape.flags)])
        parts += [
            flags,
            st.builds(Compared, flags.map(lambda f: f.name), st.sampled_from(["==", "!="]), flags),
        ]
    if shape.sends:
        parts += [st.builds(Line, st.just("room"), st.integers(1, 3))] * 2 + [st.just(Line("broken out", None))]
    if shape.receives:
        parts += [st.builds(Line, st.just("next"), st.sampled_from(Letter))]
        parts += [st.sampled_from([Line("none", None), Line("broken in", None)])]
    return st.recursive(
        st.one_of(parts),
        lambda inner: st.builds(Joined, st.sampled_from(["and", "or", "not"]), inner, inner),
        max_leaves=3,
    )


def _having(
    sets: st.SearchStrategy[Any], conditions: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[tuple[str, Any], ...]]:
    """Values for some fields of a message."""
    one = st.one_of(
        st.tuples(st.just("loud"), st.one_of(st.booleans(), conditions)),
        st.tuples(st.just("times"), st.one_of(st.integers(-1, 1), st.just(Field("small")))),
        st.tuples(st.just("mood"), st.sampled_from(Mood)),
        st.tuples(st.just("rest"), sets),
    )
    return st.lists(one, max_size=2).map(tuple)


@cache
def _bodies(shape: Shape, pages: int, careful: bool) -> st.SearchStrategy[tuple[Any, ...]]:
    sets = _sets(shape, pages)
    conditions = _conditions(shape, pages)
    bitmaps = st.sampled_from([f"bits{i}" for i in range(shape.bitmaps)] + ["mapped.bits0"] * shape.maps)
    wider = ["choice", "other_choice"]
    narrower = ["other_choice"] if shape.extended else wider
    parts: list[st.SearchStrategy[Any]] = [
        st.builds(Guard, conditions),
        st.builds(Assigned, bitmaps, sets),
        *(st.builds(Assigned, st.just(choice), st.sampled_from(shape.members(choice))) for choice in wider),
        st.builds(Assigned, st.just("choice"), st.sampled_from(wider).map(Field)),
        st.builds(Assigned, st.just("other_choice"), st.sampled_from(narrower).map(Field)),
        st.builds(Assigned, st.just("count"), st.integers(LOW, TOP)),
        st.builds(Assigned, st.just("count"), st.just(Field("small"))),
        st.builds(Added, st.sampled_from([1, -1]), st.just(careful)),
        st.builds(Waits, sets),
        st.builds(Told, st.sampled_from([None, *Noise]), sets),
    ]
    if shape.has_locks:
        parts += [st.builds(Counted, st.sampled_from(["post", "wait"])), st.builds(Locked, st.booleans())] * 2
    if shape.flags:
        flags = st.sampled_from([f"flag{i}" for i in range(shape.flags)])
        parts += [st.builds(Assigned, flags, st.one_of(st.booleans(), conditions))]
    if shape.sends:
        parts += [st.builds(Sent, st.sampled_from(Letter), sets, _having(sets, conditions))] * 2
        parts += [st.just(Closed("out"))]
    if shape.receives:
        read = st.sampled_from([None, *FIELDS])
        parts += [st.builds(Received, st.sampled_from(Letter), bitmaps, read)] * 2 + [st.just(Closed("inbox"))]
        parts += [st.builds(Peeked, st.sampled_from(Letter), bitmaps, bitmaps, read)]
    if shape.has_places:
        parts += [st.builds(Assigned, st.just("place"), st.sampled_from(Spot))]
    if shape.sends and shape.receives:
        parts += [st.builds(Answered, st.sampled_from(Letter), st.just("flag0" if shape.flags else None))] * 3
    flat = st.one_of(parts)
    short = st.lists(flat, max_size=2).map(tuple)
    statement = st.one_of(flat, st.builds(Either, conditions, short, short))
    return st.lists(statement, min_size=2, max_size=5).map(tuple)


@st.composite
def _machines(
    draw: st.DrawFn, name: str, sends: bool, receives: bool, careful: bool, chosen: frozenset[str], maps: bool = False
) -> type[Machine]:
    shape = Shape(
        draw(st.integers(0, 2)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([Level, Mood])),
        sends,
        receives,
        draw(st.booleans()),
        draw(st.sampled_from([False, False, False, True])),
        maps,
        draw(st.sampled_from([False, False, True])),
        "block" in chosen,
        "option" in chosen,
        draw(st.booleans()),
    )
    choice = Choice("a choice", draw(st.sampled_from(list(shape.enumeration))))
    if shape.extended:
        choice = choice.extended(Further, draw(st.sampled_from([None, *shape.enumeration])))
    fields: dict[str, object] = {
        "choice": choice,
        "other_choice": Choice("another choice", draw(st.sampled_from(list(shape.enumeration)))),
        "count": Count("a number", LOW, TOP, 0),
        "small": Count("a smaller number", 0, 1, draw(st.integers(0, 1))),
        "waiting": CpuBitmap("what vCPUs wait for"),
    }
    flags: list[Any] = [False, True, EITHER]
    starts: list[Any] = [NONE, NONE, ALL, ALL, EITHER]
    if shape.has_locks:
        fields["signal"] = Semaphore("a signal", 2, saturates=draw(st.just(True) if careful else st.booleans()))
        fields["lock"] = Lock("a lock")
    if shape.has_places:
        fields["place"] = Choice("a place", Spot.HERE)
    for i in range(shape.flags):
        fields[f"flag{i}"] = Flag(f"flag {i}", draw(st.sampled_from(flags)))
    for i in range(shape.bitmaps):
        fields[f"bits{i}"] = Bitmap(f"bitmap {i}", draw(st.sampled_from(starts if i == 0 else [NONE, ALL])))
    if sends:
        fields["out"] = Sends("wire")
    if receives:
        fields["inbox"] = Receives("wire")
    if maps:
        fields["mapped"] = Maps("left", "bits0")
    for number in range(draw(st.integers(1, 3))):
        pages, takes_cpu = draw(st.sampled_from([0, 0, 1, 1, 2])), draw(st.sampled_from([False, False, True]))
        design = Design(pages, takes_cpu, draw(_bodies(shape, pages, careful)))
        each = draw(st.sampled_from([None, Cpu])) if takes_cpu else None
        thread = fields[f"thread{number}"] = Thread(f"thread {number}", each)
        places: list[tuple[Enum, ...]] = [(), (Spot.HERE,), (Spot.THERE,), tuple(Spot)]
        at = draw(st.sampled_from(places)) if shape.has_places else ()
        environment = draw(st.sampled_from([False, False, True]))
        fair: bool | Literal["strongly"] = (
            draw(st.sampled_from([False, False, True, "strongly"])) if not environment else False
        )
        fields[f"acts{number}"] = action(thread, environment=environment, fair=fair, at=at)(_method(design))
    return type(name, (Machine,), fields)


class Air(Machine):
    """The network: drops what was sent last, and breaks the connection."""

    network = Thread("network")
    wire = Network("wire")
    lost = Flag("something was lost")

    @action(network, environment=True)
    def drops(self) -> None:
        """loses a message"""
        require(not self.wire.empty)
        self.wire.drop_newest()
        self.lost = True

    @action(network, environment=True)
    def breaks(self) -> None:
        """breaks the connection, and loses a message where there is one"""
        require(not self.wire.broken)
        self.wire.close()
        self.wire.drop_newest()


def _may_rest(state: View) -> bool:
    return bool(state.left.bits0.empty)


_CAPACITIES = st.sampled_from([None, None, 1, 2, 3])
"""Room on the channel: as the size says, or as the channel says."""


@st.composite
def random_protocols(draw: st.DrawFn, careful: bool = True) -> type[Protocol]:
    """A small valid protocol: one or two machines, a channel between or within them, perhaps the network."""
    two = draw(st.booleans())
    chosen = draw(st.frozensets(st.sampled_from(["block", "option"])))
    receives = not two or draw(st.booleans())
    parts: dict[str, object] = {
        "cpus": draw(st.sampled_from([1, 2, 2, 3])),
        "wire": Channel(Letter, marks=("stale",), marked=(Letter.STAMPED,), capacity=draw(_CAPACITIES), fields=FIELDS),
        "memory": Memory,
        "left": draw(_machines("Left", True, receives, careful, chosen)),
        "may_rest": staticmethod(_may_rest),
    }
    if two:
        parts["right"] = draw(_machines("Right", draw(st.booleans()), True, careful, chosen, draw(st.booleans())))
    if draw(st.booleans()):
        parts["air"] = Air
    if "option" in chosen:
        starts: list[Any] = [EITHER, EITHER, False, True]
        parts["option"] = Option("an option", draw(st.sampled_from(starts)))
    if "block" in chosen:
        parts["block"] = Chosen("a block")
        parts["fine"] = draw(st.sampled_from(["", "block"]))
    return cast(type[Protocol], type("Random", (Protocol,), parts))


@st.composite
def random_states(draw: st.DrawFn, instance: Instance) -> State:
    """Any state of the right form, reachable or not: in range, and channels without gaps."""
    universe = (1 << instance.pages) - 1
    values = {v: draw(st.integers(0, universe if v.sort is Sort.PAGES else v.size - 1)) for v in instance.variables}
    bits = Bitmaps(instance.pages, instance.group)
    values |= {v: bits.host_pages(values[v]) for v in instance.variables if v.chosen and v.sort is Sort.PAGES}
    values |= instance.settled
    for channel in instance.channels.values():
        messages = draw(st.integers(0, len(channel.slots)))
        for i, slot in enumerate(channel.slots):
            here = list(slot.variables)
            if i >= messages:
                values.update(dict.fromkeys(here, 0))
            else:
                values[slot.kind] = draw(st.integers(1, slot.kind.size - 1))
                if slot.kind.decode(values[slot.kind]) not in channel.marked:
                    values.update(dict.fromkeys(slot.marks.values(), 0))
    return tuple(values[v] for v in instance.variables)


# -- properties that any random protocol can be asked ----------------------------------------------------


class Watcher(Monitor):
    """Remembers what was heard."""

    heard = Bitmap("pages heard of")
    sent = Flag("a stamped letter was sent")
    times = Count("how often something was loud, at most three", 0, 3)

    def watch(self, step: Step) -> None:
        """Decides by what has happened and by what it remembers."""
        self.heard |= step.of(Noise.LOUD)
        if step.sends(Letter.STAMPED):
            self.sent = True
        if step.happened(Noise.LOUD) and self.times < 3:
            self.times += 1


@every_step("nothing is heard twice", monitor=Watcher)
def heard_once(step: Step) -> bool | PageSet:
    """Nothing is heard twice."""
    return cast(PageSet, step.of(Noise.LOUD) & step.before.Watcher.heard)


@every_step("a step that sends leaves something on the channel")
def sends_stay(step: Step) -> bool | PageSet:
    """It decides by the state after the step."""
    if step.sends(Letter.PLAIN) or step.sends(Letter.STAMPED):
        return not step.after.wire.empty
    return True


@always("stale letters concern pages with a history")
def stale_has_history(state: View) -> bool | PageSet:
    """It need not hold: random protocols do anything."""
    if state.wire.carries(Letter.STAMPED):
        return cast(PageSet, state.wire.in_flight(Letter.STAMPED, stale=True) - state.memory.old)
    return True


@always("no tense letter is loud, and no stale one stands before another that was written once")
def quiet(state: View) -> bool | PageSet:
    """It need not hold either."""
    loud = state.wire.in_flight(Letter.PLAIN, loud=True, mood=Mood.TENSE)
    before = state.wire.in_order(about(Letter.STAMPED, stale=True, times=0), about(Letter.PLAIN, loud=False))
    return cast(PageSet, (loud - state.memory.old) | before)


RANDOM_PROPERTIES: tuple[Property, ...] = (heard_once, sends_stay, stale_has_history, quiet)
