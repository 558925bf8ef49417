"""The search on disk: a compiled search goes on here when the memory allowed is full. Slower, and as exact.

The states are dealt to many shards by their hash, as in a cluster, but only one shard is in memory at a time. On each
level each shard is read from its file, enters what the others have sent it, expands what is new, and sends what belongs
to others to their inboxes, which are files too. So a level reads every state once from one end to the other, and
nothing is looked up on the disk. The files have no names: they are gone with the process, however it ends. Unless the
search is kept: then they stand in the directory of the checkpoint, and count as they are at the end of a level. What a
level has read from inboxes stays there until the level is over and kept.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.checkpoint import Values
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.findings import Findings, follow
from postcopy.explorer.search.shard import Shard, halves, words_of
from postcopy.explorer.search.status import AT, COUNT, DETAIL, ENDED, HEAD, LEVEL_END, WITNESSES, Status
from postcopy.surface import setting

SHARDS = 64
"""Into how many parts the states are dealt: about how many times the memory allowed they may take."""

_ROWS = 1 << 18
_OUTBOX = 1 << 14


class RowFile:
    """A file of states, each with its parent's number behind it: int64[count, words + 1].

    Args:
        directory: where.
        words: words in a state.
        name: its name there; without one it is gone with the process, and has no checksum.

    Raises:
        UsageError: the directory cannot be written to, or the disk is full.
    """

    def __init__(self, directory: Path, words: int, name: str = "") -> None:
        self.directory, self.words, self.count, self.sum = directory, words, 0, hashlib.sha256()
        self.name = name
        try:
            if name:
                self._file = os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o600)
            else:
                self._file, path = tempfile.mkstemp(dir=directory)
                os.unlink(path)
        except OSError as error:
            raise UsageError(f"{setting('disk', directory)}: {error.strerror}") from None
        weakref.finalize(self, os.close, self._file)

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.count * self._row

    @property
    def _row(self) -> int:
        return 8 * (self.words + 1)

    def append(self, rows: npt.NDArray[np.int64]) -> None:
        """Add some rows.

        Raises:
            UsageError: the disk does not take them.
        """
        left, at = rows.view(np.uint8).reshape(-1).data, self.bytes
        if self.name:
            self.sum.update(left)
        try:
            while left:
                written = os.pwrite(self._file, left, at)
                left, at = left[written:], at + written
        except OSError as error:
            raise UsageError(f"{setting('disk', self.directory)}: {error.strerror}") from None
        self.count += len(rows)

    def read(self, begin: int, end: int) -> npt.NDArray[np.int64]:
        """Some rows."""
        rows = np.empty((end - begin, self.words + 1), dtype=np.int64)
        left, at = rows.view(np.uint8).reshape(-1).data, begin * self._row
        while left:
            there = os.preadv(self._file, [left], at)
            assert there, "rows are read that were never written"
            left, at = left[there:], at + there
        return rows

    def parts(self) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """All rows, some at a time, each time with the number of the first."""
        for begin in range(0, self.count, _ROWS):
            yield begin, self.read(begin, min(begin + _ROWS, self.count))

    def clear(self) -> None:
        """Remove all."""
        os.ftruncate(self._file, 0)
        self.count, self.sum = 0, hashlib.sha256()

    def kept(self) -> list[Any]:
        """Bring all to the disk; how many rows there are, and their checksum."""
        os.fsync(self._file)
        return [self.count, self.sum.hexdigest()]

    def stand(self, count: int, checksum: str) -> None:
        """Have so many rows, as when they were kept, and nothing behind them.

        Raises:
            UsageError: rows are missing or damaged.
        """
        if os.fstat(self._file).st_size < count * self._row:
            raise UsageError(f"{self.directory / self.name} is truncated; the checkpoint is of no use")
        os.ftruncate(self._file, count * self._row)
        self.count = count
        for _, rows in self.parts():
            self.sum.update(rows.data)
        if self.sum.hexdigest() != checksum:
            raise UsageError(
                f"{self.directory / self.name} is damaged: its checksum is wrong; the checkpoint is of no use"
            )


class OnDisk:
    """A search that goes on where a compiled one was full, with as many workers; the latter's memory is given up.

    Args:
        full: that search.
        directory: where the files are.
        shards: into how many parts the states are dealt.
        kept: whether the files have names, because the search is kept there.
        resumed: whether nothing of `full` is wanted but what it runs on, because `load` is called next.
    """

    at_once = True
    """It can be kept at the end of a level only."""

    def __init__(
        self, full: Compiled, directory: Path, shards: int = SHARDS, kept: bool = False, resumed: bool = False
    ) -> None:
        whole = full.shard
        self.machine, self.question = full.machine, full.question
        code = self.machine.code
        self.depth, self.level, self.status = full.depth, full.depth, Status.RUNNING
        words = code.words
        self.is_kept, self._level_is_over = kept, False
        self.kept, self.inboxes, self.next_inboxes = (
            [RowFile(directory, words, f"{what}-{i}-of-{shards}" if kept else "") for i in range(shards)]
            for what in ("kept", "inbox", "next-inbox")
        )
        self.control = np.zeros((shards, len(whole.control)), dtype=np.int64)
        self.at = self.detail = 0
        self.after: Words = ()
        self.first: dict[int, int] = {}
        self._later: dict[int, int] = {}
        if not resumed:
            self._deal(whole)
        del full.shard
        workers = len(whole.workers)
        outboxes = 8 * (words + 1) * shards * (code.most + _OUTBOX) * workers
        share = max(self.question.max_bytes - outboxes, self.question.max_bytes // 2)
        self.work = Shard(
            self.machine, self.question, 0, shards, share, _OUTBOX, workers=workers, alone_until=whole.alone_until
        )
        self.work.fired[:] = whole.fired
        self._going = self._levels()

    def _deal(self, whole: Shard) -> None:
        """Deal all that is known to the files."""
        count, shards = int(whole.control[COUNT]), len(self.kept)
        whole.table = np.empty(0, dtype=np.uint32)  # gives the memory back
        ids = np.empty(count, dtype=np.int64)
        self.machine.loop.number(whole.states, count, np.uint64(shards), np.zeros(shards, dtype=np.int64), ids)
        for begin in range(0, count, _ROWS):
            part = slice(begin, min(begin + _ROWS, count))
            parents = whole.parents[part]
            parents = np.where(parents >= 0, ids[parents], -1)
            owners = ids[part] % shards
            for number, rows in enumerate(self.kept):
                mine = owners == number
                rows.append(np.column_stack([whole.states[part][mine], parents[mine]]))
        for what, until in ((COUNT, count), (HEAD, whole.control[HEAD]), (LEVEL_END, whole.control[LEVEL_END])):
            self.control[:, what] = np.bincount(ids[:until] % shards, minlength=shards)
        self.first = {bit: int(ids[at]) for bit, at in enumerate(whole.first) if at >= 0}

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more, and those of the block or level that have to go with them."""
        end = self._expanded() + steps
        while self.status == Status.RUNNING and self._expanded() < end:
            next(self._going, None)
            if self._level_is_over and self.is_kept:
                break
        return self._findings()

    @property
    def resumable(self) -> bool:
        """Whether another process can go on from what the files have."""
        return self.is_kept and self._level_is_over and self.status == Status.RUNNING

    def save(self, directory: Path) -> list[Values]:
        """Bring the files, which are in this directory already, to the disk.

        Raises:
            OSError: the disk does not take it.
        """
        del directory
        files = zip(self.kept, self.inboxes, self.control.tolist(), strict=True)
        kept: list[Values] = [
            {"kept": kept.kept(), "inbox": [inbox.name, *inbox.kept()], "control": control}
            for kept, inbox, control in files
        ]
        kept[0] |= {"level": self.level, "fired": self.work.fired.tolist(), "first": sorted(self.first.items())}
        return kept

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood. Whether the memory allowed suffices is seen later.

        Raises:
            UsageError: the files are damaged.
        """
        del directory
        if kept[0]["inbox"][0] != self.inboxes[0].name:
            self.inboxes, self.next_inboxes = self.next_inboxes, self.inboxes
        for number, values in enumerate(kept):
            self.kept[number].stand(*values["kept"])
            self.inboxes[number].stand(*values["inbox"][1:])
            self.next_inboxes[number].clear()
            self.control[number] = values["control"]
        self.depth, self.level, self.first = depth, kept[0]["level"], dict(kept[0]["first"])
        self.work.fired[:] = kept[0]["fired"]
        return True

    def _expanded(self) -> int:
        return int(self.control[:, HEAD].sum())

    def _levels(self) -> Iterator[None]:
        """The search, with a pause now and then. The first level has been begun in memory: nothing is sent to it."""
        order = list(range(len(self.kept)))
        while True:
            for place, number in enumerate(order):
                yield from self._visit(number, self.level)
                if self.status in (Status.STATE, Status.STEP):
                    self._check_inboxes(order[place + 1 :])
                if self.status != Status.RUNNING:
                    return
            self.first, self._later = self._later | self.first, {}
            self.inboxes, self.next_inboxes = self.next_inboxes, self.inboxes
            if not any(rows.count for rows in self.inboxes) and (self.control[:, HEAD] == self.control[:, COUNT]).all():
                self.status = Status.DONE
                return
            self.control[:, LEVEL_END] = self.control[:, COUNT]
            order.reverse()  # the last ones read are those that the system still has in its memory
            self.level += 1
            if self.is_kept:
                self._level_is_over = True
                yield
                self._level_is_over = False
                for rows in self.next_inboxes:  # what has been read on the last level, which is kept by now
                    rows.clear()

    def _visit(self, number: int, level: int) -> Iterator[None]:
        """Expand a shard's states of this level."""
        work, kept = self.work, self.control[number]
        if not self.inboxes[number].count and kept[HEAD] == kept[LEVEL_END]:
            return
        if not self._enter(number):
            return
        if work.control[HEAD] < work.control[LEVEL_END]:
            self.depth = level
        work.control[WITNESSES] = self._bits(self.first | self._later)
        work.first[:] = -1
        while True:
            work.run(1 << 20)
            kept[HEAD], kept[COUNT] = work.control[HEAD], work.control[COUNT]
            for to, inbox in enumerate(self.next_inboxes):
                for rows in work.sent(to):
                    inbox.append(rows)
            work.forget_sent()
            self._note(number, self._later)
            if work.status not in (Status.RUNNING, Status.OUTBOX_FULL):
                break
            yield
        self._leave(number)
        if work.status != Status.LEVEL:
            self._stop(number)
        else:
            yield

    def _enter(self, number: int) -> bool:
        """Bring a shard into memory and enter what it was sent; False where that ends the search."""
        work, kept = self.work, self.control[number]
        if int(kept[COUNT]) > len(work.parents):
            self.status = Status.FULL
            return False
        work.each(self._read, [(number, begin) for begin in range(0, self.kept[number].count, _ROWS)])
        if not work.change(number, kept):
            self.status = Status.FULL
            return False
        if not self.inboxes[number].count:
            return True
        work.control[WITNESSES] = self._bits(self.first)
        for _, rows in self.inboxes[number].parts():
            if not work.take(rows):
                break
        if not self.is_kept:
            self.inboxes[number].clear()
        kept[COUNT] = kept[LEVEL_END] = work.control[LEVEL_END] = work.control[COUNT]
        self._note(number, self.first)
        if work.status in ENDED:
            self._leave(number)
            self._stop(number)
            return False
        return True

    def _read(self, what: tuple[int, int]) -> None:
        """Bring some of a shard's states into memory, from a place on."""
        number, begin = what
        kept, words = self.kept[number], self.machine.code.words
        part = slice(begin, min(begin + _ROWS, kept.count))
        rows = kept.read(part.start, part.stop)
        self.work.states[part], self.work.parents[part] = rows[:, :words], rows[:, words]

    def _leave(self, number: int) -> None:
        """Put what is new in memory behind the shard's file."""
        begin, end = self.kept[number].count, int(self.work.control[COUNT])
        self.kept[number].append(np.column_stack([self.work.states[begin:end], self.work.parents[begin:end]]))

    def _stop(self, number: int) -> None:
        work = self.work
        self.status = work.status
        self.at, self.detail = self._global(number, int(work.control[AT])), int(work.control[DETAIL])
        if self.status == Status.STEP:
            self.after = work.after

    def _check_inboxes(self, numbers: list[int]) -> None:
        """Something was found one step further than the states that these shards have not yet entered: look there."""
        found = self.status, self.at, self.detail
        for number in numbers:
            if not self.inboxes[number].count:
                continue
            if self._enter(number):
                self._leave(number)
            elif self.status == Status.STATE:
                return
        self.status, self.at, self.detail = found

    def _note(self, number: int, first: dict[int, int]) -> None:
        """Note the witnesses reached, those of a nearer level in place of those of a later one."""
        for bit, at in enumerate(self.work.first):
            if at >= 0:
                first.setdefault(bit, self._global(number, int(at)))

    def _global(self, number: int, at: int) -> int:
        return at * len(self.kept) + number

    @staticmethod
    def _bits(first: dict[int, int]) -> int:
        return sum(1 << bit for bit in first)

    def _findings(self) -> Findings:
        states, first = int(self.control[:, COUNT].sum()), self._later | self.first
        fired, changed = halves(self.work.fired)
        return Findings(
            status=self.status,
            states=states,
            transitions=sum(fired),
            depth=self.depth,
            frontier=states - self._expanded(),
            fired=fired,
            changed=changed,
            witnesses=self._bits(first),
            first=first,
            at=self.at,
            detail=self.detail,
            after=self.after,
            bytes=self.work.bytes,
            disk=sum(rows.bytes for rows in (*self.kept, *self.inboxes, *self.next_inboxes)),
        )

    def _row(self, at: int) -> tuple[Words, int]:
        place, number = divmod(at, len(self.kept))
        (row,) = self.kept[number].read(place, place + 1)
        return words_of(row[:-1]), int(row[-1])

    def stored(self) -> list[Words]:
        """All packed states, shard by shard in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        return np.concatenate([rows.read(0, rows.count)[:, :-1] for rows in self.kept]).view(np.uint64)

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self._row)
