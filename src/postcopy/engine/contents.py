"""The contents of a guest's memory as messages: neighbouring pages together, those of zeros apart."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import Pages

Rows: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
"""Pages and their bytes."""


class PageContents:
    """The memory of a guest as it is at any time.

    Args:
        memory: all of it.

    Attributes:
        rows: the same, page by page.
    """

    def __init__(self, memory: mmap.mmap, geometry: Geometry) -> None:
        self._geometry = geometry
        self.rows: Rows = np.frombuffer(memory, np.uint8).reshape(geometry.pages, geometry.target_page)
        self._words = self.rows.view(np.uint64)

    def messages(self, run: range) -> Iterator[Pages]:
        """Neighbouring pages as they are now, those of zeros apart."""
        geometry = self._geometry
        if len(run) == 1:  # an urgent one: looking at whole arrays takes longer
            words, (block, offset) = self._words[run.start], geometry.locate(run.start)
            zeros = not words[0] and not words.any()
            yield Pages(block, offset, 1, geometry.target_page, None if zeros else self.rows[run.start].data)
            return
        zero = self._words[run.start : run.stop, 0] == 0  # one word suffices for most pages
        ends = [len(run)]
        if zero.any():
            likely = np.flatnonzero(zero)
            zero[likely] = ~self._words[run.start + likely].any(axis=1)
            ends = [*(np.flatnonzero(zero[1:] != zero[:-1]) + 1).tolist(), len(run)]
        for begin, end in zip([0, *ends], ends, strict=False):
            for block, offset, length in geometry.parts(run.start + begin, end - begin):
                first, count = geometry.page(block, offset), length // geometry.target_page
                data = None if zero[begin] else self.rows[first : first + count].data
                yield Pages(block, offset, count, geometry.target_page, data)
