"""What the search's loop does that Numba lacks: call a kernel's machine code, and ask the memory for a place early."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I32, _I64 = ir.IntType(32), ir.IntType(64)


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
    """Call the function of `postcopy.explorer.native` at an address, with a tuple of arrays and numbers of 64 bits.

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


prefetch: Any = intrinsic(_prefetch)
call: Any = intrinsic(_call)
