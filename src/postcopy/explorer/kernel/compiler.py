"""From a kernel's text to machine code, through LLVM.

The text that `codegen` writes for a block of states is Python of the plainest kind: whole numbers modulo 2 to the
64th, in which a truth value counts 0 or 1; arrays, loops over ranges, calls of functions that stand above. That little
takes one pass to translate and LLVM a few seconds to make fast; Numba's inference of types would take a minute.
Nothing in the text has a sign: a shift to the right shifts zeros in and comparisons are of unsigned numbers, as in
Python, whose words are never negative.

Machine code is kept in the cache; its key is the text and the processor.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from postcopy.cache import Cache

KIND = "kernel.o"
"""The kind of the objects in the cache."""

OPTIMIZE = 3
"""LLVM's level."""

I1, I64, VOID = ir.IntType(1), ir.IntType(64), ir.VoidType()
ARRAYS = {
    "states": (I64, True),
    "out": (I64, True),
    "origin": (ir.IntType(32), False),
    "label": (I64, False),
    "fired": (I64, False),
    "moved": (I64, False),
    "lists": (ir.IntType(32), False),
    "items": (ir.IntType(32), False),
    "picks": (I64, False),
    "found": (I64, False),
}
"""Parameters that are arrays: their elements, and whether they have columns and so a length of a row beside them."""

