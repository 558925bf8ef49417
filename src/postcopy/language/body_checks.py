"""Checks of the text of a body: values that it uses beside the state, and Python that misleads.

The interpretations refuse what a body does wrong while it runs. Some wrong things cannot be seen then:
`self.phase is Phase.IDLE` is simply false, a list outside of the state simply changes. They are found here,
in the compiled code of an action and of all that it calls (bytecode and not source: it is there for every
function, and it is small). Declarations are checked in `declaration_checks`.
"""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import cast

from postcopy.errors import SpecError
from postcopy.language.channel_ends import NetworkEnd, ObserverEnd, SendEnd
from postcopy.language.fields import CpuPages
from postcopy.language.machines import Ghost, Machine, Part
from postcopy.language.python_values import BUILTINS, components, is_constant, library_of, plain_function
from postcopy.language.source_locations import is_machinery, place
from postcopy.language.values import PageSet

REFUSED_ATTRIBUTES = frozenset(("interpretation", "_channel", "_names", "_part", "_interpretation"))
"""The language's own ways to the state, past its checks."""

_MISSING = object()
_LOADS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD"))


def check_action(machine: type[Machine], method: str) -> None:
    """Refuse an action whose text, or that of a helper, depends on more than the state.

    Raises:
        SpecError: it does; the message names the line.
    """
    _check_method(cast(Hashable, machine), method)


def check_ghost(ghost: type[Ghost]) -> None:
    """The same for all that a ghost or monitor does."""
    for name in _own_functions(ghost):
        _check_method(cast(Hashable, ghost), name)


@lru_cache(maxsize=1024)
def check_function(function: FunctionType) -> None:
    """The same for a property's function."""
    _Walk(None).function(function)


@lru_cache(maxsize=1024)
def _check_method(hashed: Hashable, name: str) -> None:
    part = cast(type[Part], hashed)  # mypy does not see that classes are hashable
    walk = _Walk(part)
    walk.method(name)
    body = plain_function(getattr(part, name))
    if body is not None and body.__code__.co_flags & (
        inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    ):
        code = body.__code__
        raise SpecError("it has a yield or await: an action is a plain method", place(code, code.co_firstlineno))


def _own_functions(part: type[Part]) -> list[str]:
    """Names of the functions and properties that the author of a part has written."""
    language = {Part, Machine, Ghost, object}
    return [
        name
        for base in part.__mro__
        if base not in language and base.__module__ != Part.__module__
        for name, value in vars(base).items()
        if plain_function(value) is not None
    ]


def _public(*kinds: type) -> frozenset[str]:
    return frozenset(n for k in kinds for n in dir(k) if not n.startswith("_") and inspect.isfunction(getattr(k, n)))


_LANGUAGE_METHODS = _public(SendEnd, ObserverEnd, NetworkEnd, PageSet, CpuPages)


@dataclass(frozen=True)
class _Use:
    """A value from outside that a body uses: what the text calls it, and the instruction after its name."""

    text: str
    value: object
    next: int


