"""What the search's loop does that Numba lacks.

To call a kernel's machine code, to ask the memory for a place early, to look through sixteen entries at once, and to
write where other threads write too.
"""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_ENTRIES = ir.VectorType(_I32, 16)
_NONE = ir.Constant(_ENTRIES, [ir.Constant(_I32, 0)] * 16)


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Bring the cache line of ``array[index]`` near; no effect on values."""
    del typing_context
    signature = types.void(array, index)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        data = context.make_array(array_type)(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        function_type = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _I32, _I32, _I32])
        insert: Any = cgutils.get_or_insert_function
        function = insert(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [pointer, ir.Constant(_I32, 0), ir.Constant(_I32, 3), ir.Constant(_I32, 1)])
        return context.get_dummy_value()

    return signature, generate


def _call(typing_context: Any, address: Any, arguments: Any) -> Any:
    """Call a function of `kernel.machine_code` at its address, with a tuple of arrays and numbers of 64 bits.

    An array goes as a pointer, one with columns with the length of a row beside it. The result is an int64, and
    means nothing where the function returns none.
    """
    del typing_context
    signature = types.int64(address, arguments)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        passed = []
        for i, kind in enumerate(signature.args[1]):
            value = builder.extract_value(values[1], i)
            if not isinstance(kind, types.Array):
                passed.append(value)
                continue
            array = context.make_array(kind)(context, builder, value)
            passed.append(builder.bitcast(array.data, cgutils.voidptr_t))
            if kind.ndim == 2:
                passed.append(builder.extract_value(array.shape, 1))
        function_type = ir.FunctionType(_I64, [value.type for value in passed])
        function = builder.inttoptr(values[0], function_type.as_pointer())
        return builder.call(function, passed)

    return signature, generate


def _places(typing_context: Any, table: Any, bucket: Any, bits: Any, tag: Any) -> Any:
    """In which of the sixteen entries from ``table[bucket]`` on the part above `bits` is the tag, and which are empty.

    Two sets, as bits of a uint64 each. The entries have to begin a line of 64 bytes.
    """
    del typing_context
    pair: Any = types.UniTuple
    signature = pair(types.uint64, 2)(table, bucket, bits, tag)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        line = builder.bitcast(builder.gep(data, [arguments[1]]), _ENTRIES.as_pointer())
        entries = builder.load(line, align=64)

        def everywhere(number: Any) -> Any:
            alone = builder.insert_element(_NONE, builder.trunc(number, _I32), ir.Constant(_I32, 0))
            return builder.shuffle_vector(alone, alone, _NONE)

        def set_of(which: Any) -> Any:
            return builder.zext(builder.bitcast(which, _I16), _I64)

        empty = builder.icmp_unsigned("==", entries, _NONE)
        tags = builder.lshr(entries, everywhere(arguments[2]))
        alike = builder.icmp_unsigned("==", tags, everywhere(arguments[3]))
        found = builder.and_(alike, builder.not_(empty))
        return context.make_tuple(builder, signature.return_type, [set_of(found), set_of(empty)])

    return signature, generate


def _lowest(typing_context: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set; one has to be."""
    del typing_context
    signature = types.uint64(bits)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate


def _claim(typing_context: Any, table: Any, entry: Any, value: Any) -> Any:
    """Put a value into an empty entry, in one atomic step; False if the entry is taken.

    A thread that sees the value sees everything that was written before it.
    """
    del typing_context
    signature = types.boolean(table, entry, value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place, value = builder.gep(data, [arguments[1]]), builder.trunc(arguments[2], _I32)
        outcome = builder.cmpxchg(place, ir.Constant(_I32, 0), value, "acq_rel", "acquire")
        return builder.zext(builder.extract_value(outcome, 1), context.get_value_type(types.boolean))

    return signature, generate


def _fetch_add(typing_context: Any, numbers: Any, index: Any, amount: Any) -> Any:
    """Add to a number to which several threads add; returns what it was."""
    del typing_context
    signature = types.int64(numbers, index, amount)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [arguments[1]]), arguments[2], "acq_rel")

    return signature, generate


claim: Any = intrinsic(_claim)
fetch_add: Any = intrinsic(_fetch_add)
prefetch: Any = intrinsic(_prefetch)
places: Any = intrinsic(_places)
lowest: Any = intrinsic(_lowest)
call: Any = intrinsic(_call)


@njit
def put(table, entry, value, alone):  # type: ignore[no-untyped-def]
    """Fill an empty entry; False where another worker was faster. A worker alone needs no atomic instruction for it."""
    if alone:
        table[entry] = value
        return True
    return claim(table, entry, value)
