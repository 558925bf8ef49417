"""The command `postcopy`: how a command is called, and how errors become one line and an exit code."""

from __future__ import annotations

import gc
import io
import sys
import warnings

from postcopy.cli.exits import Exit
from postcopy.cli.output import complain, say
from postcopy.errors import MemoryLimitError, PostcopyError
from postcopy.surface import COMMAND_LINE

SEARCHING = frozenset(("check", "simulate", "prove", "diff", "graph", "counterexamples", "export", "suite", "prepare"))
"""The commands that need more memory than Python alone."""

INSTALLED_QEMU = "qemu-system-x86_64"

OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""How many objects are made until Python looks for cycles among them: with its own 700 that takes a tenth of a check,
and what a command makes has hardly any."""


def with_value(given: list[str], command: str, option: str, value: str) -> list[str]:
    """The same command line, in which an option that may stand alone has its value."""
    if given[:1] != [command] or option not in given:
        return given
    after = given.index(option) + 1
    alone = after == len(given) or given[after].startswith("-")
    return [*given[:after], *([value] if alone else []), *given[after:]]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: without the program's name; None for those of this process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(encoding="utf-8")  # a check mark has no other form, and JSON is UTF-8 anyway
    warnings.showwarning = _warn
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        given = sys.argv[1:] if arguments is None else arguments
        if given[:1] and given[0] in SEARCHING:
            from postcopy.cli.memory import require_memory

            require_memory()
        given = with_value(given, "replay", "--qemu", INSTALLED_QEMU)
        code = _call(given)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except MemoryLimitError as error:
        say(error.spelled(COMMAND_LINE))
        code = Exit.INCONCLUSIVE
    except PostcopyError as error:
        code = complain(error.spelled(COMMAND_LINE))
    except BrokenPipeError:
        sys.stdout = None
        code = Exit.NO_READER
    except OSError as error:  # what was to be written or read is not there, or is full
        sys.stdout = None
        code = complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    except MemoryError as error:
        say(f"out of memory: {error}" if str(error) else "out of memory: take a smaller size, or allow more memory")
        code = Exit.INCONCLUSIVE
    except Exception as error:
        code = complain(_of_user(error))
    sys.exit(code)


def _call(given: list[str]) -> int:
    """Do what a command line says, which is read without Typer where it is plain; returns its exit code."""
    if given[:1] == ["check"]:
        from postcopy.cli.plain import plain_check

        asked = plain_check(given)
        if asked is not None:
            from postcopy.cli.check import command

            return command(asked)
    from postcopy.cli.app import call

    return call(given)


def _of_user(error: Exception) -> str:
    """What to say of an error that a user's own file raised in the middle of a command.

    Raises:
        Exception: the error itself, where no file of a user is involved.
    """
    from postcopy.catalogue.import_errors import in_words
    from postcopy.catalogue.user_files import line_of_user

    place = line_of_user(error)
    if place is None:
        raise error
    return f"{place}: {in_words(error)}"


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning of Python's as a line on stderr: the place in the code says nothing to a user."""
    say(str(message))
