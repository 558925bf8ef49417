"""What was seen of a real migration, said in what a protocol of the language can do: messages sent, and actions taken.

Neither the search for a run (`witness`) nor the proof that there is none (`projection`) knows of wires or logs: both
take streams of observations. Those of one stream are in order; of two streams it is only known what messages say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import NamedTuple, TypeAlias


class Sent(NamedTuple):
    """A message of this kind was sent on this channel."""

    channel: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} on {self.channel}"


class Connected(NamedTuple):
    """The sending end of a channel was connected anew."""

    channel: str

    def __str__(self) -> str:
        return f"a new connection for {self.channel}"


class Taken(NamedTuple):
    """An action was taken."""

    action: str

    def __str__(self) -> str:
        return self.action


Meaning: TypeAlias = Sent | Connected | Taken


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was seen.

    Attributes:
        host: whose step it was: ``source`` or ``destination``.
        words: what was seen, in QEMU's words.
        place: where that stands in the recording.
        means: what it can be in the model, any of these; empty for what no protocol explains.
        page: the page that it is about; -1 where it is about none, or about a set.
        pages: the set of pages that it is about, as bits; None where it is about none, or about one.
        why: why nothing explains it, where that is known from the recording alone.
        time: when it was seen, in seconds; 0 where that is not known.
        generation: how often the connection was made anew before: all of one generation comes before the next.
        fails: with it its host says that it gives up.
    """

    host: str
    words: str
    place: str
    means: tuple[Meaning, ...]
    page: int = -1
    pages: int | None = None
    why: str = ""
    generation: int = 0
    time: float = 0.0
    fails: bool = False


@dataclass(frozen=True)
class Recording:
    """What was seen of one migration.

    Attributes:
        streams: observations in order; where the order of all is known there is one stream.
        pages: how many target pages there are.
        group: target pages of one host page.
        given: what is known of the options and capabilities, by the name of the model's variable.
        cpus: how many threads may wait for pages at once.
        shows: the messages that such a recording shows wherever they are sent.
        inferred: what was not seen and is taken to be so, a sentence each.
        unseen: what such a recording cannot show, a sentence each.
        page_words: how pages are called, as (first page, block).
        target_page: bytes of a page.
        ends: for each stream the time up to which it is sure to have everything; none where all have.
    """

    streams: tuple[Sequence[Observation], ...]
    pages: int
    group: int
    given: dict[str, bool]
    cpus: int
    shows: frozenset[Sent]
    inferred: tuple[str, ...]
    unseen: tuple[str, ...]
    page_words: tuple[tuple[int, str], ...] = ()
    target_page: int = 4096
    ends: tuple[float, ...] = ()

    def may_lack(self, observation: Observation) -> bool:
        """Whether a stream may have ended too early to explain an observation of another one."""
        return any(
            observation.time > end and observation not in stream
            for stream, end in zip(self.streams, self.ends, strict=False)
        )

    def up_to_ends(self) -> Recording:
        """What all streams are sure to have."""
        end = min(self.ends, default=inf)
        return replace(self, streams=tuple([its for its in stream if its.time <= end] for stream in self.streams))

    @cached_property
    def failing(self) -> frozenset[str]:
        """The hosts that are seen to give up: only of these are failures, refusals and deaths taken into account."""
        return frozenset(its.host for stream in self.streams for its in stream if its.fails)

    @property
    def count(self) -> int:
        """How many observations there are."""
        return sum(map(len, self.streams))

    def name_of(self, page: int) -> str:
        """A page as QEMU says it: block and offset."""
        known = [(first, block) for first, block in self.page_words if first <= page]
        if not known:
            return f"page {page}"
        first, block = known[-1]
        return f"{block} 0x{(page - first) * self.target_page:x}"


def bits_of(pages: int) -> Iterator[int]:
    """The numbers of the pages of a set, lowest first."""
    while pages:
        lowest = pages & -pages
        yield lowest.bit_length() - 1
        pages ^= lowest


def set_of(pages: Sequence[int], size: int) -> int:
    """The set of these pages as bits: in time proportional to its size, however many pages there are."""
    if len(pages) < 16:
        return sum(1 << page for page in pages)
    found = bytearray((size + 7) // 8)
    for page in pages:
        found[page >> 3] |= 1 << (page & 7)
    return int.from_bytes(found, "little")
