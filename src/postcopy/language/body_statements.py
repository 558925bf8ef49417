"""The statements in a function's text, and its parameters and decorators: the check of one function."""

from __future__ import annotations

import ast
from itertools import zip_longest
from types import FunctionType

from postcopy.language.body_expressions import Calls, Expressions, Summary
from postcopy.language.body_kinds import (
    PAGES,
    FieldsOf,
    Fixed,
    Items,
    Kind,
    Of,
    PartOf,
    Simple,
    joined,
    of_annotation,
)
from postcopy.language.body_names import MISSING, Names, attribute_of, checked, is_namespace
from postcopy.language.body_syntax import OPERATORS, REFUSED, STATEMENTS, refusal
from postcopy.language.fields import CpuPages
from postcopy.language.function_text import text_of
from postcopy.language.machines import Part
from postcopy.language.source_locations import is_machinery

_DECORATORS = (property, staticmethod)
"""Python's decorators that a function may have beside those of the language."""


def check_text(calls: Calls, function: FunctionType, part: type[Part] | None, first: Kind | None = None) -> Summary:
    """Check the text of one function.

    Args:
        calls: checks the functions that it calls.
        function: the function.
        part: for a method, the class of the object that it is called on.
        first: the kind of its first argument (beside the object of a method), where it is known.

    Raises:
        SpecError: it has something that is not allowed; the message names the line.
    """
    text = text_of(function)
    names = Names(function, text)
    expressions = Expressions(calls, function, part, names)
    node = text.node
    if isinstance(node, ast.AsyncFunctionDef):
        raise expressions.refused(node, REFUSED[ast.Await])
    _check_parameters(expressions, function, node, names)
    given = [first] if part is None else [PartOf(part), first]
    for parameter, known in zip_longest(_parameters(node), given):
        if parameter is not None:
            expressions.kinds[parameter.arg] = known or _annotated(parameter, names, expressions)
    parameters = dict(expressions.kinds)
    if isinstance(node, ast.Lambda):
        return Summary(0, expressions.value(node.body), expressions.absent, parameters)
    statements = _Statements(expressions)
    statements.all(node.body)
    answers = Simple.NOTHING if statements.answers is None else statements.answers
    return Summary(expressions.work, answers, expressions.absent, parameters)


def _parameters(node: ast.FunctionDef | ast.Lambda) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _check_parameters(
    expressions: Expressions, function: FunctionType, node: ast.FunctionDef | ast.Lambda, names: Names
) -> None:
    if node.args.vararg is not None or node.args.kwarg is not None:
        raise expressions.refused(node, "it has * parameters: name them one by one")
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        checked(Fixed(value, "a default value"), expressions.where(node))
    for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        value = _static(named, names, expressions)
        own = not (isinstance(value, FunctionType) and is_machinery(value.__code__.co_filename))
        if own and not any(value is known for known in (*_DECORATORS, MISSING)):
            raise expressions.refused(
                decorator, f"it has a decorator that is not the language's, @{ast.unparse(named)}: leave it out"
            )


def _annotated(parameter: ast.arg, names: Names, expressions: Expressions) -> Kind:
    annotation = parameter.annotation
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return of_annotation(_static(annotation, names, expressions)) if annotation is not None else Simple.ANYTHING


def _static(node: ast.expr, names: Names, expressions: Expressions) -> object:
    """The value of a name, or of an attribute of a module or class, that stands in a declaration."""
    if isinstance(node, ast.Name):
        return names.outside(node.id, expressions.where(node))
    if isinstance(node, ast.Attribute):
        of = _static(node.value, names, expressions)
        return attribute_of(of, node.attr) if is_namespace(of) else MISSING
    return MISSING


class _Statements:
    """The statements of one function.

    Attributes:
        answers: the kind of what it returns; None where it returns nothing.
    """

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self.answers: Kind | None = None

    def all(self, nodes: list[ast.stmt]) -> None:
        """Check some statements, one after the other."""
        for node in nodes:
            self._one(node)

    def _one(self, node: ast.stmt) -> None:
        expressions = self._expressions
        if not isinstance(node, STATEMENTS):
            raise expressions.refused(node, refusal(node))
        expressions.does(node)
        match node:
            case ast.Expr():
                self._alone(node.value)
            case ast.Assign():
                kind = expressions.value(node.value)
                for target in node.targets:
                    self._assign(target, kind)
            case ast.AnnAssign() if node.value is not None:
                self._assign(node.target, expressions.value(node.value))
            case ast.AugAssign():
                if not isinstance(node.op, OPERATORS):
                    raise expressions.refused(node, refusal(node))
                kind = expressions.value(node.value)
                self._assign(node.target, kind if kind in (PAGES, Simple.NUMBER) else Simple.ANYTHING)
            case ast.If():
                expressions.value(node.test)
                self.all(node.body)
                self.all(node.orelse)
            case ast.For():
                self._loop(node)
            case ast.Return() if node.value is not None:
                kind = expressions.value(node.value)
                self.answers = kind if self.answers is None else joined(self.answers, kind)

    def _alone(self, node: ast.expr) -> None:
        """A docstring or a call; another expression that stands by itself was meant to do something."""
        if isinstance(node, ast.Constant):
            return
        self._expressions.value(node)
        if not isinstance(node, ast.Call):
            raise self._expressions.refused(
                node, f"{ast.unparse(node)} does nothing here: a guard is require(...), a change is an assignment"
            )

    def _loop(self, node: ast.For) -> None:
        expressions = self._expressions
        if node.orelse:
            raise expressions.refused(node, "its loop has an else: write if after it")
        items = expressions.items(node.iter)
        work = expressions.work
        self._assign(node.target, items.of)
        with expressions.repeated(items.most):
            self.all(node.body)
            expressions.work = work  # once more: variables may have got other kinds further down
            self.all(node.body)

    def _assign(self, target: ast.expr, kind: Kind) -> None:
        expressions = self._expressions
        match target:
            case ast.Name():
                expressions.bind(target.id, kind)
            case ast.Tuple() | ast.List():
                for item in target.elts:
                    self._assign(item, kind.of if isinstance(kind, Items) else Simple.ANYTHING)
            case ast.Attribute():
                self._assign_attribute(target)
            case ast.Subscript():
                of = expressions.value(target.value)
                expressions.value(target.slice)
                if of not in (PAGES, Of(CpuPages), Simple.ABSENT):  # a set of pages says itself what to write
                    raise expressions.refused(
                        target, f"{ast.unparse(target)} = ...: only the set of one vCPU is assigned to in this way"
                    )
            case _:
                raise expressions.refused(target, refusal(target))

    def _assign_attribute(self, target: ast.Attribute) -> None:
        expressions = self._expressions
        of = expressions.owner(target)
        if isinstance(of, Fixed):
            raise expressions.refused(
                target,
                f"it changes an attribute of {of.text}: an action changes nothing but its own state",
            )
        if not isinstance(of, PartOf | FieldsOf) and of not in (Simple.ANYTHING, Simple.ABSENT):
            raise expressions.refused(
                target, f"{ast.unparse(target)} = ...: an action assigns to its fields and variables"
            )
