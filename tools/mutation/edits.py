"""Small edits of a class or function, on its syntax tree: the mistakes that one makes in a protocol.

`edits` changes a tree in place, yields a description of the change, and takes it back. So a caller unparses the tree
while it is changed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import pairwise


class Kind(StrEnum):
    """The kinds of edits."""

    DROPS = "drops a statement"
    SWAPS = "swaps two statements"
    REPEATS = "does a statement twice"
    BRANCH = "takes one branch always"
    NEGATES = "negates a condition"
    PART = "drops a part of a condition"
    JOINS = "joins conditions the other way"
    COMPARES = "compares otherwise"
    MEMBER = "names another member of an enumeration"
    FIELD = "names another field"
    CHANNEL = "names another channel"
    SETS = "computes another set"
    VALUE = "sets another value"
    ACTION = "declares an action otherwise"
    ANSWER = "answers that all is well"


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        kind: its kind: one of `Kind`, or of `wider.Wider`.
        line: the line of the original text.
        was, now: the text that was changed, before and after.
    """

    kind: StrEnum
    line: int
    was: str
    now: str

    @property
    def independent(self) -> bool:
        """It swaps two assignments to different fields of `self`, and neither reads what the other assigns."""
        if self.kind is not Kind.SWAPS:
            return False
        fields = [_fields(text) for text in (self.was, self.now.removeprefix("behind "))]
        if None in fields:
            return False
        (one, read_by_one), (two, read_by_two) = (f for f in fields if f is not None)
        return one != two and one not in read_by_two and two not in read_by_one


def _fields(statement: str) -> tuple[str, set[str]] | None:
    """The field of `self` that a statement assigns, and those that it reads; None if it is no such assignment."""
    try:
        [node] = ast.parse(statement).body
    except SyntaxError:  # the first line of a longer statement
        return None
    match node:
        case ast.Assign([ast.Attribute(ast.Name("self"), field)], value):
            return field, _read(value)
        case ast.AugAssign(ast.Attribute(ast.Name("self"), field), _, value):
            return field, {field, *_read(value)}
        case _:
            return None


def _read(expr: ast.expr) -> set[str]:
    return {
        node.attr
        for node in ast.walk(expr)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }


@dataclass(frozen=True)
class Vocabulary:
    """What the edits put in the place of a name.

    Attributes:
        enums: enumerations by name: a member is replaced by its neighbours.
        alike: groups of attributes of `self` that hold values of the same kind.
        channels: attributes that are channels.
    """

    enums: Mapping[str, type[Enum]]
    alike: Sequence[Sequence[str]] = ()
    channels: Sequence[str] = ()


OTHER_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq, ast.GtE, ast.LtE),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
}
ORDERED = frozenset(("Phase", "State"))
"""Enumerations whose members can be compared by `<`."""


def edits(tree: ast.AST, words: Vocabulary, kinds: frozenset[Kind] = frozenset(Kind)) -> Iterator[Edit]:
    """Change the tree in each way, one at a time; each change is taken back before the next."""
    for node in list(ast.walk(tree)):
        for name, value in list(ast.iter_fields(node)):
            if name in ("body", "orelse") and isinstance(value, list):
                yield from _of_statements(value, kinds, in_class=isinstance(node, ast.ClassDef))
            elif isinstance(value, ast.expr):
                yield from _of_slot(value, _setter(node, name), words, kinds)
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, ast.expr) and not _is_decorator(node, name):
                        yield from _of_slot(item, _place(value, index), words, kinds)
        if isinstance(node, ast.AugAssign) and Kind.SETS in kinds:
            yield from _of_update(node)
        if isinstance(node, ast.FunctionDef) and Kind.ACTION in kinds:
            yield from _of_action(node)
        if isinstance(node, ast.FunctionDef) and Kind.ANSWER in kinds:
            yield from _of_answers(node)


def _setter(node: ast.AST, name: str) -> Callable[[ast.AST], None]:
    return lambda new: setattr(node, name, new)


def _place(items: list[ast.AST], index: int) -> Callable[[ast.AST], None]:
    def put(new: ast.AST) -> None:
        items[index] = new

    return put


