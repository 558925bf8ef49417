"""How guest memory is cut into blocks and pages, and how pages are numbered: from 0, through all blocks in order."""

from __future__ import annotations

import builtins
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.messages import Block


class Geometry:
    """Blocks of guest memory, in pages.

    Args:
        blocks: at least one; names differ, lengths are multiples of a host page.
        target_page: bytes of a page as the guest and the wire know it: a power of two, at least 1024.
        host_page: bytes of a page as the hosts place it: a multiple of that, and a power of two.

    Attributes:
        pages: how many target pages there are.
        group: target pages of one host page.
    """

    def __init__(self, blocks: Iterable[Block], target_page: int = 4096, host_page: int = 4096) -> None:
        self.blocks = tuple(blocks)
        self.target_page, self.host_page = target_page, host_page
        for size in (target_page, host_page):
            if size < 1024 or size & (size - 1):
                raise ValueError(f"a page has a power of two of bytes, at least 1024: {size}")
        if host_page < target_page:
            raise ValueError(f"a host page of {host_page} bytes is smaller than a target page of {target_page}")
        self.group = host_page // target_page
        names = {block.name for block in self.blocks}
        if not self.blocks or len(names) < len(self.blocks):
            raise ValueError("guest memory needs blocks, of different names")
        for block in self.blocks:
            if block.length <= 0 or block.length % host_page:
                raise ValueError(f"block {block.name}: {block.length} bytes are no whole number of host pages")
        lengths = [block.length // target_page for block in self.blocks]
        self._first = [0, *accumulate(lengths)][:-1]
        self.pages = sum(lengths)
        self._of = {block.name: (first, block.length) for block, first in zip(self.blocks, self._first, strict=True)}

    def locate(self, page: int) -> tuple[str, int]:
        """The block's name and the offset in it, in bytes."""
        index = bisect_right(self._first, page) - 1
        return self.blocks[index].name, (page - self._first[index]) * self.target_page

    def page(self, block: str, offset: int) -> int:
        """The number of the page that begins there.

        Raises:
            RemoteProtocolError: there is none.
        """
        found = self._of.get(block)
        if found is None:
            raise RemoteProtocolError(f"there is no block {block}")
        first, length = found
        if offset >= length or offset % self.target_page:
            raise RemoteProtocolError(f"block {block} has no page at 0x{offset:x}")
        return first + offset // self.target_page

    def pages_from(self, block: str, offset: int, count: int) -> builtins.range:
        """The numbers of so many neighbouring pages of a block.

        Raises:
            RemoteProtocolError: the block does not have them.
        """
        first = self.page(block, offset)
        if offset + count * self.target_page > self._of[block][1]:
            raise RemoteProtocolError(f"block {block} ends before the last of {count} pages from 0x{offset:x} on")
        return range(first, first + count)

    def range(self, block: str, offset: int, length: int) -> builtins.range:
        """The numbers of the pages in a part of a block, which has to consist of whole host pages.

        Raises:
            RemoteProtocolError: it does not, or is not in the block.
        """
        first = self.page(block, offset)
        if length <= 0 or length % self.host_page or offset % self.host_page or offset + length > self._of[block][1]:
            raise RemoteProtocolError(f"block {block}: 0x{offset:x} and {length} bytes are no whole host pages of it")
        return range(first, first + length // self.target_page)

    def whole(self, block: str) -> builtins.range:
        """The numbers of all pages of a block.

        Raises:
            RemoteProtocolError: there is no such block.
        """
        first = self.page(block, 0)
        return range(first, first + self._of[block][1] // self.target_page)

    def parts(self, first: int, count: int) -> Iterator[tuple[str, int, int]]:
        """A run of pages as parts of blocks: name, offset and length in bytes."""
        while count:
            name, offset = self.locate(first)
            here = min(count, (self._of[name][1] - offset) // self.target_page)
            yield name, offset, here * self.target_page
            first += here
            count -= here
