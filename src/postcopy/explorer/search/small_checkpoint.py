"""A search with the small table kept on disk.

Pairs stand in one file in the order of discovery, words in a file for each node of the tree. All files only grow. The
queue gives its room to others when pairs were expanded, so these are written then, and count from the next checkpoint
on. What finds pairs and words again is made anew from them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from postcopy.errors import UsageError
from postcopy.explorer.search.checkpoint import Column, Values
from postcopy.explorer.search.small_store import SmallStore
from postcopy.explorer.search.status import COUNT


class SavedSmall:
    """The files of a search.

    Args:
        directory: where.
        store: what is kept. It has to be new, with nothing left out of its queue yet.
        number: which process of the search it is of.
        count: of how many.
    """

    def __init__(self, directory: Path, store: SmallStore, number: int = 0, count: int = 1) -> None:
        self.directory, self.store, part = directory, store, f"{number}-of-{count}"
        self._pairs = Column(directory / f"pairs-{part}")
        self._words = [Column(directory / f"words-{node}-{part}") for node in range(len(store.tables.known))]
        store.before_shift = self._write

    def _write(self, end: int) -> None:
        """Write the pairs in the queue up to a place, where they are not in the file yet.

        Raises:
            UsageError: the disk does not take it.
        """
        begin = self._pairs.rows - self.store.shifted
        try:
            self._pairs.write(self.store.tables.queue[begin:end, None])
        except OSError as error:
            raise UsageError(f"{self.directory}: {error.strerror}; the last checkpoint in it still counts") from None

    def save(self) -> Values:
        """Append what is new; returns what has to stand in the checkpoint.

        Raises:
            OSError: the disk does not take it.
        """
        store = self.store
        store.settle()
        self._write(int(store.control[COUNT]))
        for words, column, known in zip(store.tables.words, self._words, store.tables.known.tolist(), strict=True):
            column.write(words[column.rows : known, None])
        for column in (self._pairs, *self._words):
            column.sync()
        return {
            "tree": store.tables.children.tolist(),
            "pairs": [self._pairs.rows, self._pairs.sum.hexdigest()],
            "words": [[column.rows, column.sum.hexdigest()] for column in self._words],
            "control": store.control.tolist(),
            "fired": store.fired.tolist(),
        }

    def load(self, values: Values) -> bool:
        """Put the empty store where the search stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged.
        """
        store, (rows, checksum) = self.store, values["pairs"]
        for node, (column, (count, of_words)) in enumerate(zip(self._words, values["words"], strict=True)):
            if not store.room_for_words(node, count):
                return False
            store.put_words(node, column.read(count, 1, "<i8", of_words)[:, 0])
        waiting = values["control"][COUNT]
        if not store.room_for_pairs(rows, waiting):
            return False
        store.shifted, at = rows - waiting, 0
        for part in self._pairs.parts(rows, 1, "<u8", checksum):
            if not store.put_pairs(part[:, 0]):
                return False
            skip = max(store.shifted - at, 0)
            begin = at + skip - store.shifted
            store.tables.queue[begin : begin + max(len(part) - skip, 0)] = part[skip:, 0]
            at += len(part)
        store.control[:], store.fired[:] = values["control"], np.array(values["fired"], dtype=np.uint64)
        return True
