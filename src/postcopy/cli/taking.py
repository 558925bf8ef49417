"""The options of a command as one record: each field is an option, with what `--help` says of it in its annotation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature
from typing import TypeVar, get_type_hints

from postcopy.cli import options

R = TypeVar("R")
Command = Callable[..., int]


def takes(record: type[R]) -> Callable[[Callable[[R], int]], Command]:
    """Make a function of one record a command whose options are the record's fields.

    Args:
        record: a dataclass; each field's annotation is ``Annotated`` with Typer's option or argument. Required
            arguments come first, then all others in the order of the fields, a base's before its own.
    """
    assert is_dataclass(record)
    hints = get_type_hints(record, localns=vars(options), include_extras=True)  # some name them for type checking only
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
