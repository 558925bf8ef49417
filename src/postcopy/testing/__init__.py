"""Assertions about protocols, for pytest or any other runner: `docs/testing.md`.

from postcopy.testing import assert_holds

def test_my_change() -> None:
    assert_holds(MyChange, pages=2)
"""

from postcopy.testing.assertions import (
    InconclusiveError,
    VerdictError,
    WeakVerdictWarning,
    assert_holds,
    assert_proved,
    assert_violates,
)
from postcopy.testing.sizes import Size, at_sizes

__all__ = [
    "InconclusiveError",
    "Size",
    "VerdictError",
    "WeakVerdictWarning",
    "assert_holds",
    "assert_proved",
    "assert_violates",
    "at_sizes",
]
