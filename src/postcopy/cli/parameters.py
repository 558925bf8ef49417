"""The options of a command as one record: each field is an option, with what `--help` says of it in its annotation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import partial, wraps
from inspect import Parameter, Signature
from typing import TypeVar, get_type_hints

import typer

from postcopy.errors import UsageError
from postcopy.suggestions import not_among

R = TypeVar("R")
Member = TypeVar("Member", bound=StrEnum)
Command = Callable[..., int]


def takes(record: type[R]) -> Callable[[Callable[[R], int]], Command]:
    """Make a function of one record a command whose options are the record's fields.

    Args:
        record: a dataclass; each field's annotation is ``Annotated`` with Typer's option or argument. Required
            arguments come first, then all others in the order of the fields, a base's before its own.
    """
    assert is_dataclass(record)
    hints = get_type_hints(record, include_extras=True)
    required_first = sorted(fields(record), key=lambda field: field.default is not MISSING)
    parameters = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in required_first
    ]

    def decorate(function: Callable[[R], int]) -> Command:
        @wraps(function)
        def command(**given: object) -> int:
            return function(record(**given))

        del command.__dict__["__wrapped__"]
        command.__dict__["__signature__"] = Signature(parameters)
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


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
