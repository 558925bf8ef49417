"""Kinds of Python values in a specification: functions to look into, constants, and parts of Python's library."""

from __future__ import annotations

import builtins
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, UnionType
from typing import Any, cast

from postcopy.language.channel_ends import DeclaredEnd
from postcopy.language.fields import Field

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
        "eval",
        "exec",
        "globals",
        "hash",
        "id",
        "input",
        "locals",
        "open",
        "type",
        "vars",
    )
)

BUILTINS = "builtins"
"""What `library_of` answers for the builtins that look past the language."""


def plain_function(value: object) -> FunctionType | None:
    """The Python function in a method, property, static or class method, or wrapper."""
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, staticmethod | classmethod | MethodType):
        value = value.__func__
    if callable(value) and not isinstance(value, type):
        value = inspect.unwrap(value)
    return value if isinstance(value, FunctionType) else None


def components(value: object) -> Iterator[object]:
    """The value, or what an immutable container consists of."""
    if isinstance(value, tuple | frozenset):
        for item in value:
            yield from components(item)
    elif _is_frozen(value):
        for field in fields(cast(Any, value)):
            yield from components(getattr(value, field.name))
    else:
        yield value


def _is_frozen(value: object) -> bool:
    parameters = getattr(type(value), "__dataclass_params__", None)
    return is_dataclass(value) and not isinstance(value, type) and bool(getattr(parameters, "frozen", False))


def library_of(value: object) -> str | None:
    """The part of Python's library that a module, class or function belongs to, unless it is a pure one."""
    if any(value is getattr(builtins, refused) for refused in REFUSED_BUILTINS):
        return BUILTINS
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


def is_constant(value: object) -> bool:
    """Whether a value can never change."""
    if isinstance(value, BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, ModuleType) or is_constant(value.__self__)
    kinds = (
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        Enum,
        ModuleType,
        type,
        property,
        Field,
        DeclaredEnd,
        UnionType,
    )
    return value is None or value is Ellipsis or isinstance(value, kinds) or type(value).__module__ == "typing"
