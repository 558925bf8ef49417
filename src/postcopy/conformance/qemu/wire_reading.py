"""What passed between two QEMUs, as observations: the messages in order, with the model's names for them.

Two forms are read: a directory that `postcopy record` has written, and a file of decoded events, one JSON object a
line, plain or compressed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import inf

from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Connected, Meaning, Observation, Recording, set_of
from postcopy.conformance.qemu.plain_messages import REPLIES, PlainMessages
from postcopy.conformance.qemu.wire_files import Arrival, Main, Multifd, PackagePing, Preempt, Replies
from postcopy.engine import messages as m
from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.errors import UsageError

VCPUS = 4
"""So many threads may wait for pages at once: the wire does not say how many vCPUs there are."""


def _geometry(sizes: m.RamSize) -> Geometry:
    try:
        return Geometry(sizes.blocks)
    except ValueError as error:
        raise UsageError(f"the recording names no memory that a guest can have: {error}") from error


BEFORE_ALL = Arrival("", "", Main())


@dataclass
class _Reader:
    """Turns messages into observations.

    Attributes:
        has_loaded: the protocol has a message for the PONG of the package's last PING.
        loads: a reply shows that the destination has read the package.
        last_words: a SHUT with an error, which is put behind what the source sends before it has read it.
    """

    has_loaded: bool
    geometry: Geometry | None = None
    advised: bool = False
    preempt: bool = False
    multifd: bool = False
    refused: bool = False
    packaged: bool = False
    loads: bool = False
    last_words: list[Observation] = field(default_factory=list)
    generation: int = -1
    plain: PlainMessages = field(default_factory=PlainMessages)
    discards: list[m.Discard] = field(default_factory=list)
    found: dict[str, list[Observation]] = field(default_factory=lambda: {"main": []})
    now: Arrival = BEFORE_ALL
    switch: int | None = None
    beside: list[Observation] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def take(self, arrival: Arrival) -> None:
        """One message."""
        message = arrival.message
        self.now = arrival
        if arrival.host == "destination" or isinstance(message, Main):
            self._say_last_words()
        if arrival.host == "source" and self.discards and not isinstance(message, m.Discard):
            self._discard()
        match message:
            case Main() | Replies() | Preempt() | Multifd() | PackagePing():
                self._beside(message)
            case m.RamSize():
                if self.geometry is None:
                    self.geometry = _geometry(message)
            case m.Page():
                means = wire.URGENT_PAGE if arrival.preempt else wire.PAGE
                self._page("page", message.block, message.offset, means, arrival)
            case m.Request():
                self.loads = True
                self._page("REQ_PAGES", message.block, message.offset, wire.REQUEST, arrival)
            case m.Discard():
                self.discards.append(message)
            case m.Shut(status) if status:
                self._fails(status)
            case m.SwitchoverStart() | m.SwitchoverAck():
                name = type(message).__name__
                self.left_out[name] = self.left_out.get(name, 0) + 1
            case _:
                self._plain(message)

    def _beside(self, message: Main | Replies | Preempt | Multifd | PackagePing) -> None:
        match message:
            case Main():
                self._connected()
            case Replies():
                self.generation = -1 if self.now.stream not in self.found else self.generation
                self.generation += 1
                self.found.setdefault(self.now.stream, [])
            case Preempt():
                self.preempt = True
            case Multifd():
                self.multifd = True
            case PackagePing():
                self.plain.read(message)

    def _plain(self, message: object) -> None:
        host = "destination" if type(message) in REPLIES else "source"
        said = self.plain.read(message)
        if said is not None and said.why:
            self._wrong(host, said.words, said.why)
            return
        if isinstance(message, m.ReceivedBitmap):
            self._bitmap(message.block)
        if said is None or said.means is None:
            return
        self.advised |= said.means == wire.ADVISE
        self.packaged |= said.means == wire.PACKAGED
        means = said.means
        if means == wire.LOADED:
            self.loads = True
            means = wire.LOADED if self.has_loaded else wire.LOADS_DEVICES
        self._add(host, said.words, means)

    def _note(self, host: str, words: str, means: tuple[Meaning, ...], page: int, pages: int | None, why: str) -> None:
        now = self.now
        generation = max(0, self.generation)
        seen = Observation(host, words, now.place, means, page, pages, why, generation, now.time)
        if now.stream.startswith("multifd"):
            (self.found["main"] if self.switch is None else self.beside).append(seen)
            return
        if self.switch is None and {wire.DISCARD, wire.PACKAGED, wire.PRECOPY_END} & set(means):
            self.switch = len(self.found["main"])
        self.found.setdefault(now.stream, []).append(seen)

    def _fails(self, status: int) -> None:
        """The destination gives up. The source does not know of it yet, and may send more."""
        self.refused |= not self.packaged
        means: tuple[Meaning, ...] = (wire.SHUT_ERROR, *wire.ENDS_IN_FAILURE)
        if not self.loads:
            means = (*means, wire.CANNOT_LOAD)
        now, generation = self.now, max(0, self.generation)
        words = f"SHUT {status}"
        said = Observation("destination", words, now.place, means, generation=generation, time=now.time, fails=True)
        self.last_words.append(said)

    def _say_last_words(self) -> None:
        for said in self.last_words:
            stream = self.found.setdefault("main" if "replies" not in self.found else "replies", [])
            last = stream[-1].time if stream else said.time
            stream.append(replace(said, time=max(said.time, last)))
        self.last_words = []

    def streams(self) -> tuple[list[Observation], ...]:
        """What was seen. Pages of multifd have come before the switch, whenever the proxy saw them."""
        self._say_last_words()
        main = self.found["main"]
        at = len(main) if self.switch is None else self.switch
        main[at:at] = self.beside
        self.beside = []
        return tuple(self.found.values())

    def ends(self) -> tuple[float, ...]:
        """Up to when each stream is sure to have everything. Without times: for ever, or not at all."""
        last = {"main": (wire.EOF, wire.PRECOPY_END), "replies": (wire.SHUT_OK, wire.SHUT_ERROR)}
        if "replies" not in self.found:
            return ()
        whole = [
            name not in last or bool(stream and set(stream[-1].means) & set(last[name]))
            for name, stream in self.found.items()
        ]
        return () if all(whole) else tuple(inf if its else -1.0 for its in whole)

    def _add(self, host: str, words: str, means: Meaning, pages: int | None = None) -> None:
        self._note(host, words, (means,), -1, pages, "")

    def _wrong(self, host: str, words: str, why: str) -> None:
        self._note(host, words, (), -1, None, why)

    def _connected(self) -> None:
        self.generation += 1
        if self.generation:
            self.plain.connects_again()
            self._add("source", "a new main connection", Connected("stream"))

    def _page(self, words: str, block: str, offset: int, means: Meaning, arrival: Arrival) -> None:
        words = f"{words} {block} 0x{offset:x}"
        try:
            page = self._blocks().page(block, offset)
        except RemoteProtocolError as error:
            self._wrong(arrival.host, words, str(error))
            return
        self._note(arrival.host, words, (means,), page, None, "")

    def _blocks(self) -> Geometry:
        if self.geometry is None:
            raise RemoteProtocolError("no sizes of blocks have come before it")
        return self.geometry

    def _discard(self) -> None:
        """All commands of one switch together; QEMU names no page twice in them."""
        pages: list[int] = []
        words = "POSTCOPY_RAM_DISCARD"
        discards, self.discards = self.discards, []
        try:
            for part in discards:
                for begin, length in part.ranges:
                    pages += self._blocks().range(part.block, begin, length)
        except RemoteProtocolError as error:
            self._wrong("source", words, str(error))
            return
        if len(set(pages)) < len(pages):
            self._wrong("source", words, "it names a page twice")
        else:
            self._add("source", f"{words} of {len(pages)} pages", wire.DISCARD, self._set(pages))

    def _set(self, pages: list[int]) -> int:
        return set_of(pages, self._blocks().pages)

    def _bitmap(self, last: str) -> None:
        """The destination has answered for a block; once it has for all, that is one message."""
        if self.geometry is None:
            self._wrong("destination", f"reply RECV_BITMAP {last}", "no sizes of blocks have come before it")
            return
        answered, blocks = self.plain.answered, self._blocks().blocks
        if any(block.name not in answered for block in blocks):
            return
        pages = []
        for block in blocks:
            first = self._blocks().page(block.name, 0)
            bitmap, length = answered[block.name], block.length // 4096
            there = (8 * n + bit for n, byte in enumerate(bitmap) if byte for bit in range(8) if byte >> bit & 1)
            pages += [first + n for n in there if n < length]
        self._add("destination", f"reply RECV_BITMAP of {len(pages)} pages", wire.BITMAP, self._set(pages))


def read_wire(arrivals: Iterable[Arrival], *, has_loaded: bool) -> Recording:
    """What passed, as observations.

    Args:
        arrivals: the messages, those of each stream in order.
        has_loaded: the protocol has a message for the PONG of the package's last PING.

    Raises:
        UsageError: nothing passed that says what memory there is.
    """
    reader = _Reader(has_loaded)
    for arrival in arrivals:
        reader.take(arrival)
    if reader.geometry is None:
        raise UsageError("the recording ends before the source says what memory there is: nothing can be judged")
    inferred = list(wire.INFERRED)
    if reader.multifd:
        inferred.append("pages on connections of multifd count as pages of the stream, in the order of time")
    if reader.left_out:
        names = ", ".join(sorted(reader.left_out))
        inferred.append(f"messages that the protocol does not have are left out: {names}")
    firsts = [(reader.geometry.page(block.name, 0), block.name) for block in reader.geometry.blocks]
    given = {
        "source.postcopy_capability": reader.advised,
        "destination.postcopy_capability": not reader.refused,
        "destination.host_support": True,
        "preempt": reader.preempt,
        "disk_lock": False,
        "exit_on_error": True,
    }
    return Recording(
        reader.streams(),
        reader.geometry.pages,
        reader.geometry.group,
        given,
        VCPUS,
        wire.SHOWN,
        tuple(inferred),
        wire.UNSEEN,
        tuple(firsts),
        ends=reader.ends(),
    )
