"""Parameters of which most belong to the slow tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(values: Iterable[Any], *fast: Any) -> list[Any]:
    """The values as parameters, all marked slow but these.

    Raises:
        ValueError: a value that is to be fast is not there.
    """
    listed = list(values)
    for value in fast:
        if value not in listed:
            raise ValueError(f"{value!r} is none of the parameters")
    return [value if value in fast else pytest.param(value, marks=pytest.mark.slow) for value in listed]
