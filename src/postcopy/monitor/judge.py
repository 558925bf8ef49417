"""Judges messages one after the other as they pass: a byte for each page, and one for the migration as a whole.

What each message is in the protocol is said in `conformance.qemu.wire_meaning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Meaning, Sent
from postcopy.conformance.qemu.plain_messages import REPLIES, PlainMessages
from postcopy.conformance.qemu.wire_files import Arrival, Main, Passed
from postcopy.engine import messages as m
from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.monitor.automaton import ANYTHING, REFUTED, Judging
from postcopy.monitor.compiled import NEW_CONNECTION, PAGE_STATES, REQUESTED, Compiled
from postcopy.monitor.heads import AdjacentPages, Offsets, PageRun, Scattered
from postcopy.monitor.history import History
from postcopy.monitor.projection import Symbol

TARGET_PAGE = 4096
"""Bytes of a target page."""
LEFT_ALONE = (
    "some pages were not followed to the end: more was on its way at once than the automaton was made for, or a "
    "connection of multifd was seen late"
)
STORY = 40
"""So many of the last lines of a page's story are told."""
MOST_EARLY = 1 << 16
"""So many runs of pages wait at most for the sizes of memory."""
MOST_ALARMS = 100
"""So many alarms are kept; more are counted."""
Verdict = Literal["conforms", "refuted", "unknown"]


class Alarm(msgspec.Struct, frozen=True):
    """A message that the protocol does not have there.

    Attributes:
        time: when it passed, in seconds since the epoch.
        host: who sent it.
        words: the message.
        place: where it stood, as connection and byte.
        page: the page, as QEMU says it: block and offset; empty where all pages, or none, are concerned.
        pages: so many pages of the message are concerned.
        why: why it cannot come.
        expected: what could have come instead, about this page or to all.
        story: what has passed about the page, and to all: the last lines, oldest first, this message at the end.
    """

    time: float
    host: str
    words: str
    place: str
    page: str
    pages: int
    why: str
    expected: tuple[str, ...]
    story: tuple[str, ...]


class Status(msgspec.Struct, frozen=True):
    """Where a migration stands.

    Attributes:
        verdict: conforms, as far as it has come; refuted; or unknown.
        why_unknown: why it cannot be judged; empty where it can be.
        protocol: what it is held against.
        phase: the phase of the migration.
        pages: how many target pages there are; 0 where that has not been said yet.
        by_state: how many pages are in each state.
        waiting: how many pages have been requested, and not come since.
        messages: how many messages have passed; each page is one.
        alarms: how often something passed that the protocol does not have.
        first: the first alarm.
    """

    verdict: Verdict
    why_unknown: str
    protocol: str
    phase: str
    pages: int
    by_state: dict[str, int]
    waiting: int
    messages: int
    alarms: int
    first: Alarm | None


