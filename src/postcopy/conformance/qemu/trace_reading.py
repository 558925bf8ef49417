"""The trace events of two QEMUs as observations: what each host did, in the order of its log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf

from postcopy.conformance.qemu import trace_meaning as trace
from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Meaning, Observation, Recording, Taken, set_of
from postcopy.conformance.qemu.trace_files import Line
from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import Block
from postcopy.errors import UsageError

PAGE, ZERO = 0x8, 0x2
PREEMPT = "postcopy_preempt_new_channel"
LOADS_IN_POSTCOPY = "ram_load_postcopy_loop"
DISCARD_END = "loadvm_postcopy_ram_handle_discard_end"
SHUT, LISTEN_EXIT = "source_return_path_thread_shut", "postcopy_ram_listen_thread_exit"
"""What comes last in the log of the source, and of the destination, where a migration completes in postcopy."""
LISTEN, RUN = "loadvm_postcopy_handle_listen", "loadvm_postcopy_handle_run"
SET_STATE, FAILED = "migrate_set_state", "new state failed"
OLD_LOADED = ("0x3", "3")
"""The PONG that says before QEMU 11 that the package is loaded."""
VCPUS = 4
BEFORE_PAGES = (wire.OPEN_RETURN_PATH, wire.PING, wire.ADVISE)
"""What the source sends before the first page, as far as a migration has it."""

_RANGE = re.compile(r"(\S+): (0x[0-9a-f]+) offset=\S+ length=(0x[0-9a-f]+)")
_DISCARD = re.compile(r"(\S+):([0-9a-f]+)/([0-9a-f]+)")
_PLACES: Sequence[tuple[str, re.Pattern[str]]] = (
    ("ram_save_page", re.compile(r"(\S+): offset: (0x[0-9a-f]+)")),
    ("ram_load_loop", re.compile(r"(\S+): addr: (0x[0-9a-f]+)")),
    ("ram_save_queue_pages", re.compile(r"(\S+): start: (0x[0-9a-f]+)")),
    ("get_queued_page_not_dirty", re.compile(r"(\S+)/(0x[0-9a-f]+)")),
    ("postcopy_ram_fault_thread_request", re.compile(r".*rb=(\S+) offset=(0x[0-9a-f]+)")),
)
_LOADS = re.compile(r"(chan=\d+) addr=(0x[0-9a-f]+)")
_FLAGS = re.compile(r".*flags[:=] ?(0x[0-9a-f]+)")
_HOST = re.compile(r".*?(0x[0-9a-f]+)")


class _Reader:
    """What both logs share: where blocks are, and which rows of the table a protocol has."""

    def __init__(self, source: Sequence[Line], destination: Sequence[Line], has: Callable[[Meaning], bool]) -> None:
        self.hosts: list[tuple[int, int, str]] = []
        for line in destination:
            if line.event == "postcopy_init_range" and (found := _RANGE.match(line.rest)):
                self.hosts.append((int(found[2], 16), int(found[3], 16), found[1]))
        memory = [(name, length) for _, length, name in self.hosts] or _memory_seen(destination, "ram_load_loop")
        if not memory and any(_fails(line) for line in destination):
            memory = _memory_seen(source, "ram_save_page")  # the destination has loaded none of it
        if not memory:
            needed = "postcopy_init_range or ram_load_loop is needed (the source's log comes first)"
            raise UsageError(f"the destination's log does not say what memory there is: {needed}")
        try:
            self.geometry = Geometry(Block(name, length) for name, length in memory)
        except ValueError as error:
            raise UsageError(f"the destination's log names no memory that a guest can have: {error}") from error
        self._patterns = dict(_PLACES)
        self.loaded = tuple(its for its in (Taken("source.receives_loaded"),) if has(its))
        self.rows: dict[tuple[str, str], list[trace.InTheLog]] = {}
        for row in trace.LOG:
            means: tuple[Meaning, ...] = tuple(its for its in row.means if has(its))
            means = means[:1] if row.how == trace.FIRST_KNOWN else means
            if means or not row.means:
                self.rows.setdefault((row.host, row.event), []).append(row._replace(means=means))

    def row(self, host: str, line: Line) -> trace.InTheLog | None:
        """The row for an event."""
        rows = self.rows.get((host, line.event), ())
        return next((row for row in rows if line.rest.startswith(row.begins)), None)

    def page(self, line: Line) -> int:
        """The page that an event is about; -1 where it is about none."""
        pattern = self._patterns.get(line.event)
        if pattern is not None and (found := pattern.match(line.rest)):
            return self.geometry.page(found[1], int(found[2], 16) & ~0xFFF)
        if line.event == "postcopy_page_req_sync" and (found := _HOST.match(line.rest)):
            return self.at_host(int(found[1], 16))
        return -1

    def at_host(self, address: int) -> int:
        """The page at an address of the destination."""
        for begin, length, name in self.hosts:
            if begin <= address < begin + length:
                return self.geometry.page(name, (address - begin) & ~0xFFF)
        raise RemoteProtocolError(f"no block has the address 0x{address:x}")


def _memory_seen(lines: Sequence[Line], event: str) -> list[tuple[str, int]]:
    """The blocks of which pages were loaded, or sent, up to the last of these: all that a log says where the
    destination has not prepared for postcopy."""
    ends: dict[str, int] = {}
    pattern = dict(_PLACES)[event]
    for line in lines:
        is_page = line.event == event and (event == "ram_save_page" or _carries_page(line))
        if is_page and (found := pattern.match(line.rest)):
            end = (int(found[2], 16) & ~0xFFF) + 0x1000
            ends[found[1]] = max(end, ends.get(found[1], 0))
    return list(ends.items())


def read_traces(source: Sequence[Line], destination: Sequence[Line], has: Callable[[Meaning], bool]) -> Recording:
    """Two logs as observations.

    Args:
        source: the source's events.
        destination: the destination's events.
        has: whether the protocol knows this message or action.

    Raises:
        UsageError: the destination's log does not say what memory there is.
    """
    reader = _Reader(source, destination, has)
    there = list(_destination(reader, destination))
    here = _with_zeros(list(_SourceLog(reader).read(source)), there)
    inferred: tuple[str, ...] = trace.INFERRED
    if any(line.event.startswith("multifd_send") for line in source):
        here, there = _with_multifd(here, there, reader.geometry.pages)
        inferred = (*inferred, trace.MULTIFD)
    here = _on_their_channel(here, there)
    given = {
        "source.postcopy_capability": any(line.event == "qemu_savevm_send_postcopy_advise" for line in source),
        "destination.postcopy_capability": True,
        "destination.host_support": True,
        "preempt": any(line.event == PREEMPT for line in source),
        "disk_lock": False,
        "exit_on_error": True,
    }
    firsts = [(reader.geometry.page(block.name, 0), block.name) for block in reader.geometry.blocks]
    return Recording(
        (here, there),
        reader.geometry.pages,
        1,
        given,
        VCPUS,
        trace.SHOWN,
        inferred,
        trace.UNSEEN,
        tuple(firsts),
        ends=_ends(source, destination),
    )


def _ends(source: Sequence[Line], destination: Sequence[Line]) -> tuple[float, ...]:
    """Up to when the logs are sure to have everything: for ever where a log has what comes last."""
    ends = tuple(
        inf if any(line.event == last for line in lines) else lines[-1].time or -1.0
        for lines, last in ((source, SHUT), (destination, LISTEN_EXIT))
    )
    return () if ends == (inf, inf) else ends


def _seen(host: str, line: Line, means: tuple[Meaning, ...], page: int, generation: int) -> Observation:
    words = f"{line.event} {line.rest}".strip()
    return Observation(host, words, f"line {line.number}", means, page, generation=generation, time=line.time)


def _destination(reader: _Reader, lines: Sequence[Line]) -> Iterator[Observation]:
    """What the destination did.

    Where its listen thread has failed, its other threads go on until the process ends: so this comes last, and is left
    out where RUN is handled nevertheless. Before LISTEN the thread that fails is the one that reads.
    """
    generation, asked = 0, False
    last_discard = max((line.number for line in lines if line.event == DISCARD_END), default=0)
    placed = _placements(reader, lines)
    exits = _exits_in_failure(lines)
    runs = any(line.event == RUN for line in lines)
    listens = False
    failed: Line | None = None
    for line in lines:
        listens |= line.event == LISTEN
        if line.event == "postcopy_pause_incoming_continued":
            generation, asked = generation + 1, False
        row = reader.row("destination", line)
        if row is None or not row.means:
            continue
        page = placed.get(line.number, -1) if line.event == LOADS_IN_POSTCOPY else reader.page(line)
        if line.event in (LOADS_IN_POSTCOPY, "ram_load_loop") and (page < 0 or not _carries_page(line)):
            continue
        if line.event == DISCARD_END and line.number != last_discard:
            continue
        if line.event == "loadvm_handle_recv_bitmap":
            if asked:
                continue
            asked = True
        if _fails(line):
            if not runs and not listens:
                yield replace(_seen("destination", line, row.means, -1, generation), fails=True)
            failed = line
        elif line.number not in exits:
            yield _seen("destination", line, row.means, page, generation)
    if failed is not None and listens and not runs:
        yield replace(_seen("destination", failed, wire.ENDS_IN_FAILURE, -1, generation), fails=True)


def _fails(line: Line) -> bool:
    return line.event == SET_STATE and line.rest.startswith(FAILED)


def _exits_in_failure(lines: Sequence[Line]) -> set[int]:
    """The exits of a listen thread that sets the state failed next, by their lines."""
    found: set[int] = set()
    exits: list[int] = []
    for line in lines:
        if line.event == LISTEN_EXIT:
            exits.append(line.number)
        if line.event == SET_STATE:
            found.update(exits if _fails(line) else ())
            exits.clear()
    return found


def _carries_page(line: Line) -> bool:
    found = _FLAGS.match(line.rest)
    return found is not None and bool(int(found[1], 16) & (PAGE | ZERO))


def _placements(reader: _Reader, lines: Sequence[Line]) -> dict[int, int]:
    """For each page that is read in postcopy, by its line: the page. Its block is known from where it is placed."""
    waiting: dict[str, tuple[int, int]] = {}
    found: dict[int, int] = {}
    for line in lines:
        if line.event == LOADS_IN_POSTCOPY and _carries_page(line) and (head := _LOADS.match(line.rest)):
            waiting[head[1]] = line.number, int(head[2], 16)
        elif line.event.startswith("postcopy_place_page") and (host := _HOST.match(line.rest)):
            page = reader.at_host(int(host[1], 16))
            offset = reader.geometry.locate(page)[1]
            channel = next((name for name, (_, addr) in waiting.items() if addr & ~0xFFF == offset), None)
            if channel is not None:
                found[waiting.pop(channel)[0]] = page
    return found


class _SourceLog:
    """What the source did, but for its pages of zeros."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._generation = -1
        self._discards: list[int] = []
        self._once: set[str] = set()
        self._queued: list[Observation] = []
        self._open: set[int] = set()
        self._preempt = False

    def read(self, lines: Sequence[Line]) -> Iterator[Observation]:
        """The observations in order.

        A request that is queued while the next page has been chosen already comes behind that page: the two threads
        write to one log.
        """
        last_reload = _last_of_each_recovery(lines)
        self._preempt = any(line.event == PREEMPT for line in lines)
        for line in lines:
            if line.event == "get_queued_page":
                yield from self._those_queued()
            if line.event == "ram_postcopy_send_discard_bitmap":
                yield from self._switch(line)
            for seen in self._of(line, last_reload):
                if seen.means == trace.RECEIVES_REQUEST:
                    self._open.add(seen.page)
                    self._queued.append(seen)
                    if self._preempt:
                        yield from self._those_queued()
                    continue
                if seen.means == trace.DROPS and seen.page not in self._open:
                    continue  # it was queued twice
                if seen.page >= 0:
                    self._open.discard(seen.page)
                if seen.page >= 0 and trace.PAGES[0] in seen.means:
                    yield seen
                    yield from self._those_queued()
                else:
                    yield from self._those_queued()
                    yield seen
        yield from self._those_queued()

    def _those_queued(self) -> Iterator[Observation]:
        yield from self._queued
        self._queued.clear()

    def _of(self, line: Line, last_reload: frozenset[int]) -> Iterator[Observation]:
        row = self._reader.row("source", line)
        means = row.means if row is not None else ()
        if line.old and line.event == "source_return_path_thread_pong" and line.rest in OLD_LOADED:
            means = self._reader.loaded
        if line.event == "open_return_path_on_source":
            self._generation += 1
            self._once.clear()
            means = means if self._generation else ()
        if line.event == "ram_dirty_bitmap_request":
            means = () if line.event in self._once else means
            self._once.add(line.event)
        if line.event == "ram_dirty_bitmap_reload_complete" and line.number not in last_reload:
            return
        if line.event == "postcopy_discard_send_range":
            if found := _DISCARD.match(line.rest):
                first = self._reader.geometry.page(found[1], int(found[2], 16) << 12)
                self._discards += range(first, first + int(found[3], 16))
            return
        if means:
            yield _seen("source", line, means, self._reader.page(line), max(0, self._generation))

    def _switch(self, line: Line) -> Iterator[Observation]:
        if self._discards:
            bits = set_of(self._discards, self._reader.geometry.pages)
            seen = _seen("source", line, (wire.DISCARD,), -1, max(0, self._generation))
            yield replace(seen, words=f"postcopy_discard_send_range of {len(self._discards)} pages", pages=bits)
        self._discards = []


