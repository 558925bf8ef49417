"""The options and arguments that several commands share, each once, in the groups in which `--help` shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from postcopy.catalogue.loading import by_name
from postcopy.catalogue.options import terms_of
from postcopy.cli.parameters import choice, completes
from postcopy.cli.search_engine import SearchEngine
from postcopy.errors import PostcopyError
from postcopy.report.charts.formats import ENDINGS

WHAT = "What to check"
HOW = "How to search"
SHOW = "What to show and keep"
"""The groups of options."""


def _faults() -> Iterator[str]:
    from postcopy.model.faults import FAULTS

    return iter(FAULTS)


def _changes() -> Iterator[str]:
    from postcopy.catalogue.changes import CHANGES

    return iter(CHANGES)


def _bugs() -> Iterator[str]:
    from postcopy.catalogue.history import PROTOCOLS

    return iter(PROTOCOLS)


def _qemu() -> Iterator[str]:
    from postcopy.catalogue.history_in_qemu import BEFORE
    from postcopy.catalogue.qemu import QEMU
    from postcopy.catalogue.qemu_7_2 import QEMU_7_2

    return iter((*QEMU, *QEMU_7_2, *BEFORE))


def _properties() -> Iterator[str]:
    from postcopy.catalogue.properties import BY_NAME

    return iter(BY_NAME)


def protocol_names() -> Iterator[str]:
    """All protocols of the catalogue by name, each once."""
    from postcopy.model.postcopy import Postcopy

    yield from dict.fromkeys((Postcopy.__name__, *_faults(), *_changes(), *_bugs(), *_qemu()))  # some bugs are changes


def complete_protocol(incomplete: str) -> list[str]:
    """What a protocol's text can go on with after the last ``+``: names of the catalogue, files, options of what stands
    before it, unless a file does."""
    before, plus, last = incomplete.rpartition("+")
    start = Path(last)
    directory = start if last.endswith("/") else start.parent
    files = [path for path in directory.glob("*") if str(path).startswith(last)] if directory.is_dir() else []
    found = [name for name in protocol_names() if name.startswith(last)]
    found += [f"{path}/" for path in files if path.is_dir() and not path.name.startswith((".", "__"))]
    found += [str(path) for path in files if path.suffix == ".py"]
    found += [term for term in _terms(before) if term.startswith(last)]
    return [f"{before}{plus}{each}" for each in found]


def _terms(before: str) -> list[str]:
    try:
        return terms_of(by_name(before)) if before else []
    except PostcopyError:
        return []


Target = Annotated[
    str | None,
    typer.Argument(
        metavar="PROTOCOL",
        help="a name (postcopy list), FILE.py:Class, or several with + between them, and OPTION=on|off; "
        "without it, the document's",
        autocompletion=complete_protocol,
    ),
]
Pages = Annotated[
    int, typer.Option("--pages", metavar="N", help="how many target pages the guest has", rich_help_panel=WHAT)
]
InFlight = Annotated[
    int, typer.Option("--in-flight", metavar="N", help="how many messages each channel holds", rich_help_panel=WHAT)
]
HostPage = Annotated[
    int | None, typer.Option("--host-page", metavar="N", help="target pages of one host page", rich_help_panel=WHAT)
]
FaultName = Annotated[
    str | None,
    typer.Option(
        "--fault",
        metavar="NAME",
        help="take one rule away (postcopy list faults)",
        rich_help_panel=WHAT,
        autocompletion=completes(_faults),
    ),
]
ChangeName = Annotated[
    str | None,
    typer.Option(
        "--change",
        metavar="NAME",
        help="a protocol change (postcopy list changes)",
        rich_help_panel=WHAT,
        autocompletion=completes(_changes),
    ),
]
BugName = Annotated[
    str | None,
    typer.Option(
        "--bug",
        metavar="NAME",
        help="a real bug, found again (postcopy list history)",
        rich_help_panel=WHAT,
        autocompletion=completes(_bugs),
    ),
]
PropertyNames = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        metavar="NAME",
        help="only this one; may be repeated (postcopy list properties)",
        rich_help_panel=WHAT,
        autocompletion=completes(_properties),
    ),
]
NoLiveness = Annotated[
    bool,
    typer.Option(
        "--no-liveness",
        help="leave out what must happen in the end: for large instances",
        rich_help_panel=WHAT,
    ),
]

NoSymmetry = Annotated[
    bool,
    typer.Option(
        "--no-symmetry",
        help="store every state, not one of those equal up to a renaming of pages",
        rich_help_panel=HOW,
    ),
]
VcpuSymmetry = Annotated[
    bool,
    typer.Option(
        "--vcpu-symmetry",
        help="store one of all states equal up to a renaming of vCPUs, too",
        rich_help_panel=HOW,
    ),
]
ResetDead = Annotated[
    bool,
    typer.Option(
        "--reset-dead",
        help="store one of all states that differ in what nothing to come depends on",
        rich_help_panel=HOW,
    ),
]
MaxMemory = Annotated[
    str, typer.Option("--max-memory", metavar="SIZE", help="memory for states, e.g. 512M or 4G", rich_help_panel=HOW)
]
Disk = Annotated[
    Path | None,
    typer.Option(
        "--disk",
        metavar="DIR",
        help="go on in files in this directory when the memory for states is full",
        rich_help_panel=HOW,
    ),
]
SmallTable = Annotated[
    bool,
    typer.Option(
        "--small-table",
        help="store a large search's states in a third of the memory: slower, and as exact",
        rich_help_panel=HOW,
    ),
]
Engine = Annotated[
    SearchEngine,
    choice(
        SearchEngine,
        "engine",
        "--engine",
        help="how to search (auto: interpreted for a small space)",
        rich_help_panel=HOW,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", min=1, max=64, help="cores that a large search may use", rich_help_panel=HOW
    ),
]
OnCluster = Annotated[
    int,
    typer.Option(
        "--cluster",
        metavar="N",
        min=0,
        max=4096,
        help="processes on Ray to search with: here, or at RAY_ADDRESS",
        rich_help_panel=HOW,
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint", metavar="DIR", help="keep the search in this directory as it goes", rich_help_panel=HOW
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume", metavar="DIR", help="go on with the search that is kept in this directory", rich_help_panel=HOW
    ),
]
Every = Annotated[
    float,
    typer.Option(
        "--checkpoint-every", metavar="SECONDS", min=0, help="seconds between two checkpoints", rich_help_panel=HOW
    ),
]

KeepReport = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="write an HTML page of all that was found (.html)", rich_help_panel=SHOW
    ),
]
Count = Annotated[
    int,
    typer.Option(
        "--count",
        metavar="N",
        help="how many counterexamples to look for, each to another property",
        rich_help_panel=SHOW,
    ),
]
AllProperties = Annotated[
    bool,
    typer.Option("--all-properties", help="look for one to each property that is violated", rich_help_panel=SHOW),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="exit with 20 if all holds and something warned of weakens it", rich_help_panel=WHAT),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="print one JSON object (postcopy schema)", rich_help_panel=SHOW),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="write to a file that postcopy has not written", rich_help_panel=SHOW),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="all properties one by one, also beside a counterexample", rich_help_panel=SHOW),
]
KeepTrace = Annotated[
    Path | None,
    typer.Option(
        "--trace", metavar="FILE", help=f"write the counterexample to this file ({ENDINGS})", rich_help_panel=SHOW
    ),
]
