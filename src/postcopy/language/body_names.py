"""The names in a body's text: what they stand for, and whether what they stand for stays the same."""

from __future__ import annotations

import builtins
import inspect
from enum import Enum, EnumMeta
from types import FunctionType, ModuleType
from typing import cast

from postcopy.errors import SpecError
from postcopy.language.actions import require
from postcopy.language.body_kinds import Fixed, Kind, Method, Simple
from postcopy.language.body_syntax import BUILTINS
from postcopy.language.function_text import FunctionText
from postcopy.language.machines import Part
from postcopy.language.messages import about, about_part
from postcopy.language.properties import LeadsTo, Property
from postcopy.language.protocol import Protocol
from postcopy.language.python_values import (
    LOOKS_PAST,
    components,
    is_constant,
    library_of,
    operators_of,
    plain_function,
)
from postcopy.language.source_locations import is_machinery
from postcopy.language.values import Cpu

MISSING = object()
"""What a name stands for that stands for nothing."""

_ANSWERS: dict[object, Kind] = {
    require: Simple.NOTHING,
    about: Simple.ANYTHING,
    about_part: Simple.ANYTHING,
    LeadsTo: Simple.ANYTHING,
    Cpu: Simple.CONSTANT,
    cast: Simple.ANYTHING,
    **{getattr(builtins, name): Simple.TRUTH for name in ("all", "any", "bool")},
    **{getattr(builtins, name): Simple.ANYTHING for name in ("range", "super")},
}
"""The functions and classes of the language and of Python that a body may call, with the kinds of their answers."""


class Names:
    """The names that one function can refer to, beside its own variables.

    Attributes:
        own: its parameters and variables.
    """

    def __init__(self, function: FunctionType, text: FunctionText) -> None:
        code = function.__code__
        self.own = frozenset((*code.co_varnames, *code.co_cellvars))
        self._function, self._changed = function, text.changed
        self._outer: dict[str, object] = {}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                self._outer[name] = cell.cell_contents
            except ValueError:  # the variable has no value yet
                self._outer[name] = MISSING

    def outside(self, name: str, where: str) -> object:
        """The value of a name that is none of the function's own; `MISSING` where Python would raise a NameError.

        Raises:
            SpecError: another function of the file changes it.
        """
        known = name in self._outer or name in self._function.__globals__
        if known and name in self._changed:
            word = "nonlocal" if name in self._outer else "global"
            raise SpecError(
                f"it uses {name}, which a function of this file changes ({word} {name}): make it a constant, or "
                "declare a field",
                where,
            )
        if known:
            return self._outer[name] if name in self._outer else self._function.__globals__[name]
        return getattr(builtins, name, MISSING)


def attribute_of(value: object, name: str) -> object:
    """An attribute of a module or class of the author's, as it stands there."""
    if isinstance(value, ModuleType):
        return vars(value).get(name, MISSING)
    if isinstance(value, EnumMeta):
        return value.__members__.get(name, MISSING)
    return inspect.getattr_static(value, name, MISSING) if isinstance(value, type) else MISSING


def is_namespace(value: object) -> bool:
    """Whether a value is a module or class of the author's, whose attributes are constants, classes and functions."""
    if isinstance(value, ModuleType):
        return library_of(value) is None
    return isinstance(value, EnumMeta) or (isinstance(value, type) and issubclass(value, Part | Protocol))


def checked(fixed: Fixed, where: str) -> Kind:
    """What a value from outside is to a body.

    Raises:
        SpecError: it can change, or it looks past the language.
    """
    value, text = fixed.value, fixed.text
    known = next((known for known in _ANSWERS if known is value), None)
    if known is not None:
        return Method(text, answers=_ANSWERS[known], known=known)
    function = plain_function(value)
    if function is not None and not is_machinery(function.__code__.co_filename) and library_of(function) is None:
        return Method(text, ((function, None),))
    if isinstance(value, Property):
        return fixed
    for part in components(value):
        _check_constant(part, text, where)
    return fixed


def _check_constant(value: object, text: str, where: str) -> None:
    module = library_of(value)
    if value is len:
        raise SpecError("the pages of a set cannot be counted: ask .empty or .full", where)
    if module == LOOKS_PAST:
        raise SpecError(f"it uses {text}, which looks past the language: use fields, ends and constants", where)
    if module is not None:
        raise SpecError(f"it uses {text}, which depends on {module} and not on the state", where)
    if isinstance(value, EnumMeta | Enum):
        cls = value if isinstance(value, EnumMeta) else type(value)
        if operators := operators_of(cls):
            raise SpecError(
                f"it uses {text}, and {cls.__name__} has an operator of its own ({operators[0]}): leave it out", where
            )
    elif isinstance(value, type) and issubclass(value, Part | Protocol):
        return
    elif callable(value) or isinstance(value, ModuleType):
        raise SpecError(
            f"it uses {text}, which is not part of the language: use fields, ends, constants, methods and functions of "
            f"your own, and {', '.join(BUILTINS)}",
            where,
        )
    elif not is_constant(value):
        a = f"{'an' if type(value).__name__[0] in 'aeiou' else 'a'} {type(value).__name__}"
        raise SpecError(
            f"it uses {text}, {a} that is not part of the state: declare a field, or make it a constant", where
        )
