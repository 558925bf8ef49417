"""A kernel's machine code and what it is made from: text and numbers, which can be sent to another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postcopy.cache import user_cache

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from postcopy.explorer.kernel.compiler import Native

FUNCTIONS = ("expand_block", "canonical_block", "examine_block")
"""The functions that a search calls, in the order of their addresses."""


@dataclass(frozen=True)
class Plan:
    """What machine code is made from.

    Attributes:
        text: the kernel's text for machine code (see `state_code`).
        words: words in a state.
        most: how many successors a block of states has at most.
        rows: the rows of `lists` and `picks`.
        row_length: their length.
        leaves: the leaves of its actions; it counts two things of each.
    """

    text: str
    words: int
    most: int
    rows: int
    row_length: int
    leaves: int


@dataclass(frozen=True)
class MachineCode(Plan):
    """A kernel as machine code.

    Attributes:
        native: the functions, kept in memory.
        addresses: of the functions; int64[3].
    """

    native: Native
    addresses: npt.NDArray[np.int64]


def is_compiled(plan: Plan) -> bool:
    """Whether the machine code is in the cache."""
    from postcopy.explorer.kernel import compiler  # LLVM takes a tenth of a second to import

    return compiler.kept(plan.text, user_cache()) is not None


def is_there_soon(plan: Plan) -> bool:
    """Whether machine code that `load_soon` takes is in the cache."""
    from postcopy.explorer.kernel import compiler

    return compiler.kept_soon(plan.text, user_cache()) is not None


def load(plan: Plan) -> MachineCode:
    """The machine code of a plan; from the cache where it has been compiled."""
    from postcopy.explorer.kernel import compiler

    return _of(plan, compiler.load(plan.text, FUNCTIONS, user_cache()))


def compile_parts(text: str) -> None:
    """Compile what stands apart in a kernel's text, and keep it in the cache."""
    from postcopy.explorer.kernel import compiler

    compiler.compile_parts(text, user_cache())


def load_soon(plan: Plan) -> MachineCode:
    """Machine code that is there in a fifth of the time, and half as fast: for searches that are short anyway."""
    from postcopy.explorer.kernel import compiler

    return _of(plan, compiler.load_soon(plan.text, FUNCTIONS, user_cache()))


def _of(plan: Plan, native: Native) -> MachineCode:
    import numpy as np

    return MachineCode(**vars(plan), native=native, addresses=np.array(native.addresses, dtype=np.int64))
