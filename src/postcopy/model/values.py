"""What an action computes with: sets of pages, and the fixed words for "none" and "all".

A `PageSet` is what the document calls a bitmap. Actions see only this interface; the concrete reading
gives them a `ConcretePages`, the symbolic reading an expression (`postcopy.model.symbolic`).
There is no way to loop over pages, to count them or to order them: that keeps every action symmetric in
the pages and makes it lift unchanged to any number of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum


class Whole(Enum):
    """The two sets that exist whatever the number of pages: `NONE` and `ALL`."""

    NONE = "none"
    ALL = "all"


NONE = Whole.NONE
ALL = Whole.ALL


class PageSet(ABC):
    """A set of pages: the document's bitmaps, a request, the pages named by a message.

    Union ``|``, intersection ``&``, difference ``-``, complement ``~``; ``pages[page]`` asks for membership.
    """

    __slots__ = ()

    @abstractmethod
    def __and__(self, other: PageSet | Whole) -> PageSet: ...
    @abstractmethod
    def __or__(self, other: PageSet | Whole) -> PageSet: ...
    @abstractmethod
    def __sub__(self, other: PageSet | Whole) -> PageSet: ...
    @abstractmethod
    def __invert__(self) -> PageSet: ...

    @abstractmethod
    def __getitem__(self, page: PageSet) -> bool:
        """Whether the (single) page is in the set."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """No page is in the set."""

    @property
    @abstractmethod
    def full(self) -> bool:
        """Every page is in the set."""

    @abstractmethod
    def subset_of(self, other: PageSet | Whole) -> bool:
        """Every page of this set is in the other."""

    @abstractmethod
    def same_as(self, other: PageSet | Whole) -> bool:
        """Both sets have the same pages."""

    @property
    @abstractmethod
    def host_pages(self) -> PageSet:
        """All target pages of every host page that has a page in the set (rule R21)."""

    def __iter__(self) -> object:
        raise TypeError("a set of pages cannot be looped over: use whole-bitmap operators and a page parameter")

    def __bool__(self) -> bool:
        raise TypeError("a set of pages is not a truth value: ask .empty, .full or pages[page]")

    def __len__(self) -> int:
        raise TypeError("the pages of a set cannot be counted: ask .empty or .full")

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError("compare sets of pages with same_as() or subset_of()")


class Page(PageSet):
    """Annotation of an action's parameter that stands for one page: the set with just that page."""

    __slots__ = ()


class Cpu(int):
    """Annotation of an action's parameter that stands for one vCPU: its number."""


@dataclass(frozen=True, slots=True, eq=False)
class ConcretePages(Page):
    """A set of pages as Python bits: bit i is page i.

    Attributes:
        bits: the members, one bit a page.
        pages: how many pages there are.
        group: target pages of one host page (a divisor of `pages`).
    """

    bits: int
    pages: int
    group: int = 1

    def _bits(self, other: PageSet | Whole) -> int:
        if isinstance(other, ConcretePages):
            return other.bits
        if isinstance(other, Whole):
            return 0 if other is NONE else self._universe
        raise TypeError(f"a set of pages is needed here, not {other!r}")

    @property
    def _universe(self) -> int:
        return (1 << self.pages) - 1

    def _new(self, bits: int) -> ConcretePages:
        return ConcretePages(bits, self.pages, self.group)

    def __and__(self, other: PageSet | Whole) -> ConcretePages:
        return self._new(self.bits & self._bits(other))

    def __or__(self, other: PageSet | Whole) -> ConcretePages:
        return self._new(self.bits | self._bits(other))

    def __sub__(self, other: PageSet | Whole) -> ConcretePages:
        return self._new(self.bits & ~self._bits(other))

    def __invert__(self) -> ConcretePages:
        return self._new(self._universe & ~self.bits)

    def __getitem__(self, page: PageSet) -> bool:
        return bool(self.bits & self._bits(page))

    @property
    def empty(self) -> bool:
        return self.bits == 0

    @property
    def full(self) -> bool:
        return self.bits == self._universe

    def subset_of(self, other: PageSet | Whole) -> bool:
        return not self.bits & ~self._bits(other)

    def same_as(self, other: PageSet | Whole) -> bool:
        return self.bits == self._bits(other)

    @property
    def host_pages(self) -> ConcretePages:
        host = (1 << self.group) - 1
        starts = range(0, self.pages, self.group)
        return self._new(sum(host << start for start in starts if self.bits >> start & host))

    def __repr__(self) -> str:
        return "{" + ", ".join(str(p) for p in range(self.pages) if self.bits >> p & 1) + "}"
