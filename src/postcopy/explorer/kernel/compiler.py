"""From a kernel's text to machine code, through LLVM.

The text that `block_code` writes for a block of states takes one pass to translate (see `translation`) and LLVM a
second or so to make fast; Numba's inference of types would take a minute.

Machine code is kept in the cache; its key is the text and the processor. Long functions are compiled each for itself
and kept so, too: where one action of a protocol changes, the others' machine code is still there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from postcopy.cache import Cache
from postcopy.explorer.kernel import translation
from postcopy.explorer.kernel.translation import COMMON, OUT_OF_LINE, translate

KIND = "kernel.o"
"""The kind of the objects in the cache: all of a text's machine code."""

PART = "action.o"
"""The kind of those that are one function."""

SOON = "soon.o"
"""The kind of all of a text's machine code as LLVM makes it with the least work."""

OPTIMIZE = 3
"""LLVM's level for functions that gain by it: loops without jumps, which become instructions for several states."""

ACTIONS_OPTIMIZE = 1
"""LLVM's level of code generation for actions. They are nearly all of the text, and gain 5 % by the highest level,
which takes three times as long."""

ACTIONS_PASSES = ("instruction_combine", "simplify_cfg")
"""What LLVM does with actions before that: simpler expressions, fewer jumps."""

APART = 40
"""Functions of so many lines, of those, are compiled each for itself. A short one takes less time than a file."""

_CALLED = re.compile(r"(\w+)\(")

_PART = "part"
"""What a function that stands apart is called in its text."""


class Native:
    """Machine code in memory, for as long as this object lives.

    Args:
        code: object files, one behind the other as `_bundle` has it.
        names: the functions whose addresses are wanted.

    Attributes:
        addresses: one for each name.
    """

    def __init__(self, code: bytes, names: tuple[str, ...]) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target(OPTIMIZE))
        for part in _parts(code):
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(part))
        self._engine.finalize_object()
        self.addresses = [int(self._engine.get_function_address(name)) for name in names]


