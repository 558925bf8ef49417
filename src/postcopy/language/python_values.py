"""Kinds of Python values in a specification: functions to look into, constants, and parts of Python's library."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from enum import Enum, EnumMeta
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from postcopy.language.channel_ends import DeclaredEnd, NetworkEnd, ObserverEnd, ReceiveEnd, SendEnd
from postcopy.language.fields import Field
from postcopy.language.source_locations import foreign, is_machinery
from postcopy.language.threads import Thread
from postcopy.language.values import Cpu

PURE_MODULES = frozenset(
    (
        "abc",
        "builtins",
        "collections",
        "dataclasses",
        "enum",
        "functools",
        "itertools",
        "math",
        "numbers",
        "operator",
        "types",
        "typing",
    )
)
"""Modules of Python's library whose functions depend on nothing but their arguments."""

REFUSED_BUILTINS = frozenset(
    (
        "__import__",
        "delattr",
        "dir",
        "eval",
        "exec",
        "format",
        "getattr",
        "globals",
        "hasattr",
        "hash",
        "id",
        "input",
        "isinstance",
        "issubclass",
        "len",
        "locals",
        "object",
        "open",
        "repr",
        "setattr",
        "str",
        "type",
        "vars",
    )
)

LOOKS_PAST = "builtins"
"""What `library_of` answers for the builtins that look past the language."""

_WRITTEN_IN_PYTHON = 1 << 9
"""The flag of a class that a ``class`` statement made (``Py_TPFLAGS_HEAPTYPE``): no other gets an operator."""

_OPERATORS_THAT_MAY_BE = frozenset(("__new__", "__init__", "__str__", "__repr__"))


def plain_function(value: object) -> FunctionType | None:
    """The Python function in a method, property, static or class method."""
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, staticmethod | classmethod | MethodType):
        value = value.__func__
    return value if isinstance(value, FunctionType) else None


def components(value: object) -> Iterator[object]:
    """The value, or what an immutable container consists of."""
    if type(value) in (tuple, frozenset):
        for item in value:  # type: ignore[attr-defined]
            yield from components(item)
    else:
        yield value


def library_of(value: object) -> str | None:
    """The part of Python's library that a module, class or function belongs to, unless it is a pure one."""
    if any(value is getattr(builtins, refused) for refused in REFUSED_BUILTINS):
        return LOOKS_PAST
    name: object = None
    if isinstance(value, ModuleType):
        name = value.__name__
    elif isinstance(value, BuiltinFunctionType | MethodType) and not isinstance(value.__self__, ModuleType | None):
        name = type(value.__self__).__module__
    elif isinstance(value, type) or callable(value):
        name = getattr(value, "__module__", None)
    top = str(name).partition(".")[0]
    known = top.lstrip("_")
    return known if top in sys.stdlib_module_names and known not in PURE_MODULES else None


def operators_of(cls: type) -> list[str]:
    """The operators (``__eq__`` and the like) that the author of a class has defined: they see what they are given."""
    return [
        name
        for base in (*cls.__mro__, *type.mro(type(cls)))
        if base.__flags__ & _WRITTEN_IN_PYTHON
        for name, value in vars(base).items()
        if name.startswith("__")
        and name not in _OPERATORS_THAT_MAY_BE
        and (function := plain_function(value)) is not None
        and not foreign(function.__code__.co_filename)
    ]


def is_of_the_language(value: Field[Any] | DeclaredEnd[Any]) -> bool:
    """Whether a field or an end is read and written as the language does it, and not in a way of its author's."""
    accesses = [plain_function(getattr(type(value), name)) for name in ("__get__", "__set__")]
    if isinstance(value, DeclaredEnd) and value.view not in (SendEnd, ReceiveEnd, NetworkEnd, ObserverEnd):
        return False
    return all(access is not None and is_machinery(access.__code__.co_filename) for access in accesses)


def is_constant(value: object) -> bool:
    """Whether a value can never change, and has no operators but Python's own."""
    if isinstance(value, EnumMeta | Enum):
        return not operators_of(value if isinstance(value, EnumMeta) else type(value))
    if isinstance(value, Field | DeclaredEnd):
        return is_of_the_language(value)
    if isinstance(value, Thread):
        return type(value) is Thread
    plain = (bool, int, float, complex, str, bytes, range, property, Cpu)
    return value is None or value is Ellipsis or type(value) in plain or isinstance(value, type | ModuleType)
