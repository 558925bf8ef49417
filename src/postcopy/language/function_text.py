"""The text of a function as a syntax tree. It is found through `linecache`, as Python finds the lines of a traceback.

A tree is given only where the text, when it is compiled, has the instructions that the function runs.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType

from postcopy.errors import SpecError
from postcopy.language.source_locations import place

FILES_KEPT = 256
"""Syntax trees of so many files are remembered."""


@dataclass(frozen=True)
class FunctionText:
    """The text of a function.

    Attributes:
        node: its syntax tree.
        changed: names that some function of the same file declares `global` or `nonlocal`, and so may change.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    changed: frozenset[str]


@dataclass(frozen=True, eq=False)
class _File:
    nodes: dict[tuple[int, str], list[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]]
    codes: dict[tuple[int, str], list[CodeType]]
    changed: frozenset[str]


def text_of(function: FunctionType) -> FunctionText:
    """The syntax tree of a function.

    Raises:
        SpecError: its text is not there, or is not what the function was made of.
    """
    code = function.__code__
    found = _found(function)
    if found is None:
        linecache.checkcache(code.co_filename)  # the file has perhaps been written anew
        found = _found(function)
    if found is None:
        raise SpecError(
            f"the text of {code.co_name} is not to be found, so it cannot be checked: write it in a file, and load the "
            "file again if it has changed",
            place(code, code.co_firstlineno),
        )
    return found


def _found(function: FunctionType) -> FunctionText | None:
    code = function.__code__
    try:
        file = _read(code.co_filename, "".join(linecache.getlines(code.co_filename, function.__globals__)))
    except (SyntaxError, ValueError):
        return None
    key = (code.co_firstlineno, code.co_name)
    if not any(_same(code, other) for other in file.codes.get(key, ())):
        return None
    nodes = file.nodes.get(key, [])
    if len(nodes) > 1:  # several lambdas on one line
        nodes = [node for node in nodes if _within(code, node)]
    return FunctionText(nodes[0], file.changed) if len(nodes) == 1 else None


@lru_cache(maxsize=FILES_KEPT)
def _read(name: str, text: str) -> _File:
    tree = ast.parse(text)
    nodes: dict[tuple[int, str], list[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]] = {}
    changed: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min((node.lineno, *(decorator.lineno for decorator in node.decorator_list)))
            nodes.setdefault((first, node.name), []).append(node)
        elif isinstance(node, ast.Lambda):
            nodes.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            changed.update(node.names)
    codes: dict[tuple[int, str], list[CodeType]] = {}
    for code in _codes(compile(text, name, "exec", dont_inherit=True)):
        codes.setdefault((code.co_firstlineno, code.co_name), []).append(code)
    return _File(nodes, codes, frozenset(changed))


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _same(a: CodeType, b: CodeType) -> bool:
    """Whether two codes do the same with the same names and constants, wherever they stand."""
    names = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_kwonlyargcount")
    if any(getattr(a, name) != getattr(b, name) for name in names) or len(a.co_consts) != len(b.co_consts):
        return False
    for one, other in zip(a.co_consts, b.co_consts, strict=True):
        if isinstance(one, CodeType) and isinstance(other, CodeType):
            if not _same(one, other):
                return False
        elif type(one) is not type(other) or one != other:
            return False
    return True


def _within(code: CodeType, node: ast.AST) -> bool:
    """Whether all instructions of a code, but for its entry, stand between the columns of a node."""
    start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0)
    columns = [(first, last) for _, _, first, last in code.co_positions() if first is not None and last]
    return bool(columns) and all(start < first and last <= end for first, last in columns)