def _is_decorator(node: ast.AST, name: str) -> bool:
    return name == "decorator_list" or (name == "bases" and isinstance(node, ast.ClassDef))


# -- statements ------------------------------------------------------------------------------------------------------


def is_docstring(statement: ast.AST) -> bool:
    """Whether a statement is a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _of_statements(body: list[ast.stmt], kinds: frozenset[Kind], in_class: bool) -> Iterator[Edit]:
    original = list(body)
    if in_class:
        return
    for index, statement in enumerate(original):
        if isinstance(statement, ast.If) and Kind.BRANCH in kinds:
            for now, chosen in (("if True", statement.body), ("if False", statement.orelse or [ast.Pass()])):
                body[index : index + 1] = chosen
                yield Edit(Kind.BRANCH, statement.lineno, f"if {ast.unparse(statement.test)}", now)
                body[:] = original
        simple = isinstance(statement, (ast.Expr, ast.Assign, ast.AugAssign)) and not is_docstring(statement)
        if not simple or (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            continue
        if Kind.DROPS in kinds:
            body[index] = ast.Pass()
            yield Edit(Kind.DROPS, statement.lineno, ast.unparse(statement), "")
            body[:] = original
        if Kind.REPEATS in kinds and ".send(" in ast.unparse(statement):
            body.insert(index, statement)
            yield Edit(Kind.REPEATS, statement.lineno, ast.unparse(statement), "twice")
            body[:] = original
    if Kind.SWAPS in kinds:
        for index, (one, two) in enumerate(pairwise(original)):
            if not is_docstring(one) and not isinstance(two, ast.Return) and not _guards(one, two):
                body[index : index + 2] = [two, one]
                yield Edit(Kind.SWAPS, one.lineno, _first(one), f"behind {_first(two)}")
                body[:] = original


def _guards(*statements: ast.stmt) -> bool:
    """Whether all are guards: their order changes nothing."""
    return all(map(is_guard, statements))


def is_guard(statement: ast.AST) -> bool:
    """Whether a statement is a guard."""
    return ast.unparse(statement).startswith(("require(", "self._ready_to_"))


def _first(statement: ast.stmt) -> str:
    return ast.unparse(statement).splitlines()[0]


def _of_update(node: ast.AugAssign) -> Iterator[Edit]:
    was, operator = ast.unparse(node), node.op
    for other in (ast.BitOr(), ast.Sub(), ast.BitAnd()):
        if type(other) is not type(operator):
            node.op = other
            yield Edit(Kind.SETS, node.lineno, was, ast.unparse(node))
            node.op = operator


def _of_action(node: ast.FunctionDef) -> Iterator[Edit]:
    """Drop a keyword of `@action`, or make the action one that need never be taken."""
    for call in node.decorator_list:
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "action"):
            continue
        was = list(call.keywords)
        for keyword in was:
            if keyword.arg in ("environment", "fair"):
                call.keywords = [k for k in was if k is not keyword]
                yield Edit(Kind.ACTION, node.lineno, f"{keyword.arg}=True", "")
        if not any(keyword.arg in ("environment", "fair") for keyword in was):
            call.keywords = [*was, ast.keyword("environment", ast.Constant(True))]
            yield Edit(Kind.ACTION, node.lineno, f"def {node.name}", "environment=True")
        call.keywords = was
        body, never = node.body, ast.parse("require(False)").body
        node.body = [*body[:1], *never, *body[1:]]
        yield Edit(Kind.ACTION, node.lineno, f"def {node.name}", "is never taken")
        node.body = body


def _of_answers(node: ast.FunctionDef) -> Iterator[Edit]:
    """Answer True in the place of each other answer, or in the place of a promise one that is never made."""
    for each in ast.walk(node):
        if isinstance(each, ast.Return) and each.value is not None and ast.unparse(each.value) != "True":
            was = each.value
            promise = isinstance(was, ast.Call) and ast.unparse(was.func) == "LeadsTo"
            well = "LeadsTo(when=False, then=True)" if promise else "True"
            each.value = ast.parse(well, mode="eval").body
            yield Edit(Kind.ANSWER, each.lineno, f"return {ast.unparse(was)}", f"return {well}")
            each.value = was


# -- expressions -----------------------------------------------------------------------------------------------------


def _of_slot(
    expr: ast.expr, put: Callable[[ast.AST], None], words: Vocabulary, kinds: frozenset[Kind]
) -> Iterator[Edit]:
    for kind, other in _others(expr, words):
        if kind in kinds:
            put(other)
            yield Edit(kind, expr.lineno, ast.unparse(expr), ast.unparse(other))
            put(expr)


def _others(expr: ast.expr, words: Vocabulary) -> Iterator[tuple[Kind, ast.expr]]:
    match expr:
        case ast.BoolOp() | ast.Compare() | ast.Call() | ast.UnaryOp(ast.Not()):
            yield from _other_conditions(expr)
        case ast.BinOp() | ast.UnaryOp(ast.Invert()):
            yield from _other_sets(expr)
        case ast.Constant(bool() as value):
            yield Kind.VALUE, ast.Constant(not value)
        case ast.Name("NONE" | "ALL" as name):
            yield Kind.VALUE, ast.Name("ALL" if name == "NONE" else "NONE")
        case ast.Name("EITHER"):
            yield Kind.VALUE, ast.Constant(True)
            yield Kind.VALUE, ast.Constant(False)
        case ast.Attribute(value, "host_pages"):
            yield Kind.SETS, value
        case ast.Attribute():
            yield from _other_names(expr, words)
        case _:
            pass


def _other_conditions(expr: ast.expr) -> Iterator[tuple[Kind, ast.expr]]:
    match expr:
        case ast.BoolOp(op, values):
            for index in range(len(values)):
                left = [*values[:index], *values[index + 1 :]]
                yield Kind.PART, left[0] if len(left) == 1 else ast.BoolOp(op, left)
            yield Kind.JOINS, ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.Compare(one, [op], two):
            for other in OTHER_COMPARISONS.get(type(op), ()):
                if other in (ast.Eq, ast.NotEq) or ast.unparse(two[0]).split(".")[0] in ORDERED:
                    yield Kind.COMPARES, ast.Compare(one, [other()], two)
        case ast.UnaryOp(ast.Not(), operand):
            yield Kind.NEGATES, operand
        case ast.Call(ast.Name("require"), [condition]) if not isinstance(condition, (ast.UnaryOp, ast.Compare)):
            yield Kind.NEGATES, ast.Call(ast.Name("require"), [ast.UnaryOp(ast.Not(), condition)], [])
        case _:
            pass


def _other_sets(expr: ast.expr) -> Iterator[tuple[Kind, ast.expr]]:
    match expr:
        case ast.BinOp(left, op, right) if isinstance(op, (ast.BitOr, ast.BitAnd, ast.Sub)):
            yield Kind.SETS, left
            if not isinstance(op, ast.Sub):
                yield Kind.SETS, right
            for another in (ast.BitOr, ast.BitAnd, ast.Sub):
                if not isinstance(op, another):
                    yield Kind.SETS, ast.BinOp(left, another(), right)
        case ast.UnaryOp(ast.Invert(), operand):
            yield Kind.SETS, operand
        case _:
            pass


def _other_names(expr: ast.Attribute, words: Vocabulary) -> Iterator[tuple[Kind, ast.expr]]:
    base, name = ast.unparse(expr.value), expr.attr
    if base in words.enums and name in words.enums[base].__members__:
        names = list(words.enums[base].__members__)
        at = names.index(name)
        for other in (at - 1, at + 1):
            if 0 <= other < len(names):
                yield Kind.MEMBER, ast.Attribute(expr.value, names[other])
    if base == "self":
        for group in words.alike:
            if name in group:
                yield Kind.FIELD, ast.Attribute(expr.value, group[(list(group).index(name) + 1) % len(group)], expr.ctx)
        if name in words.channels:
            other_channel = words.channels[(list(words.channels).index(name) + 1) % len(words.channels)]
            yield Kind.CHANNEL, ast.Attribute(expr.value, other_channel, expr.ctx)