class _Walk:
    """A body and all that it calls, each function once."""

    def __init__(self, part: type[Part] | None) -> None:
        self.part = part
        self.seen: set[object] = set()

    def method(self, name: str) -> None:
        """The method in the part's class and in all its bases (an override may call `super()`)."""
        if self.part is None or name in self.seen:
            return
        self.seen.add(name)
        for base in self.part.__mro__:
            function = plain_function(vars(base).get(name))
            if function is not None:
                self.function(function)

    def function(self, function: FunctionType) -> None:
        """One function, and what it calls."""
        code = function.__code__
        if function in self.seen or is_machinery(code.co_filename):
            return
        self.seen.add(function)
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        for value in defaults:
            self._outside("a default value", value, place(code, code.co_firstlineno))
        outer = {
            name: cell.cell_contents
            for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
            if not _is_empty(cell)
        }
        for name, value in outer.items():
            self._outside(name, value, place(code, _line_of(code, name)))
        for inner in _codes(code):
            self._code(inner, function, outer)

    def _code(self, code: CodeType, function: FunctionType, outer: dict[str, object]) -> None:
        instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG")]
        for index, instruction in enumerate(instructions):
            lines = (line for i in instructions[index:] if (line := _line(i)) is not None)
            where = place(code, next(lines, code.co_firstlineno))
            following = instructions[index + 1].opname if index + 1 < len(instructions) else ""
            self._misleading(instruction, instructions[index - 1], following, where)
            name = instruction.argval
            if instruction.opname in ("STORE_DEREF", "DELETE_DEREF") and name in outer:
                raise SpecError(f"nonlocal {name}: an action changes nothing but its own state", where)
            if instruction.opname in _ATTRIBUTES or instruction.opname.startswith("LOAD_SUPER_"):
                self.method(name)
            if instruction.opname in _LOADS:
                self._use(_resolve(instructions, index, function, outer), instructions, where)

    def _use(self, use: _Use | None, instructions: list[dis.Instruction], where: str) -> None:
        if use is None:
            return
        self._outside(use.text, use.value, where)
        names = [instructions[i].opname for i in range(use.next, min(use.next + 2, len(instructions)))]
        if names and (names[0] in ("STORE_ATTR", "DELETE_ATTR") or names == ["COPY", "LOAD_ATTR"]):
            raise SpecError(
                f"it changes an attribute of {use.text}: an action changes nothing but its own state", where
            )

    def _misleading(self, i: dis.Instruction, before: dis.Instruction, following: str, where: str) -> None:
        name, value = i.opname, i.argval
        if name == "IS_OP" and not (before.opname == "LOAD_CONST" and before.argval is None):
            raise SpecError("a value of the state is never identical (is) to another: compare with ==", where)
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            raise SpecError(f"global {value}: an action changes nothing but its own state", where)
        if name == "IMPORT_NAME":
            raise SpecError(f"it imports {value}: imports stand at the top of the file", where)
        if name == "PUSH_EXC_INFO":
            raise SpecError("it has a try or with statement, which would swallow guards: use if and require", where)
        if name in _ATTRIBUTES:
            if value in REFUSED_ATTRIBUTES or (value.startswith("__") and value.endswith("__")):
                raise SpecError(f".{value} is not for specifications: a machine sees only its fields and ends", where)
            truth = following in ("UNARY_NOT", "TO_BOOL") or following.startswith(("POP_JUMP_", "JUMP_IF_"))
            if truth and self._is_method(value):
                raise SpecError(f"{value} without () is always true: write {value}()", where)

    def _is_method(self, name: str) -> bool:
        own = inspect.getattr_static(self.part, name, None) if self.part is not None else None
        return inspect.isfunction(own) if own is not None else name in _LANGUAGE_METHODS

    def _outside(self, text: str, value: object, where: str) -> None:
        """Refuse a value from outside of the state that can change, and walk on into functions."""
        for part in components(value):
            module = library_of(part)
            if module == BUILTINS:
                raise SpecError(f"it uses {text}, which looks past the language: use fields, ends and constants", where)
            if module is not None:
                raise SpecError(f"it uses {text}, which depends on {module} and not on the state", where)
            function = plain_function(part)
            if function is not None:
                self.function(function)
            elif not is_constant(part):
                a = f"{'an' if type(part).__name__[0] in 'aeiou' else 'a'} {type(part).__name__}"
                raise SpecError(
                    f"it uses {text}, {a} that is not part of the state: declare a field, or make it a constant",
                    where,
                )


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of a function, and that of the functions, lambdas and comprehensions within."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _line(instruction: dis.Instruction) -> int | None:
    return instruction.positions.lineno if instruction.positions is not None else None


def _line_of(code: CodeType, name: str) -> int:
    """The first line that uses a variable of an enclosing function."""
    lines = (
        _line(i) for c in _codes(code) for i in dis.get_instructions(c) if i.argval == name and "DEREF" in i.opname
    )
    return next((line for line in lines if line is not None), code.co_firstlineno)


def _is_empty(cell: CellType) -> bool:
    try:
        return cell.cell_contents is _MISSING
    except ValueError:
        return True


def _resolve(
    instructions: list[dis.Instruction], index: int, function: FunctionType, outer: dict[str, object]
) -> _Use | None:
    """The value that a name and the attributes after it stand for, as far as that is fixed before a run."""
    text = str(instructions[index].argval)
    if instructions[index].opname in ("LOAD_GLOBAL", "LOAD_NAME"):
        value = function.__globals__.get(text, getattr(builtins, text, _MISSING))
    else:
        value = outer.get(text, _MISSING)
    if value is _MISSING:  # a local variable, or a NameError when it runs
        return None
    index += 1
    while index < len(instructions) and instructions[index].opname in _ATTRIBUTES:
        name = instructions[index].argval
        if isinstance(value, ModuleType) and library_of(value) is not None:
            text, index = f"{text}.{name}", index + 1
            continue
        if not isinstance(value, ModuleType | type) or library_of(value) is not None:
            break
        found = getattr(value, name, _MISSING) if isinstance(value, ModuleType) else _of_class(value, name)
        if found is _MISSING:
            break
        value, text, index = found, f"{text}.{name}", index + 1
    return _Use(text, value, index)


def _of_class(cls: type, name: str) -> object:
    if issubclass(cls, Enum) and name in cls.__members__:
        return cls[name]
    return inspect.getattr_static(cls, name, _MISSING)


def check_callable(function: Callable[..., object]) -> None:
    """`check_function` for any callable of which a property was made."""
    plain = plain_function(function)
    if plain is not None:
        check_function(plain)
