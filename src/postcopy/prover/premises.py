"""What every proof rests on beside the properties: the encodings assume it of numbers and messages, so it is proved.

A range that a step can leave, or a marked message of several pages, takes every property of the proof with it.
"""

from __future__ import annotations

from postcopy.language.properties import Kind, Property
from postcopy.language.step_errors import NUMBERS_IN_RANGE
from postcopy.prover.obligations import ONE_PAGE

IN_RANGE = NUMBERS_IN_RANGE
"""A field is encoded in as many bits as its range needs."""

ONE_PAGE_EACH = Property(
    ONE_PAGE,
    "A message that carries a mark concerns one page",
    Kind.ALWAYS,
    lambda _: True,
    "The mark of a message speaks of all its pages at once.",
)
"""A mark is one truth value for a message."""

PREMISES: tuple[Property, ...] = (IN_RANGE, ONE_PAGE_EACH)
"""No interpretation asks their functions: the prover reads them off the steps."""
