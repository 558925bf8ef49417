"""Objects that take long to make, kept on disk: machine code of kernels and of the search's loop, answers of provers.

A file holds the digest of the whole key that its object was made for, and a checksum. An object that is cut, damaged or
made for another key counts as absent, so that its user makes it anew. A checksum protects from accidents; a program
that may write to the directory can change what is run.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePath

from platformdirs import user_cache_path

MAGIC = b"postcopy cache 1\n"
"""What each file begins with; another format has another number."""

_DIGEST = hashlib.sha256().digest_size
_HEAD = len(MAGIC) + 2 * _DIGEST


@dataclass(frozen=True)
class Cache:
    """A directory of objects, each under the name of its kind and the digest of its key.

    Attributes:
        directory: where the files lie; it is made when the first object is kept.
    """

    directory: Path

    def path(self, kind: str, key: str) -> Path:
        """Where an object is, or will be.

        Args:
            kind: the name of a file, such as ``kernel.o``; the digest goes before its suffix.
            key: all that the object depends on, versions of tools included.
        """
        name = PurePath(kind)
        return self.directory / f"{name.stem}_{_digest(key).hex()[:32]}{name.suffix}"

    def get(self, kind: str, key: str) -> bytes | None:
        """The object that was kept for this kind and key, byte for byte; None if there is none."""
        try:
            found = self.path(kind, key).read_bytes()
        except OSError:
            return None
        data = found[_HEAD:]
        return data if found[:_HEAD] == _head(kind, key, data) else None

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep an object: whole or not at all, even if other processes keep it at the same time or the machine stops.

        An object that cannot be kept costs a warning (`RuntimeWarning`), because its user has it in memory. The warning
        names the directory alone, so that Python shows it once and not for each object.
        """
        path = self.path(kind, key)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _write(path, _head(kind, key, data) + data)
        except OSError as error:
            warnings.warn(
                f"cannot keep objects in {self.directory}: {error.strerror}; they are made anew (set POSTCOPY_CACHE)",
                RuntimeWarning,
                stacklevel=2,
            )

    def try_out(self) -> None:
        """Make the directory and a file in it, which goes at once.

        Raises:
            OSError: nothing can be kept there.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.directory):
            pass


def user_cache() -> Cache:
    """The cache in the directory that POSTCOPY_CACHE names, or else in the user's directory for such files."""
    given = os.environ.get("POSTCOPY_CACHE")
    return Cache(Path(given) if given else user_cache_path("postcopy"))


def _head(kind: str, key: str, data: bytes) -> bytes:
    made_for = _digest(f"{kind}\n{key}")
    return MAGIC + made_for + hashlib.sha256(made_for + data).digest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # else the new name may be lost when the machine stops
    finally:
        os.close(directory)
