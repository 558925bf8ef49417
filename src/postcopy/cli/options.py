"""The options and arguments that several commands share, each told once, in the groups in which `--help` shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CHECKING = "Check a protocol"
LOOKING = "Look closely"
WRITING = "Write a change of your own"
MIGRATING = "Migrate a real guest, and hold it against the model"
GIVING = "For other tools, and for a collection"
"""The groups of commands."""

WHAT = "What to check"
HOW = "How to search"
SHOW = "What to show and keep"
"""The groups of options."""

Target = Annotated[
    str | None, typer.Argument(metavar="[FILE.py:Class]", help="a protocol of your own; without it, the document's")
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
    typer.Option("--fault", metavar="NAME", help="take one rule away (postcopy list faults)", rich_help_panel=WHAT),
]
ChangeName = Annotated[
    str | None,
    typer.Option("--change", metavar="NAME", help="a protocol change (postcopy list changes)", rich_help_panel=WHAT),
]
BugName = Annotated[
    str | None,
    typer.Option("--bug", metavar="NAME", help="a real bug, found again (postcopy list history)", rich_help_panel=WHAT),
]
PropertyNames = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        metavar="NAME",
        help="only this one; may be repeated (postcopy list properties)",
        rich_help_panel=WHAT,
    ),
]
NoLiveness = Annotated[
    bool,
    typer.Option(
        "--no-liveness", help="leave out what must happen in the end: for large instances", rich_help_panel=WHAT
    ),
]

NoSymmetry = Annotated[
    bool,
    typer.Option(
        "--no-symmetry", help="store every state, not one of those equal up to a renaming of pages", rich_help_panel=HOW
    ),
]
VcpuSymmetry = Annotated[
    bool,
    typer.Option(
        "--vcpu-symmetry", help="store one of all states equal up to a renaming of vCPUs, too", rich_help_panel=HOW
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
Engine = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="auto, compiled or interpreted", rich_help_panel=HOW)
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

KeepTrace = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="write the counterexample to this file (.itf.json, .md, .mmd or .svg)",
        rich_help_panel=SHOW,
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
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object", rich_help_panel=SHOW)]