_COMPARISONS: Mapping[type, str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATIONS: Mapping[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
    ast.LShift: "shl", ast.RShift: "lshr", ast.And: "and_", ast.Or: "or_",
}  # fmt: skip


class Native:
    """Machine code in memory, for as long as this object lives.

    Args:
        code: an object file.
        names: the functions whose addresses are wanted.

    Attributes:
        addresses: one for each name.
    """

    def __init__(self, code: bytes, names: tuple[str, ...]) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.addresses = [int(self._engine.get_function_address(name)) for name in names]


def processor() -> tuple[str, str]:
    """This machine's processor: its name, and what it can do."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def kept(text: str, cache: Cache) -> bytes | None:
    """The object file of a text, if it was compiled for this processor before."""
    return cache.get(KIND, key_of(text))


def load(text: str, names: tuple[str, ...], cache: Cache) -> Native:
    """The functions of a text: from the cache, or translated and then kept there.

    Args:
        names: the functions that are called from outside; all others are theirs alone.
    """
    code = kept(text, cache)
    if code is None:
        code = _machine_code(translate(text, names))
        cache.put(KIND, key_of(text), code)
    return Native(code, names)


def key_of(text: str) -> str:
    """All that the object file of a text depends on."""
    return "\n".join((llvmlite.__version__, *processor(), _own_text(), text))


def _machine_code(module: ir.Module) -> bytes:
    target = _target()
    compiled = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIMIZE)
    options.slp_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(compiled, builder)
    return bytes(target.emit_object(compiled))


@cache
def _own_text() -> str:
    """How it is translated: machine code that another version of this file made is not taken for its own."""
    return Path(__file__).read_text()


@cache
def _initialized() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _target() -> llvm.TargetMachine:
    _initialized()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=OPTIMIZE,
        reloc="pic",
        codemodel="large",  # an object's parts, and what it calls of the system, may lie anywhere
        jit=True,
    )


def translate(text: str, names: tuple[str, ...]) -> ir.Module:
    """The text as a module for LLVM.

    Raises:
        SyntaxError, KeyError: it is not of the kind described above.
    """
    module = ir.Module("kernel")
    module.triple = llvm.get_default_triple()
    functions: dict[str, ir.Function] = {}
    for definition in ast.parse(text).body:
        assert isinstance(definition, ast.FunctionDef)
        functions[definition.name] = _Function(module, functions, definition, definition.name not in names).made
    return module


class _Function:
    """One function under translation."""

    def __init__(
        self, module: ir.Module, known: dict[str, ir.Function], definition: ast.FunctionDef, internal: bool
    ) -> None:
        self.known = known
        parameters = [argument.arg for argument in definition.args.args]
        types: list[Any] = []
        for name in parameters:
            element, columns = ARRAYS.get(name, (None, False))
            types += [element.as_pointer() if element else I64] + [I64] * columns
        self.made = ir.Function(module, ir.FunctionType(_result(definition), types), definition.name)
        self.made.attributes.add("nounwind")
        if internal:
            self.made.linkage = "internal"
        self.entry = self.made.append_basic_block("entry")
        self.variables: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.rows: dict[str, Any] = {}
        self.builder = ir.IRBuilder(self.made.append_basic_block("body"))
        arguments = iter(self.made.args)
        for name in parameters:
            argument = next(arguments)
            if name not in ARRAYS:
                self.store(name, argument)
                continue
            self.arrays[name] = argument
            if ARRAYS[name][1]:
                self.rows[name] = next(arguments)
        self.statements(definition.body)
        if not self.builder.block.is_terminated:
            self.builder.ret_void()
        ir.IRBuilder(self.entry).branch(self.made.blocks[1])

    # -- statements -----------------------------------------------------------------------------------------------

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                numbers = [self.number(value) for value in values]
                for target, number in zip(targets, numbers, strict=True):
                    self.assign(target, number)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                several = self.value(value)
                for k, target in enumerate(targets):
                    self.assign(target, self.builder.extract_value(several, k))
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.number(value))
            case ast.AugAssign(target=target, op=op, value=value):
                now = self.number(target)
                self.assign(target, self.operation(op, now, self.number(value)))
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=[end]), body=body):
                self.loop(name, self.number(end), body)
            case ast.While(test=test, body=body):
                self.repeat(test, body)
            case ast.If(test=test, body=body, orelse=[]):
                with self.builder.if_then(self.truth(test)):
                    self.statements(body)
            case ast.Return(value=ast.Tuple(elts=values)):
                self.builder.ret(self.several([self.number(value) for value in values]))
            case ast.Return(value=ast.expr() as value):
                self.builder.ret(self.number(value))
            case ast.Expr(value=value):
                self.value(value)
            case _:
                raise SyntaxError(f"a kernel has no {ast.unparse(node)}")

    def assign(self, target: ast.expr, number: Any) -> None:
        if isinstance(target, ast.Name):
            self.store(target.id, number)
            return
        assert isinstance(target, ast.Subscript)
        pointer, element = self.place(target)
        self.builder.store(number if element is I64 else self.builder.trunc(number, element), pointer)

    def store(self, name: str, number: Any) -> None:
        if name not in self.variables:
            self.variables[name] = ir.IRBuilder(self.entry).alloca(I64, name=name)
        self.builder.store(number, self.variables[name])

    def loop(self, name: str, end: Any, body: list[ast.stmt]) -> None:
        builder, function = self.builder, self.made
        before = builder.block
        head, inside, after = (function.append_basic_block(part) for part in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        at = builder.phi(I64)
        at.add_incoming(ir.Constant(I64, 0), before)
        builder.cbranch(builder.icmp_unsigned("<", at, end), inside, after)
        builder.position_at_end(inside)
        self.store(name, at)
        self.statements(body)
        at.add_incoming(builder.add(at, ir.Constant(I64, 1), flags=("nuw", "nsw")), builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    def repeat(self, test: ast.expr, body: list[ast.stmt]) -> None:
        builder, function = self.builder, self.made
        head, inside, after = (function.append_basic_block(part) for part in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(self.truth(test), inside, after)
        builder.position_at_end(inside)
        self.statements(body)
        builder.branch(head)
        builder.position_at_end(after)

    # -- expressions ----------------------------------------------------------------------------------------------

    def number(self, node: ast.expr) -> Any:
        value = self.value(node)
        return self.builder.zext(value, I64) if value.type == I1 else value

    def truth(self, node: ast.expr) -> Any:
        value = self.value(node)
        return value if value.type == I1 else self.builder.icmp_unsigned("!=", value, ir.Constant(I64, 0))

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() as constant):
                return ir.Constant(I1, int(constant))
            case ast.Constant(value=int() as constant):
                return ir.Constant(I64, constant & (1 << 64) - 1)
            case ast.Name(id=name):
                return self.builder.load(self.variables[name], typ=I64)
            case ast.Subscript():
                pointer, element = self.place(node)
                loaded = self.builder.load(pointer, typ=element)
                return loaded if element is I64 else self.builder.zext(loaded, I64)
            case ast.BinOp(left=left, op=op, right=right):
                return self.operation(op, self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                both = self.truth(first)
                for other in others:
                    both = self.operation(op, both, self.truth(other))
                return both
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.builder.icmp_unsigned(_COMPARISONS[type(op)], self.number(left), self.number(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.builder.neg(self.number(operand))
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return self.builder.not_(self.number(operand))
            case ast.IfExp(test=test, body=yes, orelse=no):
                return self.builder.select(self.truth(test), self.number(yes), self.number(no))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments)
            case _:
                raise SyntaxError(f"a kernel has no {ast.unparse(node)}")

    def operation(self, op: ast.operator | ast.boolop, left: Any, right: Any) -> Any:
        if left.type != right.type or not isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor | ast.boolop):
            left, right = (self.builder.zext(v, I64) if v.type == I1 else v for v in (left, right))
        return getattr(self.builder, _OPERATIONS[type(op)])(left, right)

    def call(self, name: str, arguments: list[ast.expr]) -> Any:
        passed: list[Any] = []
        for argument in arguments:
            if isinstance(argument, ast.Name) and argument.id in self.arrays:
                passed.append(self.arrays[argument.id])
                passed += [self.rows[argument.id]] if argument.id in self.rows else []
            else:
                passed.append(self.number(argument))
        return self.builder.call(self.known[name], passed)

    def place(self, node: ast.Subscript) -> tuple[Any, Any]:
        """The address of an element, and its type."""
        assert isinstance(node.value, ast.Name)
        name, builder = node.value.id, self.builder
        element = ARRAYS[name][0]
        if isinstance(node.slice, ast.Tuple):
            row, column = (self.number(part) for part in node.slice.elts)
            at = builder.add(builder.mul(row, self.rows[name]), column)
        else:
            at = self.number(node.slice)
        return builder.gep(self.arrays[name], [at], inbounds=True, source_etype=element), element

    def several(self, numbers: list[Any]) -> Any:
        together: Any = ir.Constant(ir.LiteralStructType([I64] * len(numbers)), ir.Undefined)
        for k, number in enumerate(numbers):
            together = self.builder.insert_value(together, number, k)
        return together


def _result(definition: ast.FunctionDef) -> Any:
    for node in ast.walk(definition):
        if isinstance(node, ast.Return) and node.value is not None:
            several = node.value.elts if isinstance(node.value, ast.Tuple) else None
            return I64 if several is None else ir.LiteralStructType([I64] * len(several))
    return VOID
