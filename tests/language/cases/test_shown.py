"""What docs/language.md shows of constructs is the text of the tests that run them."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs/language.md"
SHOWN = {
    "A step at one place": ("test_at.py", 1),
    "A step of two pages": ("test_two_pages.py", 1),
    "A loop over pages": ("test_loop.py", 1),
    "Neighbours": ("test_neighbours.py", 1),
}
"""By heading: the file that has its excerpts, and how many there are."""


@pytest.mark.parametrize("heading", SHOWN)
def test_an_excerpt_is_run(heading: str) -> None:
    file, count = SHOWN[heading]
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2]
    section = re.split(r"^##", section, flags=re.MULTILINE)[0]
    shown = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    assert len(shown) == count
    text = (HERE / file).read_text(encoding="utf-8")
    assert all(any(indent(excerpt, depth * " ") in text for depth in (4, 8)) for excerpt in shown)
