"""`postcopy list`: the names that commands take, in lists."""

from __future__ import annotations

from typing import Annotated

from rich.console import Console

from postcopy.api.asking import NamedProtocol
from postcopy.api.listing import listing
from postcopy.catalogue.loading import load
from postcopy.cli.options import AsJson, ChangeName, Target
from postcopy.cli.parameters import choice
from postcopy.report.records.listings import Listing

What = Annotated[Listing, choice(Listing, "listing", help="the things to list")]


def command(what: What, target: Target = None, change: ChangeName = None, as_json: AsJson = False) -> int:
    """Print a table."""
    found = listing(what, NamedProtocol(*load(target, change=change)) if target or change else None)
    if as_json:
        print(found.json())
    else:
        found.print_to(Console(highlight=False))
    return 0
