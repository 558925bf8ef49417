"""The values that actions compute with: sets of pages, and the constants for "none" and "all".

A `PageSet` is what the document calls a bitmap. Actions see only this interface; the concrete interpretation
gives them a `ConcretePages`, the symbolic interpretation an expression (`postcopy.language.symbolic`).
There is no way to loop over pages, to count them or to compare them: that makes an action lift unchanged to any number
of them, and keeps it symmetric in the pages unless it asks for neighbours (`next`, `previous`).
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from postcopy.bitmaps import Bitmaps


class UnsupportedOperation(TypeError):
    """A body uses a value of the state in a way that cannot be interpreted; the text says what to write instead."""


class Truth:
    """A truth value that an interpretation uses in the place of a bool."""

    __slots__ = ()


class Whole(Enum):
    """The two sets that exist whatever the number of pages: `NONE` and `ALL`."""

    NONE = "none"
    ALL = "all"


NONE = Whole.NONE
"""No page, whatever the number of pages."""
ALL = Whole.ALL
"""Every page, whatever the number of pages."""


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

    def __rand__(self, other: Whole) -> PageSet:
        return self & other

    def __ror__(self, other: Whole) -> PageSet:
        return self | other

    def __rsub__(self, other: Whole) -> PageSet:
        return ~self & other

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

    @property
    @abstractmethod
    def next(self) -> PageSet:
        """The page behind each page of the set, in the order of addresses; the last page has none."""

    @property
    @abstractmethod
    def previous(self) -> PageSet:
        """The page in front of each page of the set, in the order of addresses; the first page has none."""

    def __lshift__(self, other: object) -> NoReturn:
        raise UnsupportedOperation("pages are not shifted: write pages.next or pages.previous for their neighbours")

    __rshift__ = __lshift__

    def __iter__(self) -> NoReturn:
        raise UnsupportedOperation(
            "a set of pages cannot be looped over: write whole-bitmap operators, or an action with a page parameter "
            "and a set of the pages that are done"
        )

    def __contains__(self, page: object) -> bool:
        raise UnsupportedOperation("ask whether a page is in a set with pages[page], whether a set is with subset_of()")

    def __setitem__(self, page: object, value: object) -> None:
        raise UnsupportedOperation("a set of pages is not changed in place: write pages |= page or pages -= page")

    def __bool__(self) -> bool:
        raise UnsupportedOperation("a set of pages is not a truth value: ask .empty, .full or pages[page]")

    def __len__(self) -> int:
        raise UnsupportedOperation("the pages of a set cannot be counted: ask .empty or .full")

    def __index__(self) -> int:
        raise UnsupportedOperation("a page has no number: pages are interchangeable")

    def __hash__(self) -> int:
        raise UnsupportedOperation("a set of pages cannot be looked up in a Python set or dictionary")

    def __eq__(self, other: object) -> bool:
        raise UnsupportedOperation("compare sets of pages with same_as() or subset_of()")

    def __lt__(self, other: object) -> bool:
        raise UnsupportedOperation("pages have no order: ask subset_of()")

    __gt__ = __le__ = __ge__ = __lt__


class Page(PageSet):
    """Annotation of an action's parameter that stands for one page: the set with just that page."""

    __slots__ = ()


Number = int
"""A number of the state: the value of a `Count`, which bodies compare, and add constants to."""


class Cpu(int):
    """Annotation of an action's parameter that stands for one vCPU: its number."""


@dataclass(frozen=True, slots=True, eq=False)
class ConcretePages(Page):
    """A set of pages as Python bits: bit i is page i.

    Attributes:
        bits: the members, one bit a page.
        pages: how many pages there are.
        group: target pages of one host page (a divisor of `pages`).
        fine: the pages that are host pages of their own all the same, one bit a page: whole groups.
    """

    bits: int
    pages: int
    group: int = 1
    fine: int = 0

    def _bits(self, other: PageSet | Whole) -> int:
        if isinstance(other, ConcretePages):
            return other.bits
        if isinstance(other, Whole):
            return 0 if other is NONE else self._universe
        raise UnsupportedOperation(f"a set of pages is needed here, not {other!r}")

    @property
    def _universe(self) -> int:
        return (1 << self.pages) - 1

    def _new(self, bits: int) -> ConcretePages:
        return ConcretePages(bits, self.pages, self.group, self.fine)

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
        whole = Bitmaps(self.pages, self.group).host_pages(self.bits)
        return self._new(self.bits & self.fine | whole & ~self.fine)

    @property
    def next(self) -> ConcretePages:
        return self._new(Bitmaps(self.pages).up(self.bits, 1))

    @property
    def previous(self) -> ConcretePages:
        return self._new(Bitmaps(self.pages).down(self.bits, 1))

    def __repr__(self) -> str:
        return "{" + ", ".join(str(p) for p in range(self.pages) if self.bits >> p & 1) + "}"
