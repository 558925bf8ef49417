"""Options that take one of several values, and how words are completed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from typing import TypeVar

import typer

from postcopy.errors import UsageError
from postcopy.suggestions import not_among

Member = TypeVar("Member", bound=StrEnum)


def choice(kind: type[StrEnum], noun: str, *names: str, help: str, rich_help_panel: str | None = None) -> object:
    """An option that takes one of the values of an enumeration: listed in `--help`, completed by the shell, and a
    suggestion where it is none of them.

    Args:
        kind: the enumeration.
        noun: what its members are, for the message.
        names: of the option; none for an argument.
        help: what it is for.
        rich_help_panel: the group of options in which it is shown.
    """
    make = typer.Option if names else typer.Argument
    return make(
        *names,
        metavar=noun.upper(),
        show_choices=False,  # they would be broken at the end of a narrow column
        parser=partial(_member, kind, noun),
        autocompletion=completes(lambda: [str(member) for member in kind]),
        help=f"{help}: {', '.join(kind)}",
        rich_help_panel=rich_help_panel,
    )


def _member(kind: type[Member], noun: str, given: str) -> Member:
    if given not in list(kind):
        raise UsageError(not_among(noun, given, kind))
    return kind(given)


def completes(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Complete a word with the names that begin with it."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete
