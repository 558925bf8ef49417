"""What all results have in common: the terminal's text, the page for a notebook, JSON, and a careful `bool`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from rich.console import Console

from postcopy.api.asking import path_of
from postcopy.errors import UndecidedError, UsageError
from postcopy.language.trace import Trace
from postcopy.report.charts.formats import format_of
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.story.story_format import Kept
from postcopy.report.story.tell import tell
from postcopy.report.story.text import plain, print_story

_STYLE = "width:100%;height:40rem;box-sizing:border-box;border:1px solid #8886;resize:vertical"
_FRAME = f'sandbox="allow-scripts" style="{_STYLE}"'
PAGE = FileFormat((".html",), "a page of all that was found", comment=f"<!-- {WRITTEN} -->")
"""Pages of results."""


class Shown(ABC):
    """What a function of this package gives: in a terminal the command's text, in a notebook a page.

    Attributes:
        name: what it is about: the protocol's name, for most.
    """

    name: str

    @property
    @abstractmethod
    def sentence(self) -> str:
        """All of it as one sentence."""

    @abstractmethod
    def print_to(self, console: Console) -> None:
        """Print it as the terminal shows it."""

    @abstractmethod
    def page(self, command: str = "") -> str:
        """It as an HTML page that needs nothing from elsewhere.

        Args:
            command: the command line that does all this again, for the reader; may be empty.
        """

    def __bool__(self) -> bool:
        """Never answers: this is neither good nor bad.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("it is no verdict")

    def __str__(self) -> str:
        return plain(self.print_to).rstrip("\n")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.sentence}>"

    def _repr_html_(self) -> str:
        """The page, in a frame of its own: its styles and its script touch nothing around it."""
        from html import escape  # takes a while to import, as msgspec does

        return f'<iframe title="{escape(self.sentence)}" {_FRAME} srcdoc="{escape(self.page())}"></iframe>'

    def _undecided(self, why: str) -> UndecidedError:
        ask = " or ".join(f".{name}" for name in ("verdict", "sentence") if hasattr(type(self), name))
        return UndecidedError(f"the result of {self.name} is neither true nor false: {why}; ask {ask}")


def as_json(record: object) -> str:
    """A record as ``--json`` prints it."""
    import msgspec  # takes a while to import

    return msgspec.json.format(msgspec.json.encode(record), indent=2).decode()


class Result(Shown):
    """What a function of this package has found, with a verdict."""

    @property
    @abstractmethod
    def verdict(self) -> str:
        """The verdict in a word or two, as ``--json`` gives it."""

    @property
    @abstractmethod
    def record(self) -> object:
        """All that ``--json`` prints, as a record."""

    @property
    def counterexample(self) -> Trace | None:
        """The run that shows what is wrong, or None."""
        return None

    @property
    def story(self) -> str:
        """The counterexample step by step, in words; empty where there is none."""
        run = self.counterexample
        return "" if run is None else plain(lambda console: print_story(tell(run), console)).rstrip("\n")

    def json(self) -> str:
        """The result as one JSON object, as ``--json`` prints it."""
        return as_json(self.record)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the result to a file: all of it as a page (.html), or the counterexample in the format of the ending.

        Args:
            path: where; the ending says in which format (.html, .itf.json, .md, .mmd, .svg, .txt).
            force: replace a file that this package has not written.

        Raises:
            UsageError: the ending is of no format, the file cannot be written, or there is no counterexample.
        """
        goal = path_of("path", path)
        if PAGE.fits(goal):
            PAGE.refuse(goal, force=force)
            PAGE.save(goal, self.page())
            return
        form = format_of(goal, "save:", PAGE.ending)
        if self.counterexample is None:
            raise UsageError(f"save: {goal}: there is no counterexample; only a name that ends in .html takes it all")
        form.refuse(goal, force=force)
        form.save(goal, form.write(Kept(self.counterexample, self.name)))
