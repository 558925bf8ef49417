"""What every proof rests on beside the properties: the encodings assume it of numbers, so it is proved.

A range that a step can leave takes every property of the proof with it.
"""

from __future__ import annotations

from postcopy.language.properties import Property
from postcopy.language.step_errors import NUMBERS_IN_RANGE

IN_RANGE = NUMBERS_IN_RANGE
"""A field is encoded in as many bits as its range needs."""

PREMISES: tuple[Property, ...] = (IN_RANGE,)
"""No interpretation asks their functions: the prover reads them off the steps."""
