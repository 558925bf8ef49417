"""The command `postcopy`: which commands there are, and how errors become one line and an exit code.

Each command has a file of its own in this folder, which is imported when the command is called. A new one is a file
and a line in the table.
"""

from __future__ import annotations

import gc
import io
import sys
import warnings
from typing import Annotated

import typer

from postcopy.cli.exits import Exit
from postcopy.cli.lazy import Entry, lazy_group
from postcopy.errors import MemoryLimitError, PostcopyError
from postcopy.surface import COMMAND_LINE
from postcopy.version import __version__

CHECKING = "Check a protocol"
LOOKING = "Look closely"
WRITING = "Write a change of your own"
MIGRATING = "Migrate a real guest, and hold it against the model"
GIVING = "For other tools, and for a collection"

COMMANDS = (
    Entry(
        "check",
        CHECKING,
        "Explore every interleaving and say whether the properties hold; if not, show a shortest run that breaks one.",
    ),
    Entry(
        "simulate",
        CHECKING,
        "Walk at random where there is too much to explore, and shorten what is found. Finding nothing proves nothing.",
    ),
    Entry(
        "prove",
        CHECKING,
        "Prove with z3 that the properties hold, for any number of pages and any length of the channels.",
    ),
    Entry(
        "suite",
        CHECKING,
        "Run many checks and proofs from a file, and compare their verdicts with those that are expected.",
    ),
    Entry(
        "list",
        LOOKING,
        "List the faults, changes, real bugs and rules that there are, or the properties and actions of a protocol.",
    ),
    Entry("trace", LOOKING, "Show a stored trace, replayed step by step on the model."),
    Entry(
        "graph",
        LOOKING,
        "Draw the state space of a small instance, or its quotient by some of the variables.",
    ),
    Entry("explore", LOOKING, "Step through a protocol by hand, in a browser on this machine, until Ctrl-C."),
    Entry("docs", LOOKING, "Print a page of the documentation, or the names of all."),
    Entry("new", WRITING, "Write a commented starting point for a change of your own."),
    Entry(
        "diff",
        WRITING,
        "Say what a change does: to the text, to the properties, and to what can be seen of a migration.",
    ),
    Entry("run", MIGRATING, "Migrate a real guest process, live."),
    Entry("record", MIGRATING, "Let two real QEMUs migrate a small guest, and keep everything that can be seen of it."),
    Entry(
        "monitor",
        MIGRATING,
        "Stand between two QEMUs: pass on what they send, and judge it as it passes, until the migration has ended.",
    ),
    Entry(
        "conform",
        MIGRATING,
        "Hold the engine against the model, by a log or in every interleaving; or what two QEMUs did.",
    ),
    Entry(
        "replay",
        MIGRATING,
        "Drive the sound engine along a stored counterexample: where it refuses, and which rule it keeps by that. "
        "Or, with --qemu, two real QEMUs.",
    ),
    Entry(
        "export",
        GIVING,
        "Write the model in another tool's language; the properties become assertions and invariants.",
    ),
    Entry("counterexamples", GIVING, "Write a shortest counterexample for every fault: ITF JSON and Markdown."),
    Entry(
        "mcp",
        GIVING,
        "Serve checks to a coding assistant, by the Model Context Protocol, on standard input and output.",
    ),
    Entry("schema", GIVING, "Print the JSON schema of what a command prints with --json."),
)
"""All commands, in the order and the groups in which `--help` shows them."""

SEARCHING = frozenset(("check", "simulate", "prove", "diff", "graph", "counterexamples", "export", "suite"))
"""The commands that need more memory than Python alone."""

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Check postcopy live migration, and changes to it, exhaustively; counterexamples read like the protocol.",
)


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


def _version(wanted: bool) -> None:
    if wanted:
        print(f"postcopy {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """The options before a command."""


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
        code = app(given, prog_name="postcopy", standalone_mode=False, obj=given)
        if sys.stdout is not None:
            sys.stdout.flush()
    except typer.Exit as done:
        code = done.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    except MemoryLimitError as error:
        _say(error.spelled(COMMAND_LINE))
        code = Exit.INCONCLUSIVE
    except PostcopyError as error:
        code = _complain(error.spelled(COMMAND_LINE))
    except typer.TyperException as error:
        code = _complain(error.format_message())
    except BrokenPipeError:
        sys.stdout = None
        code = Exit.NO_READER
    except OSError as error:  # what was to be written or read is not there, or is full
        sys.stdout = None
        code = _complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    except MemoryError as error:
        _say(f"out of memory: {error}" if str(error) else "out of memory: take a smaller size, or allow more memory")
        code = Exit.INCONCLUSIVE
    except Exception as error:
        code = _complain(_of_user(error))
    sys.exit(code)


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
    _say(str(message))


def _complain(message: str) -> Exit:
    _say(message)
    return Exit.USAGE


def _say(message: str) -> None:
    print(f"postcopy: {' '.join(message.split())}", file=sys.stderr)
