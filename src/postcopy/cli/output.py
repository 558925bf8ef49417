"""What a command prints and writes in the end: JSON, the counterexample's file, and warnings on stderr."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from postcopy.catalogue.loading import names_file
from postcopy.cli.exits import Exit
from postcopy.cli.selection import Selection
from postcopy.errors import UsageError
from postcopy.language.trace import Trace
from postcopy.report.charts.formats import format_of
from postcopy.report.files.file_format import FileFormat
from postcopy.report.story.story_format import Kept

if TYPE_CHECKING:
    import typer


def print_json(found: object) -> None:
    """Print a result as one JSON object."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


def say(message: str) -> None:
    """Say on stderr what is wrong, or what is worth knowing beside the verdict; on one line."""
    print(f"postcopy: {' '.join(message.split())}", file=sys.stderr)


def complain(message: str) -> Exit:
    """Say what is wrong with a command line; returns the exit code for that."""
    say(message)
    return Exit.USAGE


def refuse_trace(path: Path | None, *, force: bool) -> None:
    """Refuse a file for the counterexample before anything is searched.

    Raises:
        UsageError: see `postcopy.report.files.file_format.FileFormat.refuse`.
    """
    if path is not None:
        format_of(path, "--trace").refuse(path, option="--trace", force=force)


def keep_trace(path: Path | None, run: Trace | None, protocol: str, command: str = "") -> None:
    """Write the counterexample, or say that what is in its file is of an earlier run. A file that cannot be written
    costs a warning, not the verdict.

    Args:
        path: the file that `refuse_trace` let pass.
        run: the counterexample, if there is one.
        protocol: the name by which a reader finds the protocol again.
        command: the command line that finds the run again; may be empty.
    """
    if path is None:
        return
    if run is not None:
        form = format_of(path, "--trace")
        try:
            form.save(path, form.write(Kept(run, protocol, command)))
        except UsageError as error:
            say(f"--trace {error}")
    elif path.exists():
        print(f"{path} is of an earlier run: now there is no counterexample", file=sys.stderr)


def keep_page(form: FileFormat, path: Path, page: str) -> None:
    """Write a page; that it cannot be written costs a warning, not the verdict.

    Args:
        form: the page's format.
        path: the file that it let pass.
        page: the page.
    """
    try:
        form.save(path, page)
    except UsageError as error:
        say(f"--report {error}")


def again(asked: Selection, name: str) -> str:
    """The command line that checks a protocol of the catalogues again; empty if a file of the user's belongs to it.

    Args:
        asked: the options that name it.
        name: its name, as `Selection.load` gives it.
    """
    if names_file(name):
        return ""
    names = (("fault", asked.fault), ("change", asked.change), ("bug", asked.bug))
    given = [f"--{option} {one}" for option, one in names if one] or ([name] if asked.target else [])
    return f"postcopy check {given[0]}" if given else ""


def command_line(context: typer.Context) -> str:
    """This command line, as one would type it."""
    return shlex.join(["postcopy", *context.obj])
