"""Results without a page of their own: the page has the terminal's text, and the runs of the result step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console

from postcopy.api.result import Result
from postcopy.language.trace import Trace
from postcopy.report.pages.plain import page


class TextResult(Result):
    """A result whose page is the terminal's text."""

    _command: ClassVar[str]
    """The command that gives it."""

    @property
    def _runs(self) -> Sequence[Trace]:
        """The runs that the page shows step by step."""
        return ()

    def page(self, command: str = "") -> str:
        """The text of the terminal as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return page(self._command, self.name, self.verdict, self.sentence, str(self), command, self._runs)


class LinesResult(TextResult):
    """A result that the terminal shows as lines."""

    if TYPE_CHECKING:  # at run time a dataclass would take a property here for the default of its field `lines`

        @property
        def lines(self) -> Sequence[str]:
            """What the terminal says of it."""

    def print_to(self, console: Console) -> None:
        """Print the result as the terminal shows it."""
        console.print("\n".join(self.lines), markup=False, soft_wrap=True)
