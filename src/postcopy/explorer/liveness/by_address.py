"""To call a function that Numba has compiled at its address, so that it is not compiled once more in each caller.

Numba gives LLVM the text of whatever a function calls, and LLVM puts it in: a long function that several call is
optimized as often as that.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic


def _call_steps(typing_context: Any, address: Any, space: Any, count: Any) -> Any:
    """Call a function of a record and an int64, which returns an int64, as Numba's compiled functions call each other.

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
