"""Ray's part in a search, taken by this process: its members are called one after the other, and nothing is started."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import numpy as np


class OneProcess:
    """Stands in for the module `ray`, as far as `cluster_team` uses it."""

    class exceptions:  # noqa: N801  (as in Ray)
        """What Ray raises when a member fails or dies. Here a member's own errors come through."""

        class RayError(Exception):
            """A member has died."""

        class RayTaskError(RayError):
            """A member has failed."""

    def remote(self, **_: object) -> Callable[[type], _Class]:
        """A class of members."""
        return _Class

    def get(self, answers: list[Any]) -> list[Any]:
        """What was answered."""
        return answers

    def kill(self, member: _Handle) -> None:
        """End a member."""
        del member.made


class _Class:
    def __init__(self, kind: type) -> None:
        self._kind = kind

    def remote(self, *given: object) -> _Handle:
        return _Handle(self._kind(*given))


class _Handle:
    def __init__(self, made: Any) -> None:
        self.made = made

    def __getattr__(self, name: str) -> _Method:
        return _Method(getattr(self.made, name))


class _Method:
    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method

    def options(self, **_: object) -> _Method:
        return self

    def remote(self, *given: Any) -> Any:
        return _sent(self._method(*_sent(given)))


def _sent(value: Any) -> Any:
    """What another process gets of it: a copy, whose arrays cannot be written to."""
    copied = deepcopy(value)
    for each in copied if isinstance(copied, Iterable) else ():
        if isinstance(each, np.ndarray):
            each.flags.writeable = False
    return copied
