"""The numbers that a kernel's generated code and its callers agree on, and the functions that take them apart.

A step's label is the number of the leaf taken, with `STAYS` where the step changes nothing, and from bit `LABEL_BITS`
on the properties of steps that it violates. A negative label says that a check of the leaf failed. What `examine` says
of a state is a set of bits, one for each property or witness, and `REST_BIT`. The functions take and give plain
numbers, so that Numba compiles them too; `labels` says in words what a label means.
"""

from __future__ import annotations

BLOCK = 128
"""States that a search expands at once, before it enters their successors."""

LABEL_BITS = 16
"""Bits of a label below the violated properties."""

MAX_STEP_PROPERTIES = 46
"""Properties of steps have to be among so many first ones: a label has no more bits."""

STAYS = 1 << 15
"""The bit of a label that says that the step changes nothing."""

BAD_BIT = 62
"""The bit of a block's count of successors that says that one of them violates a property or fails a check."""

REST_BIT = 61
"""The bit of `examine` that says that the protocol may rest."""


def failed(label: int) -> bool:
    """Whether the label says that a check of the specification failed."""
    return label < 0


def check_number(label: int) -> int:
    """The number of the check that failed."""
    return -1 - label


def leaf_number(label: int) -> int:
    """The number of the leaf that a label names; of one without a failed check."""
    return label & STAYS - 1


def stays(label: int) -> bool:
    """Whether the label says that the step changes nothing."""
    return label & STAYS != 0


def violations(label: int) -> int:
    """The properties of steps that are violated, as bits; of a label without a failed check."""
    return label >> LABEL_BITS


def rests(found: int) -> bool:
    """Whether the protocol may rest in a state of which `examine` says this."""
    return found >> REST_BIT & 1 != 0


def is_bad(found: int) -> bool:
    """Whether one of a block's successors violates a property or fails a check."""
    return found >> BAD_BIT != 0


def successors_of(found: int) -> int:
    """How many successors a block has, from what `expand_block` returns."""
    return found & (1 << BAD_BIT) - 1


def lowest(bits: int) -> int:
    """The number of the lowest bit that is set; one has to be."""
    return (bits & -bits).bit_length() - 1
