"""Which file of a package imports which: read from the text with `ast`, nothing is executed.

An import counts wherever it stands: at the top of a file, inside a function, under `if TYPE_CHECKING`, and in a string
that Python will run or look up:

- `importlib.import_module("postcopy.explorer")`, or any other string that is the whole name of a module;
- `python -m postcopy.engine.guest`: the module after a `-m` in a list of arguments;
- `python -c "from postcopy..."`, and generated code: a line of a string that is an import statement.

Docstrings and comments do not count. A module name that is put together at run time is not found.

Importing `a.b.c` also runs `a/__init__.py` and `a/b/__init__.py`. Such an import counts if that file imports something
itself while it runs, not only in its functions or for types, and belongs to another room than the importing file. A
room's own `__init__.py` is its door: it may import what stands behind it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, order=True)
class Import:
    """An import of one file by another.

    Attributes:
        file: the importing file, relative to the package.
        line: where the import stands.
        imported: the imported file, relative to the package.
    """

    file: str
    line: int
    imported: str


def room(file: str) -> str:
    """The room of a file: its folder; a file at the top of the package is a room of its own, named without `.py`."""
    path = PurePosixPath(file)
    return path.stem if path.parent == PurePosixPath(".") else str(path.parent)


def read_package(package: Path) -> list[Import]:
    """All imports between the files of the package in this folder, sorted.

    Raises:
        SyntaxError: a file is not Python.
    """
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    text = {file: (package / file).read_text(encoding="utf-8") for file in files}
    return read_texts(package.name, text)


def read_texts(package: str, texts: Mapping[str, str]) -> list[Import]:
    """All imports between the files of a package whose texts are given by their paths, sorted."""
    modules = {_module(package, file): file for file in texts}
    named = {
        Import(file, line, modules[module])
        for file, text in texts.items()
        for line, module in _imported_modules(package, file, ast.parse(text, file), modules.get)
        if modules[module] != file
    }
    importing = {
        file
        for file, text in texts.items()
        for _ in _imported_modules(package, file, _what_runs(ast.parse(text, file)), modules.get)
    }
    run_too = {
        Import(each.file, each.line, door)
        for each in named
        for door in _doors(each.imported, set(texts))
        if door in importing and room(door) != room(each.file)
    }
    return sorted(named | run_too)


def _module(package: str, file: str) -> str:
    parts = PurePosixPath(file).with_suffix("").parts
    return ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _doors(file: str, files: Collection[str]) -> Iterator[str]:
    """The `__init__.py` of the packages that a file stands in."""
    for folder in PurePosixPath(file).parents:
        door = (folder / "__init__.py").as_posix()
        if door in files and door != file:
            yield door


def _imported_modules(
    package: str, file: str, tree: ast.Module, find: Callable[[str], str | None]
) -> Iterator[tuple[int, str]]:
    """The lines and names of the package's modules that a file imports."""
    strings_without_effect = _docstrings(tree) | _what_classes_are_named_by(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names if find(name.name))
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _absolute(_module(package, file), file.endswith("__init__.py"), level, module)
                for name in names:
                    member = f"{base}.{name.name}"
                    yield from ((node.lineno, found) for found in (member if find(member) else base,) if find(found))
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Call(args=elements):
                yield from ((line, name) for line, name in _run_with_m(elements, find))
            case ast.Constant(value=str(text)) if node not in strings_without_effect:
                yield from _named_in(text, node.lineno, package, find)
            case _:
                pass  # nothing else imports


def _absolute(importing: str, is_package: bool, level: int, module: str | None) -> str:
    """The module that `from ..module import` means."""
    if not level:
        return module or ""
    parts = importing.split(".")
    kept = parts[: len(parts) - level + is_package]
    return ".".join((*kept, *([module] if module else ())))


def _what_runs(tree: ast.Module) -> ast.Module:
    """The statements that may import something when the file is imported: not in functions, not for types."""
    return ast.Module(body=list(_running(tree)), type_ignores=[])


def _running(inside: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.iter_child_nodes(inside):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pass  # it runs when it is called, or never
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.Expr() | ast.Assign() | ast.AnnAssign():
                if any(isinstance(part, ast.Call) for part in ast.walk(node)):
                    yield node
            case _:
                yield from _running(node)


def _docstrings(tree: ast.Module) -> set[ast.expr]:
    """Strings that stand alone as a statement: nothing runs them."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _what_classes_are_named_by(tree: ast.Module) -> set[ast.expr]:
    """The module that a class says it is in, so that users see where to import it from: that imports nothing."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "__module__" for target in node.targets)
    }


def _run_with_m(elements: list[ast.expr], find: Callable[[str], str | None]) -> Iterator[tuple[int, str]]:
    """A package that is run with `python -m`: its `__main__`. (A module is found as a string that is its name.)"""
    for option, run in pairwise(elements):
        match option, run:
            case ast.Constant(value="-m"), ast.Constant(value=str(name)) if find(f"{name}.__main__"):
                yield run.lineno, f"{name}.__main__"
            case _:
                pass  # not the two arguments of interest


def _named_in(text: str, line: int, package: str, find: Callable[[str], str | None]) -> Iterator[tuple[int, str]]:
    """Modules that a string names: it is the whole name of one, or has lines that are import statements."""
    if text != package and find(text):
        yield line, text
    for base, names in re.findall(rf"(?:^|;)\s*from\s+({package}[\w.]*)\s+import\s+([\w, ]+)", text, re.MULTILINE):
        members = [f"{base}.{name.split(' as ')[0].strip()}" for name in names.split(",")]
        yield from ((line, found) for member in members for found in (member if find(member) else base,) if find(found))
    for name in re.findall(rf"(?:^|;)\s*import\s+({package}[\w.]*)", text, re.MULTILINE):
        if find(name):
            yield line, name
