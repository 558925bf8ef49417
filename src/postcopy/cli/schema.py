"""`postcopy schema`: the JSON schema of what a command prints."""

from __future__ import annotations

from typing import Annotated

from postcopy.cli.parameters import choice
from postcopy.cli.schema_names import Schema

Name = Annotated[Schema, choice(Schema, "schema", help="the command that prints what it describes")]


def command(name: Name) -> int:
    """Print a schema."""
    from postcopy.cli.schemas import schema_text  # the records of all commands: the engine, z3

    print(schema_text(name), end="")
    return 0
