"""What passed, kept as runs of neighbouring pages: so that an alarm can say what happened to its page before."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

MOST = 1 << 21
"""So many runs are kept at most: 48 MiB. Of more, the older half is forgotten."""
MOST_SAID = 4096
"""So many of the messages that are about no page are kept."""

_COUNT_BITS = 24
_LONGEST = (1 << _COUNT_BITS) - 1


class Said(NamedTuple):
    """Something that passed.

    Attributes:
        time: when, in seconds.
        words: what.
    """

    time: float
    words: str


class History:
    """Runs of pages with the message that they had in common, and messages about none, each with its time."""

    def __init__(self) -> None:
        self._runs = array("Q")
        self._times = array("d")
        self._said: deque[Said] = deque(maxlen=MOST_SAID)
        self._numbers: dict[str, int] = {}
        self._words: list[str] = []
        self.forgotten = 0

    def run(self, time: float, words: str, first: int, count: int) -> None:
        """So many pages from one on had this message."""
        number = self._number(words)
        while count > 0:
            here = min(count, _LONGEST)
            self._runs.append(first << _COUNT_BITS | here)
            self._times.append(time)
            self._runs.append(number)
            first, count = first + here, count - here
        self._forget()

    def scattered(self, time: float, words: str, pages: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        """These pages had this message, one after the other."""
        runs = np.empty((len(pages), 2), np.uint64)
        runs[:, 0] = pages << np.uint64(_COUNT_BITS) | np.uint64(1)
        runs[:, 1] = self._number(words)
        self._runs.frombytes(runs.tobytes())
        self._times.frombytes(np.full(len(pages), time).tobytes())
        self._forget()

    def _number(self, words: str) -> int:
        number = self._numbers.get(words)
        if number is None:
            number = self._numbers[words] = len(self._words)
            self._words.append(words)
        return number

    def _forget(self) -> None:
        if len(self._times) > MOST:
            half = len(self._times) // 2
            del self._times[:half]
            del self._runs[: 2 * half]
            self.forgotten += half

    def said(self, time: float, words: str) -> None:
        """A message about no page passed."""
        self._said.append(Said(time, words))

    def of_page(self, page: int) -> list[Said]:
        """What passed about a page, oldest first."""
        runs = np.array(self._runs, dtype=np.uint64).reshape(-1, 2)
        first = runs[:, 0] >> np.uint64(_COUNT_BITS)
        count = runs[:, 0] & np.uint64(_LONGEST)
        there = np.flatnonzero((first <= page) & (page < first + count))
        return [Said(self._times[index], self._words[int(runs[index, 1])]) for index in there.tolist()]

    def story(self, page: int | None) -> Iterator[Said]:
        """What passed about a page and about all, oldest first; without a page, about all."""
        return iter(sorted([*self._said, *(self.of_page(page) if page is not None else ())], key=lambda its: its.time))
