"""Random protocols and random states of them, for tests that hold one interpretation or one search against another.

`random_protocols()` draws a small design (a tree of frozen dataclasses) and builds machines whose actions are written
from that tree in the language itself, so whatever an interpretation may get wrong can turn up. Every
protocol drawn is valid: no action leaves a range or overfills the channel (unless `careful=False`: then
numbers may leave their range).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
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
    Lock,
    Machine,
    Maps,
    Monitor,
    Network,
    Option,
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
from postcopy.language.variables import Sort
from tests.language.tiny import Letter
from tests.random_actions import (
    FIELDS,
    LOW,
    TOP,
    Added,
    Answered,
    Asked,
    Assigned,
    Awaited,
    Beside,
    Closed,
    Compared,
    Counted,
    Design,
    Either,
    Field,
    Further,
    Guard,
    Joined,
    Level,
    Line,
    Locked,
    Memory,
    Mixed,
    Mood,
    Noise,
    Peeked,
    Plain,
    Received,
    Sent,
    Spot,
    ThePage,
    Told,
    Turned,
    Waits,
    method_of,
)


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
        fields[f"acts{number}"] = action(thread, environment=environment, fair=fair, at=at)(method_of(design))
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
