"""`postcopy list`: the names that commands take, in lists."""

from __future__ import annotations

from typing import Annotated

from rich.console import Console

from postcopy.catalogue.loading import load
from postcopy.cli.options import AsJson, ChangeName, Target
from postcopy.cli.output import print_json
from postcopy.cli.parameters import choice
from postcopy.errors import UsageError
from postcopy.report.records.listings import LISTINGS, OF_A_PROTOCOL, Listing
from postcopy.report.terminal.listings import print_listing

What = Annotated[Listing, choice(Listing, "listing", help="the things to list")]


def command(what: What, target: Target = None, change: ChangeName = None, as_json: AsJson = False) -> int:
    """Print a table."""
    if (target or change) and what not in OF_A_PROTOCOL:
        *others, last = sorted(OF_A_PROTOCOL)
        raise UsageError(f"only {', '.join(others)} and {last} can be listed of a file or change")
    rows = LISTINGS[what](load(target, change=change)[1])
    if as_json:
        print_json(rows)
    else:
        print_listing(what, rows, Console(highlight=False))
    return 0
