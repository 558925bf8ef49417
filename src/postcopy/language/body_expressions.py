"""The expressions in a body's text: what each of them stands for, and the refusal of all that is not allowed."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, EnumMeta
from types import FunctionType
from typing import Any, cast

from postcopy.errors import SpecError, UnknownNameError
from postcopy.language.body_kinds import (
    PAGES,
    FieldsOf,
    Fixed,
    Items,
    Kind,
    Member,
    Method,
    Of,
    PartOf,
    Simple,
    all_joined,
    described,
    enumerations_of,
    every_member,
    joined,
    members,
    of_constant,
    of_end,
    of_field,
)
from postcopy.language.body_names import MISSING, Names, attribute_of, checked, is_namespace
from postcopy.language.body_syntax import COMPARISONS, OPERATORS, REFUSED, refusal
from postcopy.language.channel_ends import DeclaredEnd, ObserverEnd
from postcopy.language.fields import CpuPages, Field
from postcopy.language.machines import Ghost, Machine, Monitor, Part
from postcopy.language.maps import Maps
from postcopy.language.properties import Property
from postcopy.language.python_values import library_of, plain_function
from postcopy.language.source_locations import is_machinery, place
from postcopy.language.values import Cpu
from postcopy.language.view import View
from postcopy.suggestions import did_you_mean

MOST_WORK = 100_000
"""Nodes of the syntax tree that one run of a body may evaluate, loops and helpers included."""

_LANGUAGE = frozenset(n for kind in (Machine, Ghost, Monitor) for n in dir(kind)) | {"name", "interpretation"}
"""What every machine, ghost and monitor has from the language."""


@dataclass(frozen=True)
class Named:
    """The parts of a protocol that bodies refer to by name.

    Attributes:
        parts: its machines, ghosts and the monitors of its properties.
        ghosts: those of them that an action can call: the ghosts.
        channels: the names of its channels.
        chosen: what is chosen at the start, by name: a kind for each.
    """

    parts: Mapping[str, type[Part]]
    ghosts: Mapping[str, type[Part]]
    channels: frozenset[str]
    chosen: Mapping[str, Kind]


@dataclass(frozen=True)
class Summary:
    """What a function does when it is called.

    Attributes:
        work: how many nodes of the syntax tree are evaluated at most.
        answers: the kind of its answer.
        absent: what it asks a state for by names that are none of the protocol's.
        parameters: the kinds of its parameters, by name.
    """

    work: int
    answers: Kind
    absent: frozenset[str] = frozenset()
    parameters: Mapping[str, Kind] = field(default_factory=dict)


class Calls(typing.Protocol):
    """What the expressions of a function need of the check as a whole."""

    @property
    def named(self) -> Named:
        """The parts of the protocol by name."""

    def called(self, function: FunctionType, part: type[Part] | None, where: str) -> Summary:
        """Check a function that is called, and say what it does."""


class Expressions:
    """The expressions of one function.

    Args:
        calls: checks the functions that it calls.
        function: the function.
        part: for a method, the class of the object that it is called on.
        names: the names that it can refer to.

    Attributes:
        kinds: the kinds of its variables, by name.
        work: how much it does.
        absent: what it asks a state for by names that are none of the protocol's.
    """

    def __init__(self, calls: Calls, function: FunctionType, part: type[Part] | None, names: Names) -> None:
        self._calls, self._function, self._part, self._names = calls, function, part, names
        self.kinds: dict[str, Kind] = {}
        self.work = 0
        self.absent: frozenset[str] = frozenset()
        self._times = 1
        self._checks: dict[type[ast.expr], Callable[[Any], Kind]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.BoolOp: self._either,
            ast.IfExp: self._either,
            ast.Compare: self._compared,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Subscript: self._subscript,
            ast.Tuple: self._written_down,
            ast.List: self._written_down,
            ast.GeneratorExp: self._comprehension,
            ast.ListComp: self._comprehension,
        }  # the expressions that a body may have

    # -- for statements too ----------------------------------------------------------------------------------------

    def where(self, node: ast.AST) -> str:
        """``file:line, in method`` of a node."""
        return place(self._function.__code__, getattr(node, "lineno", self._function.__code__.co_firstlineno))

    def refused(self, node: ast.AST, message: str) -> SpecError:
        """The error that refuses what stands at a node."""
        return SpecError(message, self.where(node))

    def does(self, node: ast.AST, work: int = 1) -> None:
        """Count the work of a node, as often as it is done."""
        self.work += work * self._times
        if self.work > MOST_WORK:
            raise self.refused(node, f"the action never ends: its loops and helpers take more than {MOST_WORK:,} steps")

    @contextmanager
    def repeated(self, most: int) -> Iterator[None]:
        """What is done within is done so many times."""
        before, self._times = self._times, self._times * max(most, 1)
        try:
            yield
        finally:
            self._times = before

    def bind(self, name: str, kind: Kind) -> None:
        """A variable gets a value; it is of any of the kinds that it ever has."""
        self.kinds[name] = joined(self.kinds[name], kind) if name in self.kinds else kind

    def value(self, node: ast.expr) -> Kind:
        """The kind of an expression whose value is used.

        Raises:
            SpecError: the text has something that is not allowed; the message names the line.
        """
        kind = self._used(node, self._expression(node))
        if isinstance(kind, Method):
            raise self.refused(node, f"{kind.name} without () is always true: write {kind.name}()")
        return kind

    def owner(self, node: ast.Attribute) -> Kind:
        """The kind of the object of which an attribute is assigned to."""
        return self._expression(node.value)

    def items(self, node: ast.expr) -> Items:
        """What an expression gives to a loop."""
        kind = self.value(node)
        if isinstance(kind, Items):
            return kind
        if kind is Simple.ABSENT:
            return Items(kind, 1)
        if isinstance(kind, Fixed):
            if isinstance(kind.value, type) and issubclass(kind.value, Enum):
                return Items(Member((kind.value,)), len(kind.value))
            if isinstance(kind.value, tuple):
                return Items(all_joined([of_constant(item) for item in kind.value]), len(kind.value))
        if kind == PAGES:
            raise self.refused(
                node,
                "a set of pages cannot be looped over: write whole-bitmap operators, or an action with a page "
                "parameter and a set of the pages that are done",
            )
        raise self.refused(
            node,
            f"it loops over {ast.unparse(node)}: a loop goes over a tuple, an enumeration, or a range of constants, so "
            "that it ends",
        )

    # -- expressions, by the kind of node --------------------------------------------------------------------------

    def _expression(self, node: ast.expr) -> Kind:
        self.does(node)
        check = self._checks.get(type(node))
        if check is None:
            raise self.refused(node, refusal(node))
        return check(node)

    def _constant(self, node: ast.Constant) -> Kind:
        return of_constant(node.value)

    def _either(self, node: ast.BoolOp | ast.IfExp) -> Kind:
        if isinstance(node, ast.IfExp):
            self.value(node.test)
        first, *others = node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse)
        kind = self.value(first)
        for other in others:
            kind = joined(kind, self.value(other))
        return kind

    def _unary(self, node: ast.UnaryOp) -> Kind:
        kind = self.value(node.operand)
        if isinstance(node.op, ast.UAdd):
            raise self.refused(node, refusal(node))
        if isinstance(node.op, ast.Not):
            return Simple.TRUTH
        if isinstance(kind, Fixed):
            number = isinstance(node.op, ast.USub) and type(kind.value) is int
            return Fixed(-cast(int, kind.value), ast.unparse(node)) if number else Simple.CONSTANT
        return kind

    def _binary(self, node: ast.BinOp) -> Kind:
        left, right = self.value(node.left), self.value(node.right)
        if not isinstance(node.op, OPERATORS):
            raise self.refused(node, refusal(node))
        for kind in (left, right):
            if kind in (PAGES, Simple.NUMBER):
                return kind
        return Simple.TRUTH if left == right == Simple.TRUTH else Simple.ANYTHING

    def _written_down(self, node: ast.Tuple | ast.List) -> Kind:
        kinds = [self.value(item) for item in node.elts]
        return Items(all_joined(kinds), len(kinds))

    def _compared(self, node: ast.Compare) -> Kind:
        left, before = self.value(node.left), node.left
        for operator, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            if isinstance(operator, ast.In | ast.NotIn):
                for item, kind in self._candidates(other, right):
                    self._comparable(node, (ast.unparse(before), left), (item, kind))
            else:
                self._comparable(node, (ast.unparse(before), left), (ast.unparse(other), right))
            left, before = right, other
            none = isinstance(other, ast.Constant) and other.value is None
            if isinstance(operator, ast.Is | ast.IsNot) and not none:
                raise self.refused(node, "a value of the state is never identical (is) to another: compare with ==")
            if not isinstance(operator, (*COMPARISONS, ast.Is, ast.IsNot)):
                raise self.refused(node, refusal(operator))
        return Simple.TRUTH

    def _candidates(self, node: ast.expr, kind: Kind) -> list[tuple[str, Kind]]:
        """What `in` compares with, each with its text."""
        if isinstance(node, ast.Tuple | ast.List):
            return [(ast.unparse(item), self.value(item)) for item in node.elts]
        if isinstance(kind, Fixed) and isinstance(kind.value, tuple):
            return [(str(item), of_constant(item)) for item in kind.value]
        return [(ast.unparse(node), kind.of)] if isinstance(kind, Items) else []

    def _comparable(self, node: ast.AST, left: tuple[str, Kind], right: tuple[str, Kind]) -> None:
        """Refuse to compare members of two enumerations: those of an IntEnum are equal by their numbers."""
        for (text, kind), (other_text, other) in ((left, right), (right, left)):
            enumerations, others = enumerations_of(kind), enumerations_of(other)
            if enumerations and others and not set(enumerations) & set(others):
                names = " or ".join(enumeration.__name__ for enumeration in enumerations)
                raise UnknownNameError(
                    f"{described(Member(enumerations))} is compared with {described(Member(others))} ({text} with "
                    f"{other_text}): "
                    f"compare it with a member of {names}",
                    self.where(node),
                )
            if kind is Simple.HAPPENED and any(issubclass(enumeration, int) for enumeration in others):
                raise self.refused(
                    node,
                    f"{text} may be a member of another enumeration, and equal to {other_text} by its number: ask the "
                    f"step for {other_text} (step.of(), .happened(), .sent(), .sends(), .receives())",
                )

    def _subscript(self, node: ast.Subscript) -> Kind:
        of = self.value(node.value)
        self.value(node.slice)
        if of == PAGES:
            return Simple.TRUTH
        if of == Of(CpuPages) or of is Simple.MARKS:
            return PAGES
        if isinstance(of, Items):
            return of.of
        if of in (Simple.ANYTHING, Simple.ABSENT, Simple.CARRIED) or (
            isinstance(of, Fixed) and isinstance(of.value, tuple)
        ):
            return Simple.ANYTHING
        raise self.refused(node, f"[...] cannot be asked of {described(of)}: {ast.unparse(node)}")

    def _comprehension(self, node: ast.GeneratorExp | ast.ListComp) -> Kind:
        before, most = dict(self.kinds), 1
        times = self._times
        try:
            for part in node.generators:
                if part.is_async:
                    raise self.refused(node, REFUSED[ast.AsyncFor])
                items = self.items(part.iter)
                most, self._times = most * max(items.most, 1), self._times * max(items.most, 1)
                self._loop_variable(part.target, items.of)
                for condition in part.ifs:
                    self.value(condition)
            return Items(self.value(node.elt), most)
        finally:
            self.kinds, self._times = before, times

    def _loop_variable(self, target: ast.expr, kind: Kind) -> None:
        """The variables of a comprehension hide those of the same name outside of it."""
        if isinstance(target, ast.Name):
            self.kinds[target.id] = kind
        elif isinstance(target, ast.Tuple):
            for item in target.elts:
                self._loop_variable(item, kind.of if isinstance(kind, Items) else Simple.ANYTHING)
        else:
            raise self.refused(target, refusal(target))

    # -- names and attributes --------------------------------------------------------------------------------------

    def _name(self, node: ast.Name) -> Kind:
        if node.id in self.kinds:
            return self.kinds[node.id]
        if node.id in self._names.own:
            return Simple.ANYTHING
        if node.id.startswith("__"):
            raise self.refused(node, f"{node.id} is not for specifications: a machine sees only its fields and ends")
        value = self._names.outside(node.id, self.where(node))
        return Simple.ABSENT if value is MISSING else Fixed(value, node.id)

    def _used(self, node: ast.expr, kind: Kind) -> Kind:
        """A value from outside is looked at when it is used, so that the message has its whole name."""
        return checked(kind, self.where(node)) if isinstance(kind, Fixed) else kind

    def _attribute(self, node: ast.Attribute) -> Kind:
        name = node.attr
        if _is_super(node.value):
            return self._of_base(node)
        of = self._expression(node.value)
        if isinstance(of, Fixed):
            return self._of_fixed(node, of)
        if isinstance(of, PartOf):
            return self._of_part(node, of.cls)
        if isinstance(of, FieldsOf):
            return self._of_mapped(node, of)
        if isinstance(of, Method):
            raise self.refused(node, f"{of.name} without () is always true: write {of.name}()")
        if of is Simple.ABSENT:
            return of
        if name.startswith("_"):
            raise self.refused(node, f".{name} is not for specifications: a machine sees only its fields and ends")
        if isinstance(of, Of):
            known = members(of.cls)
            if name in known:
                return known[name]
            if of.cls is View:
                return self._of_view(name)
            raise self.refused(node, f".{name} cannot be asked of {described(of)}: it has {_listed(known)}")
        if of is Simple.ANYTHING:
            return self._of_anything(node)
        raise self.refused(node, f".{name} cannot be asked of {described(of)}")

    def _of_fixed(self, node: ast.Attribute, of: Fixed) -> Kind:
        name, text = node.attr, f"{of.text}.{node.attr}"
        if library_of(of.value) is not None:  # refused under its whole name where it is used
            return Fixed(of.value, text)
        if name.startswith("__"):
            raise self.refused(node, f".{name} is not for specifications: a machine sees only its fields and ends")
        if is_namespace(of.value):
            value = attribute_of(of.value, name)
            if value is MISSING:
                members = list(of.value.__members__) if isinstance(of.value, EnumMeta) else []
                raise self.refused(node, f"{of.text} has no {name}{did_you_mean(name, members)}")
            function = plain_function(value)
            if function is not None and isinstance(of.value, type) and not is_machinery(function.__code__.co_filename):
                bound = isinstance(value, staticmethod)
                part = of.value if issubclass(of.value, Part) and not bound else None
                return Method(name, ((function, part),), unbound=not bound)
            return Fixed(value, text)
        if isinstance(of.value, Property) and name == "holds":
            return Fixed(of.value.holds, text)
        self._used(node, of)
        raise self.refused(node, f".{name} cannot be asked of a constant: {text}")

    def _of_mapped(self, node: ast.Attribute, of: FieldsOf) -> Kind:
        if node.attr not in of.fields:
            raise self.refused(node, f".{node.attr} is not mapped: Maps(...) names {', '.join(of.fields)}")
        return of_field(of.cls.fields()[node.attr])

    def _of_base(self, node: ast.Attribute) -> Kind:
        """What `super()` has under a name."""
        part = self._part
        order = part.__mro__ if part is not None else ()
        home = [cls for cls in order if any(plain_function(value) is self._function for value in vars(cls).values())]
        if part is None or not home:
            raise self.refused(node, "super() is for methods alone")
        for cls in order[order.index(home[0]) + 1 :]:
            if node.attr in vars(cls):
                return self._member(node, part, vars(cls)[node.attr])
        raise self.refused(node, f"no base of {home[0].__name__} has {node.attr}")

    def _of_part(self, node: ast.Attribute, cls: type[Part]) -> Kind:
        name = node.attr
        value = inspect.getattr_static(cls, name, MISSING)
        if value is MISSING and name not in _LANGUAGE:
            if name in self._calls.named.chosen:
                return self._calls.named.chosen[name]
            ghost = self._calls.named.ghosts.get(name)
            return PartOf(ghost) if ghost is not None else Simple.ABSENT
        return self._member(node, cls, value)

    def _member(self, node: ast.Attribute, cls: type[Part], value: object) -> Kind:
        name = node.attr
        function = plain_function(value)
        if (name in _LANGUAGE or name.startswith("__")) and (
            function is None or is_machinery(function.__code__.co_filename)
        ):
            if name == "observe" and issubclass(cls, Machine):
                return Method(name, answers=Simple.NOTHING)
            if name == "world" and issubclass(cls, Ghost):
                return Of(View)
            raise self.refused(node, f".{name} is not for specifications: a machine sees only its fields and ends")
        if isinstance(value, Field):
            return of_field(cls.fields().get(name, value))
        if isinstance(value, DeclaredEnd):
            return of_end(value)
        if isinstance(value, Maps):
            return FieldsOf(self._calls.named.parts[value.machine], value.fields)
        if isinstance(value, classmethod):
            raise self.refused(node, f"{name} is a class method: make it a plain method")
        if isinstance(value, property) and function is not None:
            return self._called(node, function, cls).answers
        if function is not None:
            return Method(name, ((function, None if isinstance(value, staticmethod) else cls),))
        return Fixed(value, ast.unparse(node))

    def _of_view(self, name: str) -> Kind:
        named = self._calls.named
        if name in named.parts:
            return PartOf(named.parts[name])
        if name in named.channels:
            return Of(ObserverEnd)
        if name in named.chosen:
            return named.chosen[name]
        self.absent |= {name}
        return Simple.ABSENT

    def _of_anything(self, node: ast.Attribute) -> Kind:
        """What some value of the protocol has under a name, where the kind of the value is not known."""
        name, named = node.attr, self._calls.named
        kinds = [every_member()[name]] if name in every_member() else []
        if name in named.parts or name in named.channels or name in named.chosen:
            kinds.append(self._of_view(name))
        kinds += [
            self._member(node, cls, value)
            for cls in named.parts.values()
            if name not in _LANGUAGE and (value := inspect.getattr_static(cls, name, MISSING)) is not MISSING
        ]
        if not kinds and self.absent:  # a field of the part that is not there
            return Simple.ABSENT
        if not kinds:
            raise self.refused(
                node, f".{name} is not part of the language: what is {ast.unparse(node.value)}? Annotate the parameter"
            )
        methods = [kind for kind in kinds if isinstance(kind, Method)]
        if methods:
            return Method(name, tuple(body for method in methods for body in method.bodies))
        kind = kinds[0]
        for other in kinds[1:]:
            kind = joined(kind, other)
        return kind

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Kind:
        if any(isinstance(argument, ast.Starred) for argument in node.args) or any(
            k.arg is None for k in node.keywords
        ):
            raise self.refused(node, REFUSED[ast.Starred])
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        callee = self._used(node.func, self._expression(node.func))
        if callee in (Simple.ANYTHING, Simple.ABSENT):  # a lambda that a helper was given
            for argument in arguments:
                self.value(argument)
            return callee
        if not isinstance(callee, Method):
            made = isinstance(callee, Fixed) and isinstance(callee.value, type)
            instead = (
                "is no function" if not made else "would make a new one: use fields, ends and members that there are"
            )
            raise self.refused(node, f"it calls {ast.unparse(node.func)}, which {instead}")
        if callee.bodies:
            return self._own_function(node, callee, arguments)
        if callee.known is cast and len(arguments) == 2 and self._is_type(arguments[0]):
            return self.value(arguments[1])
        return self._language_function(node, callee, [self.value(argument) for argument in arguments])

    def _called(self, node: ast.AST, function: FunctionType, part: type[Part] | None, times: int = 1) -> Summary:
        """A function that is called at a node."""
        summary = self._calls.called(function, part, self.where(node))
        self.does(node, summary.work * times)
        self.absent |= summary.absent
        return summary

    def _is_type(self, node: ast.expr) -> bool:
        """Whether an expression only names a type."""
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        allowed = (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.BinOp, ast.BitOr, ast.Constant, ast.Load)
        return all(isinstance(part, allowed) for part in ast.walk(node)) and not names & self._names.own

    def _own_function(self, node: ast.Call, callee: Method, arguments: list[ast.expr]) -> Kind:
        lambdas, kinds = 0, []
        for argument in arguments:
            if isinstance(argument, ast.Lambda):
                lambdas += self._lambda(argument)
            else:
                kinds.append(self.value(argument))
        answer: Kind | None = None
        for function, cls in callee.bodies:
            part = cls
            if callee.unbound and cls is not None and kinds and isinstance(kinds[0], PartOf):
                part = kinds[0].cls  # Base.method(self)
            summary = self._called(node, function, part, 1 + lambdas)
            self._check_arguments(node, summary, bound=cls is not None and not callee.unbound)
            answer = summary.answers if answer is None else joined(answer, summary.answers)
        return Simple.ANYTHING if answer is None else answer

    def _check_arguments(self, node: ast.Call, summary: Summary, *, bound: bool) -> None:
        """Refuse a member of another enumeration than a parameter is annotated with."""
        names = list(summary.parameters)[bound:]
        given = [*zip(names, node.args, strict=False), *((k.arg, k.value) for k in node.keywords)]
        for name, argument in given:
            wanted = enumerations_of(summary.parameters.get(name or "", Simple.ANYTHING))
            got = () if isinstance(argument, ast.Lambda) else enumerations_of(self.value(argument))
            if wanted and got and not set(wanted) & set(got):
                raise self.refused(
                    argument,
                    f"{name} is {described(Member(wanted))}, and {ast.unparse(argument)} {described(Member(got))}: "
                    f"give it a member of {' or '.join(enumeration.__name__ for enumeration in wanted)}",
                )

    def _lambda(self, node: ast.Lambda) -> int:
        """Check a lambda that is given to a helper, and say how much it does."""
        parameters = node.args
        if parameters.vararg or parameters.kwarg or parameters.defaults or parameters.kw_defaults:
            raise self.refused(node, "it has a lambda with defaults or * parameters: write out what is meant")
        own = self._names.own | {parameter.arg for parameter in parameters.args}
        for part in ast.walk(node.body):
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in own:
                raise self.refused(node, "its lambda calls another lambda: write a method")
        before, start = dict(self.kinds), self.work
        for parameter in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs):
            self.kinds[parameter.arg] = Simple.ANYTHING
        self.value(node.body)
        self.kinds = before
        return (self.work - start) // self._times

    def _language_function(self, node: ast.Call, callee: Method, kinds: list[Kind]) -> Kind:
        known = callee.known
        if known is super:
            raise self.refused(node, "super() is used as super().method(...)")
        if known is range:
            return self._range(node, kinds)
        if known in (all, any):
            for argument in node.args:
                self.items(argument)
        if known is Cpu and not all(kind is Simple.CONSTANT or isinstance(kind, Fixed) for kind in kinds):
            raise self.refused(node, f"{ast.unparse(node)}: the number of a vCPU is a constant")
        return callee.answers

    def _range(self, node: ast.Call, kinds: list[Kind]) -> Kind:
        numbers = [kind.value for kind in kinds if isinstance(kind, Fixed) and type(kind.value) is int]
        if len(numbers) != len(kinds) or not 1 <= len(numbers) <= 3 or 0 in numbers[2:]:
            raise self.refused(node, f"{ast.unparse(node)}: the limits of a range are constants, so that the loop ends")
        most = range(*numbers)[: MOST_WORK + 1]  # the whole range may have more items than Python can count
        return Items(Simple.CONSTANT, len(most))


def _is_super(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and not node.args
        and not node.keywords
    )


def _listed(known: Mapping[str, Kind]) -> str:
    return ", ".join(f"{name}()" if isinstance(kind, Method) else name for name, kind in sorted(known.items()))