@dataclass
class Judge:
    """Follows one migration.

    Attributes:
        compiled: the automata.
        now: when the messages passed that come next, in seconds since the epoch.
        place: where they stand: the connection, and what says at which byte it is (`offset`).
        alarms: what nothing explains, oldest first.
    """

    compiled: Compiled
    now: float = 0.0
    place: tuple[str, object] = ("", None)
    alarms: list[Alarm] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history = History()
        self.refused = 0
        self.messages = 0
        self._why_unknown = ""
        self._geometry: Geometry | None = None
        self._pages = bytearray([self.compiled.page.start])
        self._whole = self.compiled.whole.start
        self._connections = 0
        self._discarding = False
        self._plain = PlainMessages()
        self._over = False
        self._shut = self._failed = False
        self._late = self._multifd = False
        self._early: list[tuple[str, PageRun]] = []

    # -- what passes ----------------------------------------------------------------------------------------------

    def take(self, host: str, message: Passed | PageRun, *, preempt: bool = False, multifd: bool = False) -> None:
        """A message from a host has passed.

        Args:
            preempt: it came on the preempt channel.
            multifd: it came on a connection of multifd: pages may have been seen late there, so that no page is refused
                for that, or for what is said to all.
        """
        self.messages += message.count if isinstance(message, AdjacentPages | Scattered) else 1
        if self._why_unknown:
            return  # something is missing from now on
        self._late = multifd
        self._multifd |= multifd
        if multifd and self._geometry is None and isinstance(message, AdjacentPages | Scattered):
            self._too_early(host, message)
            return
        if self._failed and type(message) in REPLIES:
            why = "its SHUT has said before that it gives up"
            self._alarm(host, REPLIES[type(message)], None, 0, why, ())
            return
        page = wire.URGENT_PAGE if preempt else wire.PAGE
        match message:
            case m.Page():
                self._run(host, page, message.block, message.offset, 1)
            case AdjacentPages() | Scattered():
                self._run_of_pages(host, page, message)
            case m.Request():
                self._run(host, wire.REQUEST, message.block, message.offset, 1)
            case m.Discard():
                self._discard(message)
            case Main():
                self._connected()
            case m.RamSize():
                self._sizes(message)
            case m.Shut(status) if status:
                self._fails(host, f"SHUT {status}")
            case _:
                self._read(host, message)

    def _too_early(self, host: str, message: PageRun) -> None:
        """Pages on a connection of multifd may be seen before the sizes of memory, which were sent before them."""
        if len(self._early) == MOST_EARLY:
            self.cannot_read("too many pages have come on connections of multifd before the sizes of memory")
        self._early.append((host, message))

    def cannot_read(self, why: str) -> None:
        """From here on nothing can be judged."""
        self._why_unknown = self._why_unknown or why

    def _read(self, host: str, message: object) -> None:
        """A message that is about no page."""
        said = self._plain.read(message)
        if said is not None and said.why:
            self._alarm(host, said.words, None, 0, said.why, ())
            return
        if isinstance(message, m.ReceivedBitmap):
            self._bitmap(message.block)
        if said is None:
            return
        if said.means is None or (said.means == wire.LOADED and not self.compiled.page.has(Symbol(wire.LOADED, False))):
            self.history.said(self.now, said.words)
            return
        self._say(host, said.words, said.means)
        self._shut |= said.means == wire.SHUT_OK
        self._over |= said.means in (wire.SHUT_OK, wire.PRECOPY_END)

    def _fails(self, host: str, words: str) -> None:
        """The destination gives up, wherever it is. The source does not know of it yet, and goes on as before."""
        self.history.said(self.now, words)
        if self._shut or self._whole == self.compiled.whole.start:
            why = "SHUT 0 has come before" if self._shut else "nothing has come before that asks for an answer"
            self._alarm(host, words, None, 0, why, ())
        self._over = self._failed = True

    def _connected(self) -> None:
        self._connections += 1
        if self._connections > 1:
            self._plain.connects_again()
            self._say("source", "a new main connection", NEW_CONNECTION)

    def _sizes(self, message: m.RamSize) -> None:
        if self._geometry is None:
            self._geometry = Geometry(message.blocks)
            self._pages = self._pages * self._geometry.pages
            early, self._early, self._late = self._early, [], True
            for host, run in early:
                self._run_of_pages(host, wire.PAGE, run)

    def _discard(self, message: m.Discard) -> None:
        if not self._discarding:
            self._discarding = True
            self._step_whole("source", "POSTCOPY_RAM_DISCARD", Symbol(wire.DISCARD, True))
        for begin, length in message.ranges:
            self._run("source", wire.DISCARD, message.block, begin, length // TARGET_PAGE, length)

    def _bitmap(self, last: str) -> None:
        if self._geometry is None:
            why = "no sizes of blocks have come before it"
            self._alarm("destination", f"reply RECV_BITMAP {last}", None, 0, why, ())
        elif all(block.name in self._plain.answered for block in self._geometry.blocks):
            there = np.concatenate([self._arrived(block) for block in self._geometry.blocks])
            self._say_bitmap(there)

    def _arrived(self, block: m.Block) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        count = block.length // TARGET_PAGE
        bits = np.unpackbits(np.frombuffer(self._plain.answered[block.name], np.uint8), bitorder="little")[:count]
        return np.pad(bits, (0, count - len(bits))).astype(np.bool_)

    def _say_bitmap(self, there: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        words = f"reply RECV_BITMAP of {int(there.sum())} pages"
        before = bytes(self._pages)
        states = np.frombuffer(before, np.uint8)
        found = np.empty_like(states)
        for about in (False, True):
            its = there == about
            found[its] = np.frombuffer(self._then(Symbol(wire.BITMAP, about), states[its].tobytes()), np.uint8)
        after = found.tobytes()
        self._pages[:] = after
        self.history.said(self.now, words)
        self._step_whole("destination", words, Symbol(wire.BITMAP, bool(there.any())))
        self._judge("destination", words, wire.BITMAP, 0, before, after)

    # -- the automata ---------------------------------------------------------------------------------------------

    def _then(self, symbol: Symbol, before: bytes | bytearray) -> bytes | bytearray:
        return self.compiled.page.then(symbol, before)

    def _say(self, host: str, words: str, means: Meaning) -> None:
        """A message to all: each page has it in its word, and so has the whole."""
        if host == "source":
            self._discarding = False
        symbol = Symbol(means, False)
        self.history.said(self.now, words)
        refused = self._step_whole(host, words, symbol)
        before = bytes(self._pages)
        after = self._then(symbol, before)
        self._pages[:] = after
        if not refused:
            self._judge(host, words, means, 0, before, after)

    def _step_whole(self, host: str, words: str, symbol: Symbol) -> bool:
        before = self._whole
        (self._whole,) = self.compiled.whole.then(symbol, bytes([before]))
        refused = self._whole == REFUTED != before
        if refused:
            self._alarm(host, words, None, 0, "", _expected(self.compiled.whole, before))
        return refused

    def _run(self, host: str, means: Sent, block: str, offset: int, count: int, length: int | None = None) -> None:
        """A message about neighbouring pages."""
        if host == "source" and means is not wire.DISCARD:
            self._discarding = False
        try:
            if length is not None:
                self._blocks().range(block, offset, length)
            first = self._blocks().pages_from(block, offset, count).start
        except RemoteProtocolError as error:
            self._alarm(host, f"{_WORDS[means]} {block} 0x{offset:x}", None, 0, str(error), ())
            return
        self.history.run(self.now, _WORDS[means], first, count)
        run = self._pages[first : first + count]
        then = self._then(Symbol(means, True), run)
        self._pages[first : first + count] = then
        if REFUTED in then:
            self._judge(host, _WORDS[means], means, first, run, then)

    def _run_of_pages(self, host: str, means: Sent, run: PageRun) -> None:
        if isinstance(run, Scattered):
            self._scattered(host, means, run.block, run.offsets)
        else:
            self._run(host, means, run.block, run.offset, run.count)

    def _scattered(self, host: str, means: Sent, block: str, offsets: Offsets) -> None:
        """Pages that are no neighbours, each for itself."""
        self._discarding = False
        least, most = int(offsets.min()), int(offsets.max())
        try:
            blocks = self._blocks()
            first = blocks.page(block, least) - least // TARGET_PAGE
            blocks.page(block, most)
        except RemoteProtocolError:  # one of them: each for itself says which
            for offset in offsets.tolist():
                self._run(host, means, block, offset, 1)
            return
        numbers = offsets // np.uint64(TARGET_PAGE) + np.uint64(first)
        self.history.scattered(self.now, _WORDS[means], numbers)
        ordered = np.sort(numbers)
        if (ordered[1:] == ordered[:-1]).any():  # a page that comes twice is judged twice
            for n in range(len(numbers)):
                self._look_up(host, means, numbers[n : n + 1])
        else:
            self._look_up(host, means, numbers)

    def _look_up(self, host: str, means: Sent, numbers: Offsets) -> None:
        """A message about some pages, each of them once."""
        states = np.frombuffer(self._pages, np.uint8)
        before = states[numbers]
        after = np.frombuffer(self._then(Symbol(means, True), before.tobytes()), np.uint8)
        states[numbers] = after
        if (after == REFUTED).any():
            for n in np.flatnonzero((after == REFUTED) & (before != REFUTED)).tolist():
                was, then = before[n : n + 1].tobytes(), after[n : n + 1].tobytes()
                self._judge(host, _WORDS[means], means, int(numbers[n]), was, then)

    def _blocks(self) -> Geometry:
        if self._geometry is None:
            raise RemoteProtocolError("no sizes of blocks have come before it")
        return self._geometry

    def _judge(
        self, host: str, words: str, means: Meaning, first: int, before: bytes | bytearray, after: bytes | bytearray
    ) -> None:
        """Raise an alarm where a message is refused that was not refused already."""
        if REFUTED not in after:
            return
        if self._late or (self._multifd and means not in _WORDS):
            self._not_followed(first, before, after)
            return
        found = np.flatnonzero(
            (np.frombuffer(after, np.uint8) == REFUTED) & (np.frombuffer(before, np.uint8) != REFUTED)
        )
        if len(found):
            state = before[int(found[0])]
            about = means in _WORDS
            page = first + int(found[0]) if self._geometry is not None else None
            expected = _expected(self.compiled.page, state)
            self._alarm(host, words, page, len(found), "", expected, about=about)

    def _not_followed(self, first: int, before: bytes | bytearray, after: bytes | bytearray) -> None:
        """Pages that are refused only because a connection of multifd may have been seen late are judged no more."""
        was, now = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)
        states = np.where((now == REFUTED) & (was != REFUTED), ANYTHING, now).astype(np.uint8)
        self._pages[first : first + len(after)] = states.tobytes()

    def _alarm(
        self,
        host: str,
        words: str,
        page: int | None,
        count: int,
        why: str,
        expected: tuple[str, ...],
        *,
        about: bool = True,
    ) -> None:
        self.refused += 1
        if len(self.alarms) >= MOST_ALARMS:
            return
        name = self.name_of(page) if page is not None else ""
        what = f"{words} {name}" if name and about else words
        lines = [f"{its.time:.6f} {its.words}" for its in self.history.story(page)][-STORY:]
        why = why or f"after what has passed before, {self.compiled.name} has no {words} here"
        self.alarms.append(Alarm(self.now, host, what, self._place(), name, count, why, expected, tuple(lines)))

    def _place(self) -> str:
        name, parser = self.place
        offset = getattr(parser, "offset", None)
        return name if offset is None else f"{name}, byte {offset:,}"

    # -- answers --------------------------------------------------------------------------------------------------

    def name_of(self, page: int) -> str:
        """A page as QEMU says it: block and offset."""
        if self._geometry is None:
            return ""
        block, offset = self._geometry.locate(page)
        return f"{block} 0x{offset:x}"

    @property
    def over(self) -> bool:
        """Whether the migration has come to its end, well or not."""
        return self._over

    def _phase(self) -> str:
        if self._failed:
            return "failed"
        labels = self.compiled.whole.labels
        return labels[self._whole] if self._whole < len(labels) else "not followed"

    @property
    def verdict(self) -> tuple[Verdict, str]:
        """The verdict on what has passed, and for unknown the reason."""
        if self.refused:
            return "refuted", ""
        if self._why_unknown:
            return "unknown", self._why_unknown
        if self._geometry is None:
            return "unknown", "nothing has passed that says what memory there is"
        if ANYTHING in self._pages or self._whole == ANYTHING:
            return "unknown", LEFT_ALONE
        return "conforms", ""

    def status(self) -> Status:
        """Where the migration stands. May be asked by another thread."""
        verdict, why = self.verdict
        by_state = dict.fromkeys(PAGE_STATES, 0)
        pages = 0 if self._geometry is None else self._geometry.pages
        if pages:
            counts = np.bincount(np.frombuffer(bytes(self._pages), np.uint8), minlength=256).tolist()
            for state, label in enumerate(self.compiled.page.labels):
                by_state[label] += counts[state]
            by_state["refuted"], by_state["not followed"] = counts[REFUTED], counts[ANYTHING]
        return Status(
            verdict=verdict,
            why_unknown=why,
            protocol=self.compiled.name,
            phase=self._phase(),
            pages=pages,
            by_state={label: count for label, count in by_state.items() if count or label in PAGE_STATES},
            waiting=by_state[REQUESTED],
            messages=self.messages,
            alarms=self.refused,
            first=self.alarms[0] if self.alarms else None,
        )


_WORDS: dict[Meaning, str] = {
    wire.PAGE: "page",
    wire.URGENT_PAGE: "page on the preempt channel",
    wire.REQUEST: "REQ_PAGES",
    wire.DISCARD: "POSTCOPY_RAM_DISCARD",
}


def _expected(automaton: Judging, state: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(symbol) for symbol in automaton.allowed(state)))


def judge_all(compiled: Compiled, arrivals: Iterable[Arrival]) -> Judge:
    """Follow a migration that was recorded."""
    judge = Judge(compiled)
    for arrival in arrivals:
        judge.now, judge.place = arrival.time, (arrival.place, None)
        judge.take(arrival.host, arrival.message, preempt=arrival.preempt, multifd=arrival.stream.startswith("multifd"))
    return judge


def tell(alarm: Alarm) -> Sequence[str]:
    """An alarm for a person, a line each."""
    what = f"refuted: {alarm.words}, of the {alarm.host}" + (f" ({alarm.place})" if alarm.place else "")
    more = f", and {alarm.pages - 1:,} more pages" if alarm.pages > 1 else ""
    lines = [what + more, f"why: {alarm.why}"]
    if alarm.expected:
        lines.append(f"could have come instead: {', '.join(alarm.expected)}")
    about = f" about {alarm.page} and" if alarm.page else ""
    return [*lines, f"what has passed{about} to all:", *(f"  {line}" for line in alarm.story)]