def _last_of_each_recovery(lines: Sequence[Line]) -> frozenset[int]:
    found: list[int] = []
    fresh = True
    for line in lines:
        if line.event == "open_return_path_on_source":
            fresh = True
        if line.event == "ram_dirty_bitmap_reload_complete":
            if not fresh:
                found.pop()
            found.append(line.number)
            fresh = False
    return frozenset(found)


def _with_zeros(here: Sequence[Observation], there: Sequence[Observation]) -> list[Observation]:
    """The source's log with its pages of zeros: each is sent behind the page that the destination has read before, and
    behind the message that has to be sent before it."""
    sent = [n for n, its in enumerate(here) if its.page >= 0 and trace.PAGES[0] in its.means]
    behind: dict[int, list[Observation]] = {}
    known: dict[int, list[int]] = {}
    for position, n in enumerate(sent):
        known.setdefault(here[n].page, []).append(position)
    earliest = _earliest(here)
    at = -1
    for its in there:
        if its.means not in (trace.LOADS, trace.PLACES):
            continue
        later = next((p for p in known.get(its.page, ()) if p > at), None)
        if later is not None and not _is_zero(its):
            at = later
        elif _is_zero(its):
            place = max(sent[at] if at >= 0 else -1, earliest(its))
            behind.setdefault(place, []).append(its)
    found = [_zero(zero, zero) for zero in behind.get(-1, ())]
    for n, its in enumerate(here):
        found.append(its)
        found += [_zero(zero, its) for zero in behind.get(n, ())]
    return found


