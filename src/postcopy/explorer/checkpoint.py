"""A search kept on disk as it goes, so that it can be taken up again after whatever ended it.

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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.control import COUNT
from postcopy.explorer.fast import Compiled

NAME = "checkpoint.json"
FORMAT = 1
_ROWS = 1 << 18

Subject = Mapping[str, Any]
"""What a search is of; values that JSON has."""


class _Column:
    """A file of rows that grows, and the checksum of what counts of it."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows, self.sum = path, 0, hashlib.sha256()

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Write rows behind those that count; a transposed view will do."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.seek(self.rows * rows.itemsize * rows.shape[1])
            file.truncate()  # what was written behind the last checkpoint, before the process died
            for begin in range(0, len(rows), _ROWS):
                data = np.ascontiguousarray(rows[begin : begin + _ROWS]).tobytes()
                file.write(data)
                self.sum.update(data)
            file.flush()
            os.fsync(file.fileno())
        self.rows += len(rows)

    def read(self, rows: int, width: int, kind: str, checksum: str) -> npt.NDArray[Any]:
        """The rows that count; kind[rows, width].

        Raises:
            UsageError: they are not all there, or not what was written.
        """
        try:
            found = np.fromfile(self.path, dtype=kind, count=rows * width)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}; the checkpoint is of no use") from None
        if len(found) != rows * width:
            raise UsageError(f"{self.path} is truncated; the checkpoint is of no use")
        self.sum.update(found.data)
        if self.sum.hexdigest() != checksum:
            raise UsageError(f"{self.path} is damaged: its checksum is wrong; the checkpoint is of no use")
        self.rows = rows
        return found.reshape(rows, width)


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
        self._columns: dict[str, _Column] = {}

    @classmethod
    def create(cls, directory: Path, subject: Subject, every: float) -> Checkpoint:
        """Begin a checkpoint.

        Raises:
            UsageError: there is something in the directory already, or it cannot be made.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if any(directory.iterdir()):
                resume = f"--resume {directory}" if (directory / NAME).exists() else "an empty directory"
                raise UsageError(f"{directory} is not empty: nothing is overwritten; use {resume}")
        except OSError as error:
            raise UsageError(f"{directory}: {error.strerror}") from None
        return cls(directory, subject, every)

    def save_if_due(self, search: Compiled, seconds: float) -> None:
        """Save, unless that was done a short time ago."""
        if time.monotonic() - self._saved >= self.every:
            self.save(search, seconds)

    def save(self, search: Compiled, seconds: float) -> None:
        """Bring what is new to the disk. Between two calls of `search.run` only.

        Raises:
            UsageError: the disk does not take it.
        """
        count, shards, used = len(search.shards), [], set()
        try:
            for i, shard in enumerate(search.shards):
                known, sums = int(shard.control[COUNT]), []
                for what, rows in (("states", shard.states[:, :known].T), ("parents", shard.parents[:known, None])):
                    name = f"{what}-{i}-of-{count}"
                    column = self._columns.setdefault(name, _Column(self.directory / name))
                    column.append(rows[column.rows :])
                    sums.append(column.sum.hexdigest())
                    used.add(name)
                numbers = {"control": shard.control, "fired": shard.fired, "first": shard.first}
                shards.append({"sums": sums} | {name: list(map(int, array)) for name, array in numbers.items()})
            content = {"subject": self.subject, "seconds": seconds, "depth": search.depth, "shards": shards}
            self._replace(json.dumps({"format": FORMAT, "sum": _sum(content), **content}, indent=1))
            for name in self._columns.keys() - used:  # before the states were dealt to shards
                self._columns.pop(name).path.unlink(missing_ok=True)
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
    def load(cls, directory: Path, subject: Subject, every: float, search: Compiled) -> tuple[Checkpoint, float]:
        """Put a search where it stood; also the seconds that it had taken.

        Raises:
            UsageError: there is no checkpoint, it is damaged or of another search, or the memory does not hold it.
        """
        content = _read(directory / NAME)
        for name, here in subject.items():
            there = content["subject"].get(name)
            if there != here:
                raise UsageError(
                    f"{directory} is of another search: {name} is {_short(there)} there, {_short(here)} here"
                )
        made = cls(directory, subject, every)
        kept = content["shards"]
        search.restore(len(kept), content["depth"])
        for i, (shard, values) in enumerate(zip(search.shards, kept, strict=True)):
            known = values["control"][COUNT]
            columns = []
            for what, width, kind, checksum in zip(
                ("states", "parents"), (search.machine.words, 1), ("<i8", "<i4"), values["sums"], strict=True
            ):
                name = f"{what}-{i}-of-{len(kept)}"
                column = made._columns[name] = _Column(directory / name)
                columns.append(column.read(known, width, kind, checksum))
            if not shard.restore(columns[0].T, columns[1][:, 0], values["control"], values["fired"], values["first"]):
                raise UsageError(f"the states in {directory} need more memory than --max-memory allows")
        return made, content["seconds"]


def _read(path: Path) -> Any:
    try:
        content = json.loads(path.read_bytes())
        if content.pop("format") != FORMAT:
            raise UsageError(f"{path} is a checkpoint of another version of this program")
        if content.pop("sum") != _sum(content):
            raise UsageError(f"{path} is damaged: its checksum is wrong; the checkpoint is of no use")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; there is no checkpoint to resume") from None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UsageError(f"{path} is no checkpoint, or a damaged one") from None
    return content


def _sum(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
