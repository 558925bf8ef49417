"""Files that are written for a user: looked at before any work is done, replaced whole or not at all, and never in the
place of a file that no command of this package has written.

Each format has a mark, with which all its files begin or end, so that a file that is there is known to be an earlier
result. A format with comments ends with `WRITTEN` in one; a format without begins as no other file does.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from postcopy.errors import UsageError
from postcopy.surface import setting

WRITTEN = "written by postcopy"
"""What a comment at the end of a file says."""


@dataclass(frozen=True)
class FileFormat:
    """A kind of file.

    Attributes:
        endings: what a name may end in, the usual one first; none where any name will do.
        help: what such a file is, in a few words.
        begins: how each file of this kind begins; may be empty.
        comment: a line that is put at the end of each file; may be empty. One of the two is given.
    """

    endings: tuple[str, ...]
    help: str
    begins: str = ""
    comment: str = ""

    @property
    def ending(self) -> str:
        """What a name usually ends in."""
        return self.endings[0]

    def fits(self, path: Path) -> bool:
        """Whether the file's name is one of this format's."""
        return not self.endings or (path.name.endswith(self.endings) and path.name not in self.endings)

    def refuse(self, path: Path, *, option: str = "", force: bool = False) -> None:
        """Refuse what could not be written in the end, before a long search begins.

        Args:
            path: where something will be written.
            option: the option that named it, for the message.
            force: what is there may be replaced, whatever it is.

        Raises:
            UsageError: the name ends in something else; it is a directory, or in none, or cannot be written; or there
                is a file that was not written by a command of this package.
        """
        name = f"{option} {path}".strip()
        if not self.fits(path):
            raise UsageError(f"{name}: the name has to end in {self.ending}")
        if path.is_dir():
            raise UsageError(f"cannot write {name}: Is a directory")
        if not path.parent.is_dir():
            raise UsageError(f"cannot write {name}: there is no directory {path.parent}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UsageError(f"cannot write {name}: Permission denied")
        if path.is_file() and not force and not self._is_ours(path):
            raise UsageError(
                f"{name} is there already, and postcopy has not written it: choose another name, or give "
                f"{setting('force', True)}"
            )

    def _is_ours(self, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                start = file.read(256)
                file.seek(max(0, path.stat().st_size - 256))
                end = file.read()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        ours = self.begins and start.startswith(self.begins.encode())
        return not start or bool(ours) or (self.comment != "" and end.endswith(f"{self.comment}\n".encode()))

    def save(self, path: Path, content: str | bytes) -> None:
        """Write a file, with the format's comment at its end. A file that is there is replaced whole or stays.

        Raises:
            UsageError: that fails.
        """
        text = content.encode() if isinstance(content, str) else content
        if self.comment:
            text += b"" if text.endswith(b"\n") else b"\n"
            text += f"{self.comment}\n".encode()
        replace(path, text)


def replace(path: Path, content: bytes) -> None:
    """Write a file beside the one that is there, then put it in its place; a pipe or device is written as it is.

    Raises:
        UsageError: that fails; the message names the file.
    """
    goal = Path(os.path.realpath(path))
    special = goal.exists() and not goal.is_file()
    beside = goal if special else goal.with_name(f".{secrets.token_hex(8)}.new")
    try:
        beside.write_bytes(content)
        if not special:
            os.replace(beside, goal)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        if not special:
            with suppress(OSError):
                beside.unlink()