def _earliest(here: Sequence[Observation]) -> Callable[[Observation], int]:
    """For a page that the destination has read, the place in the source's log before which it cannot have been sent: it
    is read in precopy, in postcopy, or after a recovery."""
    begun, packaged, resumed = -1, -1, {0: -1}
    for n, its in enumerate(here):
        if any(each in its.means for each in BEFORE_PAGES):
            begun = n
        if wire.PACKAGED in its.means:
            packaged = n
        if wire.RESUME in its.means:
            resumed[its.generation] = n
    return lambda read: max(begun, packaged if read.means == trace.PLACES else -1, resumed.get(read.generation, -1))


def _with_multifd(
    here: Sequence[Observation], there: Sequence[Observation], pages: int
) -> tuple[list[Observation], list[Observation]]:
    """Pages on connections of multifd have no event: those that the switch does not discard were sent and loaded."""
    discarded = next((its.pages or 0 for its in here if wire.DISCARD in its.means), 0)
    seen = {its.page for its in here if its.means == trace.PAGES}
    missing = [page for page in range(pages) if not discarded >> page & 1 and page not in seen]
    words = "a page on a connection of multifd"

    def inserted(
        stream: Sequence[Observation], before: tuple[Meaning, ...], means: tuple[Meaning, ...]
    ) -> list[Observation]:
        at = next((n for n, its in enumerate(stream) if set(its.means) & set(before)), len(stream))
        if at == len(stream):
            return list(stream)
        new = [replace(stream[at], words=words, means=means, page=page, pages=None) for page in missing]
        return [*stream[:at], *new, *stream[at:]]

    return (
        inserted(here, (wire.DISCARD, wire.PACKAGED), trace.PAGES),
        inserted(there, (*trace.DISCARDS, trace.PACKAGE), trace.LOADS),
    )


def _is_zero(its: Observation) -> bool:
    found = _FLAGS.match(its.words)
    return found is not None and bool(int(found[1], 16) & ZERO)


def _zero(its: Observation, before: Observation) -> Observation:
    words = "a page of zeros, which the destination has read"
    return replace(its, host="source", words=words, means=trace.PAGES, generation=before.generation, time=before.time)


def _on_their_channel(here: Sequence[Observation], there: Sequence[Observation]) -> list[Observation]:
    """Pages on the channel on which the destination has read them; on either, where it has not."""
    urgent = {its.page for its in there if its.means == trace.PLACES_URGENT}
    main = {its.page for its in there if its.means == trace.PLACES}
    found, switched = [], False
    for its in here:
        switched |= wire.PACKAGED in its.means
        if switched and its.means == trace.PAGES and urgent:
            means: tuple[Meaning, ...] = trace.EITHER_CHANNEL
            if its.page in urgent and its.page not in main:
                means = (wire.URGENT_PAGE,)
            elif its.page in main and its.page not in urgent:
                means = trace.PAGES
            found.append(replace(its, means=means))
        else:
            found.append(its)
    return found
