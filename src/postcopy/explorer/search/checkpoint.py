"""A search kept on disk as it goes, so that it can be resumed after any interruption.

A checkpoint is a directory: for each shard the states in the order of discovery and their parents, to which each save
appends what is new, and `checkpoint.json`, which says how much of that counts, with checksums. It is replaced as a
whole after everything else has reached the disk, so a process may die at any time. What it belongs to (version,
protocol, size, options, the text of the model) is in it and has to be the same when the search is taken up.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.search.shard import Shard
from postcopy.explorer.search.status import COUNT
from postcopy.input_files import read_input
from postcopy.surface import setting

NAME = "checkpoint.json"
FORMAT = 3
MAX_BYTES = 64 << 20
"""The largest description that is read."""
_ROWS = 1 << 18

Subject = Mapping[str, Any]
"""What a search is of; values that JSON has."""

Values = dict[str, Any]
"""What stands in a checkpoint of a shard: checksums, and how it stands."""


class Column:
    """A file of rows that grows, and the checksum of what counts of it.

    Attributes:
        path: the file.
        rows: how many were written.
        sum: the checksum of them.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rows, self.sum = path, 0, hashlib.sha256()

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Write rows behind those that count, and bring them to the disk."""
        self.write(rows)
        self.sync()

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Write rows behind those that count."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.seek(self.rows * rows.itemsize * rows.shape[1])
            file.truncate()  # what was written behind the last checkpoint, before the process died
            for begin in range(0, len(rows), _ROWS):
                data = np.ascontiguousarray(rows[begin : begin + _ROWS]).tobytes()
                file.write(data)
                self.sum.update(data)
        self.rows += len(rows)

    def sync(self) -> None:
        """Bring what was written to the disk."""
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())

    def read(self, rows: int, width: int, kind: str, checksum: str) -> npt.NDArray[Any]:
        """The rows up to the last checkpoint; kind[rows, width]. Raises as `parts` does."""
        found, at = np.empty((rows, width), dtype=kind), 0
        for part in self.parts(rows, width, kind, checksum):
            found[at : at + len(part)] = part
            at += len(part)
        return found

    def parts(self, rows: int, width: int, kind: str, checksum: str) -> Iterator[npt.NDArray[Any]]:
        """The same rows, some at a time. Whether they are damaged is said after the last ones.

        Raises:
            UsageError: rows are missing or damaged.
        """
        if self.path.exists() and not self.path.is_file():
            raise UsageError(f"{self.path} is no file; the checkpoint is of no use")
        try:
            with self.path.open("rb") as file:
                for begin in range(0, rows, _ROWS):
                    asked = min(_ROWS, rows - begin) * width
                    found = np.fromfile(file, dtype=kind, count=asked)
                    if len(found) != asked:
                        raise UsageError(f"{self.path} is truncated; the checkpoint is of no use")
                    self.sum.update(found.data)
                    yield found.reshape(-1, width)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}; the checkpoint is of no use") from None
        if self.sum.hexdigest() != checksum:
            raise UsageError(f"{self.path} is damaged: its checksum is wrong; the checkpoint is of no use")
        self.rows = rows


class SavedShard:
    """The files of one shard, kept by the process that has the shard.

    Args:
        directory: where.
        number: which shard.
        count: of how many.
    """

    def __init__(self, directory: Path, number: int, count: int) -> None:
        self.count = count
        self._columns = [Column(directory / f"{what}-{number}-of-{count}") for what in ("states", "parents")]

    def save(self, shard: Shard) -> Values:
        """Append what is new; returns what has to stand in the checkpoint.

        Raises:
            OSError: the disk does not take it.
        """
        known = int(shard.control[COUNT])
        states, parents = self._columns
        states.append(shard.states[states.rows : known])
        parents.append(shard.parents[parents.rows : known, None])
        sums = [column.sum.hexdigest() for column in self._columns]
        numbers = {"control": shard.control, "fired": shard.fired, "first": shard.first}
        return {"sums": sums} | {name: list(map(int, array)) for name, array in numbers.items()}

    def load(self, shard: Shard, values: Values) -> bool:
        """Put an empty shard where it stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged.
        """
        known = values["control"][COUNT]
        states, parents = (
            column.read(known, width, kind, checksum)
            for column, width, kind, checksum in zip(
                self._columns, (shard.machine.code.words, 1), ("<i8", "<i4"), values["sums"], strict=True
            )
        )
        return shard.restore(states, parents[:, 0], values["control"], values["fired"], values["first"])


@runtime_checkable
class Kept(Protocol):
    """A search that can be kept: one whose shards each have their part.

    Attributes:
        depth: how far it has come.
        at_once: whether it is kept whenever it can be, because it can be at few times only.
    """

    depth: int
    at_once: bool

    @property
    def resumable(self) -> bool:
        """Whether what the shards have now is all that was found."""

    def save(self, directory: Path) -> list[Values]:
        """Let all parts append what is new; what has to stand in the checkpoint of each.

        Raises:
            OSError: the disk does not take it.
        """

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged.
        """


