"""What every format of a story declares: how its files are called, recognised and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postcopy.language.trace import Trace
from postcopy.report.files.file_format import FileFormat


@dataclass(frozen=True)
class Kept:
    """A run that is to be written.

    Attributes:
        run: the run.
        protocol: the name by which a reader finds the protocol again.
        command: the command line that finds the run again; may be empty.
    """

    run: Trace
    protocol: str
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class StoryFormat(FileFormat):
    """A format in which a run can be written.

    Attributes:
        media: the content's type, as HTTP has it.
        write: gives the file's content.
    """

    media: str
    write: Callable[[Kept], bytes]
