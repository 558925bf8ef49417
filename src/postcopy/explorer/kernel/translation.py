"""From a kernel's text to LLVM's language.

The text is Python of the plainest kind: whole numbers modulo 2 to the 64th, in which a truth value counts 0 or 1;
arrays, loops over ranges, calls of functions that stand above. Nothing in it has a sign: a shift to the right shifts
zeros in and comparisons are of unsigned numbers, as in Python, whose words are never negative.

Some things are beyond Python's own words, and have a meaning there too. `room` gives an array that the function has to
itself, and `numbers` one of constants; `hold(frame, k, array)` puts an array into another one, in two places, and
`held(frame, k)` is what was put there. In a loop over `lanes` each pass is independent of the others, so that eight of
them are done at once. There `passes[row, i]` is a bit of one row for each pass; elsewhere `passes` has words of 64 such
bits, two a row, of which `lowest` and `ones` give the number of the lowest one and how many there are.

LLVM's language is written as text, each value under a name of its own: a variable is the last value that it was given,
and where two ways meet, the value of either. To build LLVM's objects with llvmlite takes four times as long.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import llvmlite.binding as llvm

COMMON = "common"
"""How the names of functions begin that actions call."""

OUT_OF_LINE = ("action", "key", COMMON)
"""How the names of functions begin that stay functions of their own. Each is called once for a block of states, so LLVM
would put all of them into one function, and its time grows faster than a function does."""

ARRAYS = {
    "states": ("i64", True),
    "out": ("i64", True),
    "origin": ("i32", False),
    "label": ("i64", False),
    "fired": ("i64", False),
    "moved": ("i64", False),
    "passes": ("i64", False),
    "lists": ("i32", False),
    "items": ("i32", False),
    "picks": ("i64", False),
    "found": ("i64", False),
    "frame": ("i64", False),
    "table": ("i64", False),
}
"""Parameters that are arrays: their elements, and whether they have columns and so a length of a row beside them."""

_COMPARISONS: Mapping[type, str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "ult", ast.LtE: "ule", ast.Gt: "ugt", ast.GtE: "uge",
}  # fmt: skip
_OPERATIONS: Mapping[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.LShift: "shl", ast.RShift: "lshr", ast.And: "and", ast.Or: "or",
}  # fmt: skip
ROW = 128
"""Bits of a row of `passes`: the states of a block (`calling_convention.BLOCK`)."""

LANES = 8
"""How many passes of a loop over `lanes` are done at once."""

_NUMBERS, _TRUTHS = f"<{LANES} x i64>", f"<{LANES} x i1>"

_BUILT_IN = {"lowest": "i64 @llvm.cttz.i64(i64 {}, i1 true)", "ones": "i64 @llvm.ctpop.i64(i64 {})"}
_DECLARED = ("declare i64 @llvm.cttz.i64(i64, i1)", "declare i64 @llvm.ctpop.i64(i64)")

_WORD = (1 << 64) - 1

_FOLDED: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__, ast.BitAnd: int.__and__, ast.BitOr: int.__or__,
    ast.BitXor: int.__xor__, ast.LShift: int.__lshift__, ast.RShift: int.__rshift__,
}  # fmt: skip
_NOTHING_BY_ZERO = (ast.Add, ast.Sub, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)
"""Operations that leave the number on the left as it is where that on the right is 0."""

_OF_TRUTHS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.And, ast.Or)


class Value(NamedTuple):
    """A value: its text, and its type: ``i64`` or ``i1``, or several of one of them."""

    text: str
    type: str = "i64"


class Signature(NamedTuple):
    """A function as its callers know it: its symbol, the types of what it takes, and of what it gives."""

    symbol: str
    takes: tuple[str, ...]
    gives: str


class _Loop(NamedTuple):
    """A loop under translation.

    Attributes:
        before: the block before it.
        head: the block to which it comes back.
        carried: for each variable that it changes, its name in `head`, and the value that it had before.
        place: where in the function's lines it is said where these values come from.
    """

    before: str
    head: str
    carried: Mapping[str, tuple[str, Value]]
    place: int


def translate(
    text: str, names: Sequence[str], apart: Mapping[str, str] | None = None, symbol: str | None = None
) -> str:
    """The text as a module in LLVM's language.

    Args:
        text: what to translate.
        names: the functions that are called from outside.
        apart: the functions that stand in object files of their own, and their symbols there.
        symbol: what the only function of a text is called in its object file, if not by its name.

    Raises:
        SyntaxError, KeyError: it is not of the kind described above.
    """
    known: dict[str, Signature] = {}
    module = [f'target triple = "{llvm.get_default_triple()}"', *_DECLARED]
    declared = set()
    for definition in ast.parse(text).body:
        assert isinstance(definition, ast.FunctionDef)
        elsewhere = (apart or {}).get(definition.name)
        own = _signature(definition, elsewhere or symbol or definition.name)
        if elsewhere is None:
            module += _Function(known, definition, own, internal=definition.name not in names).lines
        elif elsewhere not in declared:  # two functions of one text are one
            declared.add(elsewhere)
            module.append(f"declare {own.gives} @{elsewhere}({', '.join(own.takes)}) nounwind")
        known[definition.name] = own
    return "\n".join(module) + "\n"


def _pointer(element: str) -> str:
    return "ptr" if llvm.llvm_version_info[0] > 16 else f"{element}*"


def _signature(definition: ast.FunctionDef, symbol: str) -> Signature:
    takes: list[str] = []
    for argument in definition.args.args:
        element, columns = ARRAYS.get(argument.arg, ("", False))
        takes += [_pointer(element) if element else "i64"] + ["i64"] * columns
    return Signature(symbol, tuple(takes), _result(definition))


def _result(definition: ast.FunctionDef) -> str:
    for node in ast.walk(definition):
        if isinstance(node, ast.Return) and node.value is not None:
            several = node.value.elts if isinstance(node.value, ast.Tuple) else None
            return "i64" if several is None else f"{{{', '.join(['i64'] * len(several))}}}"
    return "void"


def _assigned(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The variables that statements give values to. No expression does so, and most of a text is expressions."""
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)]) | ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AugAssign(target=ast.Name(id=name)):
                yield name
            case ast.For(target=ast.Name(id=name), body=inner):
                yield name
                yield from _assigned(inner)
            case ast.While(body=inner) | ast.If(body=inner):
                yield from _assigned(inner)


