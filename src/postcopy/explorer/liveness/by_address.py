"""To call a function that Numba has compiled at its address, so that it is not compiled once more in each caller.

Numba gives LLVM the text of whatever a function calls, and LLVM puts it in: a long function that several call is
optimized as often as that.
"""

from itertools import count
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np import arrayobj

populate: Any = arrayobj.populate_array


def _call_steps(typing_context: Any, address: Any, space: Any, count: Any) -> Any:
    """Call a function of a `Space` and an int64, which returns an int64, as Numba's compiled functions call each other.

    What it raises is raised here.
    """
    del typing_context
    signature = types.int64(address, space, count)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args[1:]
        function_type = context.call_conv.get_function_type(types.int64, kinds)
        function = builder.inttoptr(values[0], function_type.as_pointer())
        status, result = context.call_conv.call_function(builder, function, types.int64, kinds, values[1:])
        with builder.if_then(status.is_error, likely=False):
            context.call_conv.return_status_propagate(builder, status)
        return result

    return signature, generate


call_steps: Any = intrinsic(_call_steps)


def record_at(kind: Any) -> Any:
    """A function that gives the record of a type whose parts lie in memory as `records.Whole.space` lists them.

    Args:
        kind: a record of arrays, of numbers of 64 bits and of such records.
    """

    def read(typing_context: Any, place: Any) -> Any:
        del typing_context

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            start = context.make_array(signature.args[0])(context, builder, values[0]).data
            places = count()

            def following() -> Any:
                return builder.load(builder.gep(start, [ir.Constant(ir.IntType(64), next(places))]))

            def made(kind: Any) -> Any:
                parts: Any = kind
                if isinstance(kind, types.BaseTuple):
                    return context.make_tuple(builder, kind, [made(part) for part in parts])
                if not isinstance(kind, types.Array):
                    return following()
                array = context.make_array(kind)(context, builder)
                data, *lengths = [following() for _ in range(1 + 2 * kind.ndim)]
                populate(
                    array,
                    data=builder.inttoptr(data, array.data.type),
                    shape=lengths[: kind.ndim],
                    strides=lengths[kind.ndim :],
                    itemsize=context.get_constant(types.intp, kind.dtype.bitwidth // 8),
                    meminfo=None,
                )
                return array._getvalue()  # noqa: SLF001

            return made(signature.return_type)

        return kind(place), generate

    return intrinsic(read)
