"""`postcopy schema`: the JSON schema of what a command prints."""

from __future__ import annotations

from typing import Annotated

from postcopy.api.schema_names import Schema
from postcopy.cli.parameters import choice

Name = Annotated[Schema, choice(Schema, "schema", help="the command that prints what it describes")]


def command(name: Name) -> int:
    """Print a schema."""
    from postcopy.schemas import schema  # the records of all commands: the engine, z3

    print(schema(name), end="")
    return 0
