"""One test at several sizes."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import pytest


class Size(TypedDict):
    """A size, as keywords: ``assert_holds(MyChange, **size)``."""

    pages: int
    in_flight: int
    host_page: int | None


def at_sizes(
    pages: Collection[int] = (1, 2), in_flight: Collection[int] = (1,), host_page: Collection[int | None] = (None,)
) -> pytest.MarkDecorator:
    """Run a test at each combination, as its argument ``size``. A combination whose host page does not divide its pages
    is left out.

    Args:
        pages: numbers of target pages.
        in_flight: numbers of messages that each channel holds.
        host_page: target pages of one host page; None for what the protocol says.

    Raises:
        UsageError: what is given are no numbers, or no combination is left.
    """
    import pytest

    from postcopy.errors import UsageError

    for name, given in (("pages", pages), ("in_flight", in_flight), ("host_page", host_page)):
        numbers = given if isinstance(given, Collection) and not isinstance(given, str) else None
        if numbers is None or not all(isinstance(n, int) or (n is None and name == "host_page") for n in numbers):
            raise UsageError(f"at_sizes: {name} are whole numbers in a list, such as {name}=(1, 2), and not {given!r}")
    combinations = product(pages, in_flight, host_page)
    sizes = [Size(pages=n, in_flight=m, host_page=g) for n, m, g in combinations if g is None or n % g == 0]
    if not sizes:
        raise UsageError("at_sizes: no size is left: give numbers, and a host_page that divides one of the pages")
    return pytest.mark.parametrize("size", sizes, ids=[_name(size) for size in sizes])


def _name(size: Size) -> str:
    host = f"-h{size['host_page']}" if size["host_page"] is not None else ""
    return f"p{size['pages']}-m{size['in_flight']}{host}"
