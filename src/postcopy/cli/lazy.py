"""Commands that are imported when they are called: `--help` and completion know them by a name and a sentence."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from postcopy.cli.commands import Entry
from postcopy.cli.taking import takes


class Flagless:
    """Commands whose `--help` says nothing of the type of a flag, in any version of Typer."""

    def get_params(self, ctx: Any) -> Any:
        """All options; a flag without ``<bool>`` behind it."""
        options = super().get_params(ctx)  # type: ignore[misc]
        for option in options:
            if getattr(option, "is_flag", False) and option.metavar is None:
                option.metavar = ""
        return options


class Command(Flagless, TyperCommand):
    """A command."""


class Group(Flagless, TyperGroup):
    """A group of commands that are there."""


def lazy_group(entries: tuple[Entry, ...]) -> type[TyperGroup]:
    """A group of commands that are imported when they are called."""
    known = {entry.name: entry for entry in entries}

    class LazyGroup(Group):
        """The commands of the table."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            for entry in entries:
                self.add_command(Command(entry.name, help=entry.help, rich_help_panel=entry.panel))

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """The command's name, the command itself in place of its entry, and the arguments that are left."""
            name, found, left = super().resolve_command(ctx, args)
            return name, load(known[str(name)]) if found is not None else None, left

    return LazyGroup


def load(entry: Entry) -> TyperCommand | TyperGroup:
    """A command, from its module."""
    module = import_module(f"postcopy.cli.{entry.name}")
    app: typer.Typer | None = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        record = getattr(module, "OPTIONS", None)
        taken = module.command if record is None else takes(record)(module.command)
        app.command(entry.name, cls=Command, help=entry.help)(taken)
    command = get_command(app)
    assert isinstance(command, TyperCommand | TyperGroup)
    command.name, command.help = entry.name, entry.help
    return command
