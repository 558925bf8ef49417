"""`postcopy diff` compares behaviours at the size that it says: by default one at which two pages exist.

Each change does what its base does with one page, and something else with two.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CHANGES = '''
"""Letters that are written and read, and changes that show with two letters only."""

from postcopy.language import ALL, Page, require
from tests.vacuity.tiny import Letters, Mail, Post, Reader, Writer


class Base(Letters):
    """What is read is seen."""

    visible = {Post.READ: ("reads",), Post.WRITTEN: ("writes",)}


class WritesAllAtOnce(Base):
    """All letters go as one message."""

    class writer(Writer):
        """Has one envelope."""

        def writes(self, page: Page) -> None:
            """writes all letters"""
            require(self.written.empty)
            require(self.van.room())
            self.written = ALL
            self.observe(Post.WRITTEN, self.written)
            self.van.send(Mail.LETTER, self.written)


class WritesOne(Base):
    """Only the first letter is ever written."""

    class writer(Writer):
        """Is tired."""

        def writes(self, page: Page) -> None:
            """writes a letter, if none is written"""
            require(self.written.empty)
            super().writes(page)


class ReadsOne(Base):
    """Only the first letter is ever read."""

    class reader(Reader):
        """Is tired."""

        def reads(self) -> None:
            """reads a letter, if none has been read"""
            require(self.read_letters.empty)
            super().reads()


class GuessesTheRest(Base):
    """Who has read one letter knows all."""

    class reader(Reader):
        """Guesses."""

        def reads(self) -> None:
            """reads a letter, and guesses what stands in the others"""
            self.van.receive(Mail.LETTER)
            self.read_letters = ALL
            self.observe(Post.READ, self.read_letters)
'''
GAINS = ("WritesAllAtOnce", "GuessesTheRest")
LOSES = ("WritesAllAtOnce", "GuessesTheRest", "WritesOne", "ReadsOne")


@pytest.fixture
def file(tmp_path: Path) -> str:
    found = tmp_path / "letters.py"
    found.write_text(CHANGES, encoding="utf-8")
    return str(found)


def behaviours(run: Run, file: str, change: str, *size: str) -> tuple[int, bool, bool]:
    """At how many pages, whether the change does nothing new, and whether it does all that the base does."""
    result = run("diff", f"{file}:Base", f"{file}:{change}", *size, "--json")
    assert result.code == 0
    found = json.loads(result.out)["behaviours"]
    return found["pages"], found["change_within_base"]["included"], found["base_within_change"]["included"]


@pytest.mark.parametrize("change", LOSES)
def test_what_shows_with_two_pages_is_found_unless_one_is_asked_for(run: Run, file: str, change: str) -> None:
    assert behaviours(run, file, change) == (2, change not in GAINS, False)
    assert behaviours(run, file, change, "--pages", "1") == (1, True, True)
    assert behaviours(run, file, change, "--pages", "3", "--behaviour-pages", "2") == (2, change not in GAINS, False)


def test_the_size_is_said(run: Run, file: str) -> None:
    for pages in ("1", "3"):
        said = " ".join(run("diff", f"{file}:Base", f"{file}:WritesOne", "--pages", pages).out.split())
        many = "s" * (pages != "1")
        assert f"Behaviours ({pages} page{many}, 1 message in flight; " in said
        assert f"cannot do, as far as it is observed at {pages} page{many}, 1 message in flight" in said
