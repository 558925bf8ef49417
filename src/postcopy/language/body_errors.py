"""How a run of a body ends early, and how ordinary Python errors in a body become errors with a line."""

from __future__ import annotations

from types import TracebackType

from postcopy.errors import PostcopyError, SpecError
from postcopy.language.source_locations import location
from postcopy.language.values import UnsupportedOperation


class RunEnded(Exception):
    """Not an error: a run of a body ends early, and its interpretation decides how to go on."""


class Disabled(RunEnded):
    """A guard does not hold: the action cannot be taken here. Raised by `require`, caught by the interpretation."""


class MessageMissing(Disabled):
    """The guard that does not hold is a `receive`: the oldest message of the channel is another, or there is none."""

    def __init__(self, channel: str) -> None:
        super().__init__(channel)
        self.channel = channel


def as_spec_error(error: Exception, name: str) -> SpecError:
    """An ordinary Python error in a body, as an error of the specification.

    Args:
        error: what the body raised.
        name: the place to name where no line of the author's is known.
    """
    text = str(error) if isinstance(error, UnsupportedOperation) else f"{type(error).__name__}: {error}"
    return SpecError(text, location(None, name, error.__traceback__))


def with_caller(error: SpecError, method: str) -> SpecError:
    """The same error. An error in a helper also names the action or property that called the helper."""
    if error.where.endswith(f", in {method}") or ", called by " in error.where:
        return error
    text = str(error).removeprefix(f"{error.where}: ")
    return type(error)(text, f"{error.where}, called by {method}")


class LocatingErrors:
    """Turns every error of a body into a `SpecError` that names the method and the line: ``with LocatingErrors(...)``.

    Args:
        name: the place to name where no line of the author's is known.
        method: the action's or the property's function.
    """

    def __init__(self, name: str, method: str) -> None:
        self._name, self._method = name, method

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        match error:
            case None | RunEnded():
                return
            case SpecError():
                raise with_caller(error, self._method) from error.__cause__
            case PostcopyError():
                return
            case Exception():
                raise with_caller(as_spec_error(error, self._name), self._method) from error