def processor() -> tuple[str, str]:
    """This machine's processor: its name, and what it can do."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def kept(text: str, cache: Cache) -> bytes | None:
    """The object files of a text, if it was compiled for this processor before."""
    return cache.get(KIND, key_of(text))


def load(text: str, names: tuple[str, ...], cache: Cache) -> Native:
    """The functions of a text: from the cache, or translated and then kept there.

    Args:
        names: the functions that are called from outside; all others are theirs alone.
    """
    code = kept(text, cache)
    if code is None:
        code = _bundle(_compiled(text, names, cache))
        cache.put(KIND, key_of(text), code)
    return Native(code, names)


def kept_soon(text: str, cache: Cache) -> bytes | None:
    """The object files of a text, if it was compiled for this processor before, in whichever way."""
    return kept(text, cache) or cache.get(SOON, key_of(text))


def load_soon(text: str, names: tuple[str, ...], cache: Cache) -> Native:
    """The same functions as of `load`, in a fifth of the time, and half as fast.

    Args:
        names: the functions that are called from outside.
    """
    code = kept_soon(text, cache)
    if code is None:
        module = llvm.parse_assembly(translate(text, names, {}))
        code = _bundle(iter([bytes(_target(0).emit_object(module))]))
        cache.put(SOON, key_of(text), code)
    return Native(code, names)


def _compiled(text: str, names: tuple[str, ...], cache: Cache) -> Iterator[bytes]:
    """The object files of a text: one for each function that stands apart, and at most two for the rest: what calls
    actions, and what does not."""
    functions = _functions(text)
    parts = _apart(functions)
    apart = {name: part.symbol for name, part in parts.items()}
    needs = {name: _needed(name, functions) for name in names}
    calling = {name for name in names if any(other.startswith(OUT_OF_LINE) for other in needs[name])}
    for together in (calling, set(names) - calling):
        rest: list[str] = []
        needed = set().union(*(needs[name] for name in together))
        for name, source in functions.items():
            if name not in needed:
                continue
            if name not in parts:
                rest.append(source)
                continue
            rest.append(_heading(source))
            yield _object(parts[name], cache)
        if rest:
            yield _machine_code(translate("\n".join(rest), tuple(together), apart), thorough=together is not calling)


def compile_parts(text: str, cache: Cache) -> None:
    """Keep in the cache what of a text stands apart, unless it is there; the last function first."""
    for part in reversed(_apart(_functions(text)).values()):
        _object(part, cache)


def _functions(text: str) -> dict[str, str]:
    """The text of each function; to parse all of them takes longer than to compile one."""
    sources = re.split(r"^(?=def )", text, flags=re.MULTILINE)
    return {source[len("def ") : source.index("(")]: source for source in sources if source.startswith("def ")}


def _needed(name: str, functions: Mapping[str, str]) -> set[str]:
    """A function and all that it calls."""
    found: set[str] = set()
    stack = [name]
    while stack:
        here = stack.pop()
        if here not in found and here in functions:
            found.add(here)
            stack += _CALLED.findall(functions[here])
    return found


@dataclass(frozen=True)
class _Part:
    """A function that stands apart.

    Attributes:
        text: its text, which does not depend on its name, behind the headings of those that it calls.
        symbol: its name among all object files.
        calls: the symbols of those that it calls, by their names.
        common: whether several call it: then nearly all steps are taken in it.
    """

    text: str
    symbol: str
    calls: Mapping[str, str]
    common: bool


def _apart(functions: Mapping[str, str]) -> dict[str, _Part]:
    """The functions that stand apart: those that several call, and the long ones that call none but those."""
    found: dict[str, _Part] = {}
    for name, source in functions.items():
        if not name.startswith(OUT_OF_LINE):
            continue
        called = [other for other in dict.fromkeys(_CALLED.findall(source)) if other in functions and other != name]
        if not name.startswith(COMMON) and (
            source.count("\n") < APART or not all(c.startswith(COMMON) for c in called)
        ):
            continue
        own = source.replace(f"def {name}(", f"def {_PART}(", 1)
        calls = {other: found[other].symbol for other in called}
        digest = hashlib.sha256("\n".join((own, *calls.values())).encode()).hexdigest()
        text = "\n".join((*(_heading(functions[other]) for other in called), own))
        found[name] = _Part(text, f"{_PART}_{digest[:32]}", calls, name.startswith(COMMON))
    return found


def _heading(source: str) -> str:
    """The first line of a function, and one that returns, if it gives anything: all that its type needs."""
    lines = source.splitlines()
    given = (line for line in lines if line.lstrip().startswith("return "))
    return "\n".join((lines[0], next(given, "    nothing = 0")))


def _object(part: _Part, cache: Cache) -> bytes:
    """The object file of one function: from the cache, or made and kept there."""
    key = key_of("\n".join((part.text, *part.calls.values())))
    code = cache.get(PART, key)
    if code is None:
        code = _machine_code(translate(part.text, (_PART,), part.calls, part.symbol), thorough=part.common)
        cache.put(PART, key, code)
    return code


def _bundle(objects: Iterator[bytes]) -> bytes:
    """Object files as one: each behind its length, eight bytes."""
    different = dict.fromkeys(objects)  # two functions of one text are one
    return b"".join(len(each).to_bytes(8, "little") + each for each in different)


def _parts(code: bytes) -> Iterator[bytes]:
    """The object files of a bundle."""
    at = 0
    while at < len(code):
        end = at + 8 + int.from_bytes(code[at : at + 8], "little")
        yield code[at + 8 : end]
        at = end


def key_of(text: str) -> str:
    """All that the object file of a text depends on."""
    return "\n".join((llvmlite.__version__, *processor(), _own_text(), text))


def _machine_code(module: str, *, thorough: bool) -> bytes:
    """The object file of a module.

    Args:
        module: the functions, in LLVM's language.
        thorough: whether LLVM takes all of its passes.
    """
    target = _shared_target(OPTIMIZE if thorough else min(OPTIMIZE, ACTIONS_OPTIMIZE))
    compiled = llvm.parse_assembly(module)
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIMIZE)
    options.slp_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    if thorough:
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
        for each in ACTIONS_PASSES:
            getattr(passes, f"add_{each}_pass")()
    passes.run(compiled, builder)
    return bytes(target.emit_object(compiled))


@cache
def _own_text() -> str:
    """How it is translated: machine code that another version of this file made is not taken for its own."""
    return Path(__file__).read_text() + Path(translation.__file__).read_text()


@cache
def _initialized() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@cache
def _shared_target(level: int) -> llvm.TargetMachine:
    """A target for all modules of a level; what loads machine code needs one of its own."""
    return _target(level)


def _target(level: int) -> llvm.TargetMachine:
    _initialized()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=level,
        reloc="static",  # else the constants of one object are looked for in another one
        codemodel="large",  # an object's parts, and what it calls of the system, may lie anywhere
        jit=True,
    )
