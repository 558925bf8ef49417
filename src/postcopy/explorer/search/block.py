"""What every compiled loop does with a block of states: expand it, and check the steps and the states in it."""

from typing import Any

from numba import types

from postcopy.explorer.kernel import calling_convention as convention
from postcopy.explorer.kernel.numba_archive import inner as njit
from postcopy.explorer.search.intrinsics import call
from postcopy.explorer.search.records import Scratch, Wanted
from postcopy.explorer.search.status import AT, DETAIL, STATUS, Status

STEP, WRONG, DEADLOCK = int(Status.STEP), int(Status.WRONG), int(Status.DEADLOCK)

EXPAND, CANONICAL, EXAMINE = range(3)
"""Where in `code` the addresses of the kernel's functions lie."""

functions: list[Any] = [
    njit(function)
    for function in (
        convention.failed, convention.violations, convention.rests, convention.is_bad, convention.successors_of
    )
]  # fmt: skip
failed, violations, rests, is_bad, successors_of = functions

I64, U64 = types.int64, types.uint64
I64S, U64S, U32S = (types.int64[::1], types.uint64[::1], types.uint32[::1])
ROWS = COLUMNS = types.int64[:, ::1]
SCRATCH = types.NamedTuple(
    (COLUMNS, COLUMNS, U32S, I64S, U64S, U64S, U32S, U32S, U32S, U32S, U32S, I64S, U32S, U32S, I64S), Scratch
)
WANTED = types.NamedTuple((I64, I64, I64, types.boolean), Wanted)


@njit
def expand_block(code, scratch, n, fired):
    """Make the successors of the n states in `block`; what the kernel says of them."""
    return call(
        code[EXPAND],
        (
            scratch.block, 0, n, scratch.out, scratch.origin, scratch.label, fired, scratch.moved, scratch.lists,
            scratch.items, scratch.picks,
        ),
    )  # fmt: skip


@njit
def check_steps(label, origin, out, count, at, control, wanted):
    """Whether no step of a block violates a property and no check failed; else the first that does is noted."""
    for j in range(count):
        wrong = failed(label[j])
        if wrong or violations(label[j]) & wanted.step_bits:
            control[STATUS], control[AT] = WRONG if wrong else STEP, at + origin[j]
            control[DETAIL] = label[j]
            for k in range(len(out)):
                out[k, 0] = out[k, j]
            return False
    return True


@njit
def check_deadlock(code, block, moved, seen, n, at, control):
    """Whether each state of a block can move or may rest; else the first that does not is noted."""
    for i in range(n):
        if moved[i] == 0:
            call(code[EXAMINE], (block, i, 1, seen))
            if not rests(seen[0]):
                control[STATUS], control[AT] = DEADLOCK, at + i
                return False
    return True