class Checkpoint:
    """A directory that a search is kept in.

    Args:
        directory: where.
        subject: what the search is of.
        every: seconds between saves.
    """

    def __init__(self, directory: Path, subject: Subject, every: float) -> None:
        self.directory, self.subject, self.every = directory, dict(subject), every
        self._saved = time.monotonic()

    @classmethod
    def create(cls, directory: Path, subject: Subject, every: float) -> Checkpoint:
        """Begin a checkpoint.

        Raises:
            UsageError: there is something in the directory already, or it cannot be made.
        """
        make_room(directory)
        return cls(directory, subject, every)

    def save_if_due(self, search: Kept, seconds: float) -> None:
        """Save, unless that was done a short time ago."""
        if search.at_once or time.monotonic() - self._saved >= self.every:
            self.save(search, seconds)

    def save(self, search: Kept, seconds: float) -> None:
        """Bring what is new to the disk. Between two calls of `search.run` only.

        Raises:
            UsageError: the disk does not take it.
        """
        try:
            shards = search.save(self.directory)
            content = {"subject": self.subject, "seconds": seconds, "depth": search.depth, "shards": shards}
            self._replace(json.dumps({"format": FORMAT, "sum": _sum(content), **content}, indent=1))
            for path in self.directory.glob("*-of-*"):
                if not path.name.endswith(f"-of-{len(shards)}"):  # from before the states were dealt to shards
                    path.unlink()
        except OSError as error:
            raise UsageError(f"{self.directory}: {error.strerror}; the last checkpoint in it still counts") from None
        self._saved = time.monotonic()

    def _replace(self, text: str) -> None:
        beside = self.directory / f"{NAME}.new"
        with beside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.directory / NAME)
        directory = os.open(self.directory, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    @classmethod
    def load(cls, directory: Path, subject: Subject, every: float, search: Kept) -> tuple[Checkpoint, float]:
        """Put a search where it stood; also the seconds that it had taken.

        Raises:
            UsageError: there is no checkpoint, it is damaged or of another search, or the memory does not hold it.
        """
        content = read_of(directory, subject)
        made = cls(directory, subject, every)
        if not search.load(directory, content["shards"], content["depth"]):
            raise UsageError(f"the states in {directory} need more memory than {setting('max_memory')} allows")
        return made, content["seconds"]


def make_room(directory: Path) -> None:
    """See to it that there is such a directory and nothing in it.

    Raises:
        UsageError: there is something in it, or it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            resume = setting("resume", directory) if (directory / NAME).exists() else "an empty directory"
            raise UsageError(f"{directory} is not empty: nothing is overwritten; use {resume}")
    except OSError as error:
        raise UsageError(f"{directory}: {error.strerror}") from None


def read(directory: Path) -> dict[str, Any]:
    """What stands in a checkpoint's description.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    path = directory / NAME
    if not path.exists():
        raise UsageError(f"{path}: No such file or directory; there is no checkpoint to resume")
    try:
        content: dict[str, Any] = json.loads(read_input(path, MAX_BYTES))
        if content.pop("format") != FORMAT:
            raise UsageError(f"{path} is a checkpoint of another version of this program")
        if content.pop("sum") != _sum(content):
            raise UsageError(f"{path} is damaged: its checksum is wrong; the checkpoint is of no use")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise UsageError(f"{path} is no checkpoint, or a damaged one") from None
    return content


def read_of(directory: Path, subject: Subject) -> dict[str, Any]:
    """The same, of this search alone.

    Raises:
        UsageError: there is none, it is damaged, or it is of another search.
    """
    content = read(directory)
    for name, here in subject.items():
        there = content["subject"].get(name)
        if there != here:
            raise UsageError(f"{directory} is of another search: {name} is {_short(there)} there, {_short(here)} here")
    return content


def _sum(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
