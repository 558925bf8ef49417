"""Which Python a body may be: the check of an action, ghost, monitor or property and of all that it calls.

It looks at the syntax tree and lists what is allowed (`body_syntax`, `body_kinds`); whatever is not in the lists is
refused. So a body sees nothing but the state, whichever interpretation runs it, and it ends: its loops go over what it
has written down, and its helpers do not call each other in a circle. Declarations are checked in `declaration_checks`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import FunctionType
from typing import cast

from postcopy.errors import SpecError
from postcopy.language.body_expressions import Named, Summary
from postcopy.language.body_kinds import PAGES, Kind, Of, Simple
from postcopy.language.body_statements import check_text
from postcopy.language.channels import Channel
from postcopy.language.chosen import Chosen, Option
from postcopy.language.machines import Ghost, Machine, Monitor, Part
from postcopy.language.protocol import Protocol
from postcopy.language.python_values import plain_function
from postcopy.language.source_locations import is_machinery, of_class
from postcopy.language.view import Step, View

PROTOCOLS_KEPT = 16
"""The checks of so many protocols are remembered."""

_SHORT = Summary(1, Of(View))


@dataclass
class BodyChecks:
    """The checked functions of one protocol.

    Attributes:
        named: its parts by name.
    """

    named: Named
    _done: dict[tuple[FunctionType, type[Part] | None], Summary] = field(default_factory=dict)
    _open: list[tuple[FunctionType, type[Part] | None]] = field(default_factory=list)
    _ghosts: dict[type[Ghost], frozenset[str]] = field(default_factory=dict)
    _functions: dict[tuple[Callable[..., object], type], frozenset[str]] = field(default_factory=dict)

    def action(self, machine: type[Machine], method: str) -> None:
        """Check an action and all that it calls.

        Raises:
            SpecError: it has something that is not allowed; the message names the line.
        """
        function = getattr(machine, method)
        if not isinstance(function, FunctionType):
            raise SpecError(f"{machine.__name__}.{method} is not a plain method", of_class(machine, method))
        self.called(function, machine, "")

    def ghost(self, ghost: type[Ghost]) -> frozenset[str]:
        """Check all that a ghost or monitor does. Answers as `function` does.

        Raises:
            SpecError: see `action`.
        """
        if ghost not in self._ghosts:
            self._ghosts[ghost] = self._ghost(ghost)
        return self._ghosts[ghost]

    def _ghost(self, ghost: type[Ghost]) -> frozenset[str]:
        absent: frozenset[str] = frozenset()
        for base in ghost.__mro__:
            for name, value in vars(base).items():
                function = plain_function(value)
                if function is None or is_machinery(function.__code__.co_filename):
                    continue
                watches = name == "watch" and issubclass(ghost, Monitor)
                part = None if isinstance(value, staticmethod) else ghost
                absent |= self._check(function, part, Of(Step) if watches else None).absent
        return absent

    def function(self, function: Callable[..., object], subject: type[View | Step]) -> frozenset[str]:
        """Check the function of a property, or `may_rest`.

        Args:
            function: the function.
            subject: what its first argument is.

        Returns:
            The names that it asks a state for and that are none of the protocol's.

        Raises:
            SpecError: see `action`.
        """
        key = (function, subject)
        if key not in self._functions:  # asked for each step that a property is read of
            self._functions[key] = self._function(function, subject)
        return self._functions[key]

    def _function(self, function: Callable[..., object], subject: type[View | Step]) -> frozenset[str]:
        plain = plain_function(function)
        if plain is not None and is_machinery(plain.__code__.co_filename):
            plain = plain_function(inspect.unwrap(plain))  # half of a property of runs
        if plain is None:
            raise SpecError(f"{function!r} is not a plain function", "")
        return self._check(plain, None, Of(subject)).absent

    def called(self, function: FunctionType, part: type[Part] | None, where: str) -> Summary:
        """Check a function that is called at a place, and say what it does.

        Raises:
            SpecError: see `action`.
        """
        if (function, part) in self._open:
            raise SpecError(f"the action never ends: {function.__code__.co_name} calls itself", where)
        return self._check(function, part, None)

    def _check(self, function: FunctionType, part: type[Part] | None, first: Kind | None) -> Summary:
        key = (function, part)
        if key in self._done:
            return self._done[key]
        if is_machinery(function.__code__.co_filename):
            return _SHORT
        self._open.append(key)
        try:
            summary = self._done[key] = check_text(self, function, part, first)
        finally:
            self._open.pop()
        return summary


def checks_of(protocol: type[Protocol], monitors: Mapping[str, type[Ghost]]) -> BodyChecks:
    """The checks of a protocol's bodies, and of properties asked of it that have such monitors."""
    return _checks_of(cast(Hashable, protocol), tuple(sorted(monitors.items(), key=lambda item: item[0])))


@lru_cache(maxsize=PROTOCOLS_KEPT)
def _checks_of(hashed: Hashable, monitors: tuple[tuple[str, type[Ghost]], ...]) -> BodyChecks:
    protocol = cast(type[Protocol], hashed)  # mypy does not see that classes are hashable
    ghosts = cast(dict[str, type[Part]], protocol.parts(Ghost))
    parts = {**protocol.parts(Machine), **ghosts, **dict(monitors)}
    chosen = {name: Simple.TRUTH if isinstance(c, Option) else PAGES for name, c in protocol.parts(Chosen).items()}
    return BodyChecks(Named(parts, ghosts, frozenset(protocol.parts(Channel)), chosen))