class _Function:
    """One function under translation.

    Attributes:
        lines: its text.
    """

    def __init__(
        self, known: Mapping[str, Signature], definition: ast.FunctionDef, own: Signature, *, internal: bool
    ) -> None:
        self.known, self.own = known, own
        self.variables: dict[str, Value] = {}
        self.computed: dict[str, Value] = {}
        """Values that have been computed on every way to this place."""
        self.begun: dict[str, str] = {}
        """What is computed where the first block of the function ends, and what it is called."""
        self.early: frozenset[str] = frozenset()
        """The values of variables there."""
        self.first_end = 0
        """Where in its lines that is."""
        self.constants: list[str] = []
        """Lines that stand in front of it."""
        self.count = 0
        self.lane: tuple[str, Value] | None = None
        """In a loop over lanes the variable that counts them, and its values."""
        self.block, self.ended = "entry", False
        taken = []
        for parameter in definition.args.args:
            name = parameter.arg
            if name in ARRAYS:
                element, columns = ARRAYS[name]
                taken += [f"{_pointer(element)} %{name}"] + [f"i64 %{name}.row"] * columns
            else:
                taken.append(f"i64 %{name}.given")
                self.variables[name] = Value(f"%{name}.given")
        outside = "internal " if internal else ""
        inline = " noinline" if definition.name.startswith(OUT_OF_LINE) else ""
        self.lines = [f"define {outside}{own.gives} @{own.symbol}({', '.join(taken)}) nounwind{inline} {{", "entry:"]
        self.statements(definition.body)
        self.lines[self.first_end : self.first_end] = [f"  {name} = {text}" for text, name in self.begun.items()]
        self.lines[:0] = self.constants
        if not self.ended:
            self.lines.append("  ret void" if own.gives == "void" else "  unreachable")
        self.lines.append("}")

    # -- statements -----------------------------------------------------------------------------------------------

    def statements(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                numbers = [self.number(value) for value in values]
                for target, number in zip(targets, numbers, strict=True):
                    self.assign(target, number)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Call() as call):
                gives, several = self.call(call)
                for k, target in enumerate(targets):
                    self.assign(target, self.put(f"extractvalue {gives} {several}, {k}"))
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="room" | "numbers" | "held" as what), args=given),
            ):
                self.array(name, what, given)
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.value(value) if self.lane is not None else self.number(value))
            case ast.AugAssign(target=target, op=op, value=value):
                now = self.number(target)
                self.assign(target, self.widened(self.operation(op, now, self.number(value))))
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Name(id="range" | "lanes" as over), args=[end]),
                body=body,
            ):
                self.loop(name, self.number(end), body, lanes=over == "lanes")
            case ast.While(test=test, body=body):
                self.repeat(test, body)
            case ast.If(test=test, body=body, orelse=[]):
                self.branch(test, body)
            case ast.Return(value=ast.Tuple(elts=values)):
                self.give(self.several([self.number(value) for value in values]))
            case ast.Return(value=ast.expr() as value):
                self.give(self.number(value).text)
            case ast.Expr(value=ast.Call() as call):
                self.call(call)
            case _:
                raise SyntaxError(f"a kernel has no {ast.unparse(node)}")

    def array(self, name: str, what: str, given: Sequence[ast.expr]) -> None:
        """Begin to have an array: one of the function's own, one of constants, or one of which a frame holds where it
        is, and how long a row."""
        element, columns = ARRAYS[name]
        match given:
            case [ast.Constant(value=int() as size)] if what == "room":
                self.write(f"%{name} = alloca {element}, i64 {size}, align 64")
            case [ast.Name(id=frame), ast.Constant(value=int() as at)] if what == "held":
                place = self.slot(frame, at, element)
                self.write(f"%{name} = load {_pointer(element)}, {_pointer(_pointer(element))} {place}")
                if columns:
                    self.write(f"%{name}.row = load i64, {_pointer('i64')} {self.slot(frame, at + 1)}")
            case [*numbers] if what == "numbers":
                texts, symbol = [self.number(number).text for number in numbers], f"@{self.own.symbol}.{name}"
                whole, listed = f"[{len(texts)} x i64]", ", ".join(f"i64 {text}" for text in texts)
                self.constants.append(f"{symbol} = internal constant {whole} [{listed}]")
                self.write(f"%{name} = getelementptr inbounds {whole}, {_pointer(whole)} {symbol}, i64 0, i64 0")
            case _:
                raise SyntaxError(f"a kernel has no such {what}")

    def hold(self, frame: str, at: int, name: str) -> None:
        """Put where an array is into a frame, and how long a row."""
        element, columns = ARRAYS[name]
        place = self.slot(frame, at, element)
        self.write(f"store {_pointer(element)} %{name}, {_pointer(_pointer(element))} {place}")
        if columns:
            self.write(f"store i64 %{name}.row, {_pointer('i64')} {self.slot(frame, at + 1)}")

    def slot(self, frame: str, at: int, element: str | None = None) -> str:
        """A place of a frame: for a number, or for where elements are."""
        place = self.put(f"getelementptr inbounds i64, {_pointer('i64')} %{frame}, i64 {at}").text
        return place if element is None else self.pointing(place, "i64", _pointer(element))

    def give(self, text: str) -> None:
        self.write(f"ret {self.own.gives} {text}")
        self.ended = True

    def assign(self, target: ast.expr, number: Value) -> None:
        if isinstance(target, ast.Name):
            self.variables[target.id] = number
            return
        assert isinstance(target, ast.Subscript)
        if self.lane is not None:
            bits = self.put(f"bitcast {_TRUTHS} {self.spread(number).text} to i{LANES}", f"i{LANES}")
            self.write(f"store i{LANES} {bits.text}, {_pointer(f'i{LANES}')} {self.bits(target)}")
            return
        place, element = self.place(target)
        if element != "i64":
            number = self.put(f"trunc i64 {number.text} to {element}", element)
        self.write(f"store {element} {number.text}, {_pointer(element)} {place}")

    def loop(self, name: str, end: Value, body: Sequence[ast.stmt], *, lanes: bool = False) -> None:
        """A loop over a range, of which several passes are done at once where it is one over lanes."""
        at, step = f"%{self.fresh()}", LANES if lanes else 1
        loop = self.begin_loop(body)
        inside, after = self.fresh(), self.fresh()
        test = self.put(f"icmp ult i64 {at}, {end.text}", "i1")
        self.write(f"br i1 {test.text}, label %{inside}, label %{after}")
        variables, computed = dict(self.variables), dict(self.computed)
        self.begin(inside)
        self.variables[name] = Value(at)
        if lanes:
            first = ", ".join(f"i64 {k}" for k in range(LANES))
            self.lane = name, self.put(f"add {_NUMBERS} {self.spread(Value(at)).text}, <{first}>", _NUMBERS)
        self.statements(body)
        if lanes:
            self.lane = None
        self.write(f"{at}.next = add nuw nsw i64 {at}, {step}")
        last = self.end_loop(loop)
        self.lines.insert(loop.place, f"  {at} = phi i64 [ 0, %{loop.before} ], [ {at}.next, %{last} ]")
        self.begin(after)
        self.variables, self.computed = variables, computed

    def repeat(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        """A loop while a test is true."""
        loop = self.begin_loop(body)
        inside, after = self.fresh(), self.fresh()
        self.write(f"br i1 {self.truth(test).text}, label %{inside}, label %{after}")
        variables, computed = dict(self.variables), dict(self.computed)
        self.begin(inside)
        self.statements(body)
        self.end_loop(loop)
        self.begin(after)
        self.variables, self.computed = variables, computed

    def begin_loop(self, body: Sequence[ast.stmt]) -> _Loop:
        """Begin the block to which a loop comes back."""
        before, head = self.block, self.fresh()
        self.write(f"br label %{head}")
        self.begin(head)
        changed = sorted({name for name in _assigned(body) if name in self.variables})
        carried = {name: (f"%{self.fresh()}", self.variables[name]) for name in changed}
        self.variables.update({name: Value(text) for name, (text, _) in carried.items()})
        return _Loop(before, head, carried, len(self.lines))

    def end_loop(self, loop: _Loop) -> str:
        """Go back to where a loop begins, and say there where its variables come from; returns this block."""
        self.write(f"br label %{loop.head}")
        self.lines[loop.place : loop.place] = [
            f"  {text} = phi i64 [ {initial.text}, %{loop.before} ], [ {self.variables[name].text}, %{self.block} ]"
            for name, (text, initial) in loop.carried.items()
        ]
        return self.block

    def branch(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        """Statements that are skipped where a test is false."""
        truth, before, inside, after = self.truth(test), self.block, self.fresh(), self.fresh()
        self.write(f"br i1 {truth.text}, label %{inside}, label %{after}")
        variables, computed = dict(self.variables), dict(self.computed)
        self.begin(inside)
        self.statements(body)
        changed, last, ended = self.variables, self.block, self.ended
        if not ended:
            self.write(f"br label %{after}")
        self.begin(after)
        self.variables, self.computed = variables, computed
        for name, value in variables.items():
            if not ended and changed[name] != value:
                self.variables[name] = self.fresh_value(
                    f"phi i64 [ {changed[name].text}, %{last} ], [ {value.text}, %{before} ]"
                )

    # -- expressions ----------------------------------------------------------------------------------------------

    def number(self, node: ast.expr) -> Value:
        return self.widened(self.value(node))

    def truth(self, node: ast.expr) -> Value:
        value = self.value(node)
        if value.type in ("i1", _TRUTHS):
            return value
        nothing = "0" if value.type == "i64" else "zeroinitializer"
        return self.put(f"icmp ne {value.type} {value.text}, {nothing}", "i1" if value.type == "i64" else _TRUTHS)

    def widened(self, value: Value) -> Value:
        if value.type in ("i64", _NUMBERS):
            return value
        wide = "i64" if value.type == "i1" else _NUMBERS
        return self.put(f"zext {value.type} {value.text} to {wide}", wide)

    def spread(self, value: Value) -> Value:
        """One value for each lane; a value that has one for each stays as it is."""
        if value.type.startswith("<"):
            return value
        whole = f"<{LANES} x {value.type}>"
        if not value.text.startswith("%"):
            return Value(f"<{', '.join([f'{value.type} {value.text}'] * LANES)}>", whole)
        one = self.put(f"insertelement {whole} undef, {value.type} {value.text}, i64 0")
        return self.put(f"shufflevector {whole} {one.text}, {whole} undef, <{LANES} x i32> zeroinitializer", whole)

    def alike(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Two values, of which each has one for each lane where one of them has."""
        return (self.spread(a), self.spread(b)) if "<" in a.type[0] + b.type[0] else (a, b)

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=bool() as constant):
                return Value(str(int(constant)), "i1")
            case ast.Constant(value=int() as constant):
                return Value(str(constant & _WORD))
            case ast.Name(id=name):
                return self.lane[1] if self.lane is not None and self.lane[0] == name else self.variables[name]
            case ast.Subscript():
                return self.loaded(node)
            case ast.BinOp(left=left, op=op, right=right):
                return self.operation(op, self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                both = self.truth(first)
                for other in others:
                    both = self.operation(op, both, self.truth(other))
                return both
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.alike(self.number(left), self.number(right))
                gives = "i1" if a.type == "i64" else _TRUTHS
                return self.put(f"icmp {_COMPARISONS[type(op)]} {a.type} {a.text}, {b.text}", gives)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.operation(ast.Sub(), Value("0"), self.number(operand))
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                number, every = self.alike(self.number(operand), Value("-1"))
                return self.put(f"xor {number.type} {number.text}, {every.text}", number.type)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                truth, every = self.alike(self.truth(operand), Value("true", "i1"))
                return self.put(f"xor {truth.type} {truth.text}, {every.text}", truth.type)
            case ast.IfExp(test=test, body=yes, orelse=no):
                which = self.truth(test)
                a, b = self.alike(self.number(yes), self.number(no))
                if which.type == _TRUTHS:
                    a, b = self.spread(a), self.spread(b)
                return self.put(f"select {which.type} {which.text}, {a.type} {a.text}, {b.type} {b.text}", a.type)
            case ast.Call():
                return Value(self.call(node)[1])
            case _:
                raise SyntaxError(f"a kernel has no {ast.unparse(node)}")

    def loaded(self, node: ast.Subscript) -> Value:
        """An element of an array, or in a loop over lanes one for each."""
        if self.lane is None:
            place, element = self.place(node)
            one = self.fresh_value(f"load {element}, {_pointer(element)} {place}", element)
            return one if element == "i64" else self.put(f"zext {element} {one.text} to i64")
        if isinstance(node.value, ast.Name) and node.value.id == "passes":
            byte = self.fresh_value(f"load i{LANES}, {_pointer(f'i{LANES}')} {self.bits(node)}")
            return self.put(f"bitcast i{LANES} {byte.text} to {_TRUTHS}", _TRUTHS)
        place = self.pointing(self.place(node)[0], "i64", _NUMBERS)
        return self.fresh_value(f"load {_NUMBERS}, {_pointer(_NUMBERS)} {place}, align 8", _NUMBERS)

    def operation(self, op: ast.operator | ast.boolop, left: Value, right: Value) -> Value:
        truths = left.type.endswith(("i1", "i1>")) and right.type.endswith(("i1", "i1>"))
        if not truths or not isinstance(op, _OF_TRUTHS):
            left, right = self.widened(left), self.widened(right)
        if right.text.isdecimal():
            if left.text.isdecimal() and type(op) in _FOLDED:
                return Value(str(_FOLDED[type(op)](int(left.text), int(right.text)) & _WORD))
            if right.text == "0" and isinstance(op, _NOTHING_BY_ZERO):
                return left
        left, right = self.alike(left, right)
        return self.put(f"{_OPERATIONS[type(op)]} {left.type} {left.text}, {right.text}", left.type)

    def call(self, node: ast.Call) -> tuple[str, str]:
        """What a function gives: its type and its text."""
        assert isinstance(node.func, ast.Name)
        match node:
            case ast.Call(
                func=ast.Name(id="hold"), args=[ast.Name(id=frame), ast.Constant(value=int() as at), ast.Name(id=name)]
            ):
                self.hold(frame, at, name)
                return "void", ""
        if node.func.id in _BUILT_IN:
            given = [self.number(argument).text for argument in node.args]
            return "i64", self.put("call " + _BUILT_IN[node.func.id].format(*given)).text
        called, passed = self.known[node.func.id], list[str]()
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in ARRAYS:
                element, columns = ARRAYS[argument.id]
                passed += [f"{_pointer(element)} %{argument.id}"] + [f"i64 %{argument.id}.row"] * columns
            else:
                passed.append(f"i64 {self.number(argument).text}")
        whole = f"call {called.gives} @{called.symbol}({', '.join(passed)})"
        if called.gives == "void":
            self.write(whole)
            return "void", ""
        return called.gives, self.fresh_value(whole).text

    def place(self, node: ast.Subscript) -> tuple[str, str]:
        """The address of an element, and its type."""
        assert isinstance(node.value, ast.Name)
        name = node.value.id
        element, _ = ARRAYS[name]
        lane, self.lane = self.lane, None  # places are counted from the first lane
        begin = f"%{name}"
        if isinstance(node.slice, ast.Tuple):
            row, column = node.slice.elts
            begin = self.row(name, element, self.number(row))
            if isinstance(column, ast.BinOp) and isinstance(column.op, ast.Add) and self.is_given(column.left):
                begin = self.first(
                    f"getelementptr {element}, {_pointer(element)} {begin}, i64 {self.number(column.left).text}"
                )
                column = column.right
            at = self.number(column).text
        else:
            at = self.number(node.slice).text
        self.lane = lane
        return self.put(f"getelementptr inbounds {element}, {_pointer(element)} {begin}, i64 {at}").text, element

    def row(self, name: str, element: str, row: Value) -> str:
        """Where a row of an array begins."""
        if not row.text.isdecimal():
            at = self.put(f"mul i64 {row.text}, %{name}.row").text
            return self.put(f"getelementptr {element}, {_pointer(element)} %{name}, i64 {at}").text
        if row.text == "0":
            return f"%{name}"
        at = f"%{name}.row" if row.text == "1" else self.first(f"mul i64 {row.text}, %{name}.row")
        return self.first(f"getelementptr {element}, {_pointer(element)} %{name}, i64 {at}")

    def is_given(self, node: ast.expr) -> bool:
        """Whether it is a variable that has the value that it had at the end of the first block."""
        return self.block != "entry" and isinstance(node, ast.Name) and self.variables[node.id].text in self.early

    def first(self, text: str) -> str:
        """The value of an instruction that stands at the end of the first block; what it takes is there."""
        if self.block == "entry":
            return self.put(text).text
        if text not in self.begun:
            self.begun[text] = f"%{self.fresh()}"
        return self.begun[text]

    def bits(self, node: ast.Subscript) -> str:
        """The address of the bits of a row that belong to the lanes here."""
        assert isinstance(node.value, ast.Name)
        assert isinstance(node.slice, ast.Tuple)
        lane, self.lane = self.lane, None
        row, column = (self.number(part).text for part in node.slice.elts)
        self.lane = lane
        first = self.put(f"mul i64 {row}, {ROW // 8}").text
        at = self.put(f"add i64 {first}, {self.put(f'lshr i64 {column}, 3').text}").text
        bits = f"i{LANES}"
        bytes_ = self.pointing(f"%{node.value.id}", ARRAYS[node.value.id][0], bits)
        return self.put(f"getelementptr inbounds {bits}, {_pointer(bits)} {bytes_}, i64 {at}").text

    def pointing(self, place: str, element: str, other: str) -> str:
        """A place of elements as one of others: before LLVM 17 it had to be said."""
        if _pointer(element) == _pointer(other):
            return place
        return self.put(f"bitcast {_pointer(element)} {place} to {_pointer(other)}").text

    def several(self, numbers: Sequence[Value]) -> str:
        together = "undef"
        for k, number in enumerate(numbers):
            together = self.put(f"insertvalue {self.own.gives} {together}, i64 {number.text}, {k}").text
        return together

    # -- lines ----------------------------------------------------------------------------------------------------

    def write(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def begin(self, block: str) -> None:
        """Begin a block of lines without a jump."""
        if self.block == "entry":
            self.first_end = len(self.lines) - 1  # in front of the jump
            self.early = frozenset(value.text for value in self.variables.values())
        self.lines.append(f"{block}:")
        self.block, self.ended = block, False

    def fresh(self) -> str:
        """A name that nothing has yet."""
        self.count += 1
        return f"v{self.count}"

    def fresh_value(self, text: str, type_: str = "i64") -> Value:
        """The value of an instruction."""
        name = f"%{self.fresh()}"
        self.write(f"{name} = {text}")
        return Value(name, type_)

    def put(self, text: str, type_: str = "i64") -> Value:
        """The value of an instruction that always gives the same; of an earlier one where there is one."""
        known = self.computed.get(text)
        if known is None:
            known = self.computed[text] = self.fresh_value(text, type_)
        return known
