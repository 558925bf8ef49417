"""`diff`: what a change does, and what came of the comparison."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from postcopy.api.asking import ProtocolLike, functions, load, unless_none, whole_numbers
from postcopy.api.memory import asked_for_states, left_for_states
from postcopy.api.progress import Show, of_search, silent
from postcopy.api.result import Result
from postcopy.explorer.behaviour import Inclusion
from postcopy.explorer.results import Options
from postcopy.report.pages.difference import html
from postcopy.report.records.difference import DifferenceRecord, difference_record
from postcopy.report.results.difference import Difference, Size, compare
from postcopy.report.terminal.difference import print_difference


@dataclass(frozen=True, repr=False)
class DiffResult(Result):
    """The differences between two protocols.

    Attributes:
        name: the two names, with ``to`` between them.
        found: all differences.
    """

    name: str
    found: Difference

    @property
    def verdict(self) -> str:
        """``same behaviour``, ``does more``, ``does less``, ``does other things``, or ``inconclusive``."""
        gained, lost = _included(self.found.gained), _included(self.found.lost)
        if gained is None or lost is None:
            return "inconclusive"
        words = {
            (True, True): "same behaviour",
            (False, True): "does more",
            (True, False): "does less",
            (False, False): "does other things",
        }
        return words[gained, lost]

    @property
    def turned(self) -> dict[str, tuple[str, str]]:
        """For each property of another answer: what the base and the change say."""
        return dict(self.found.turned)

    @property
    def sentence(self) -> str:
        """What the change does to behaviours and to properties, as one sentence."""
        turned = [f"{name}: {old} -> {new}" for name, (old, new) in self.found.turned.items()]
        return f"{self.verdict}; {', '.join(turned) or 'every property has the answer that it had'}"

    @property
    def record(self) -> DifferenceRecord:
        """All that ``--json`` prints."""
        return difference_record(self.found)

    def print_to(self, console: Console) -> None:
        """Print the result as the terminal shows it."""
        print_difference(self.found, console)

    def page(self, command: str = "") -> str:
        """All differences as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return html(self.found, self.record, self.verdict, command)

    def __bool__(self) -> bool:
        """Never answers: that there is a difference is neither good nor bad.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("a comparison is neither good nor bad")


def _included(found: Inclusion) -> bool | None:
    """Whether one does only what the other does; None where that was not decided."""
    if found.difference is not None:
        return False
    return True if found.decided else None


def diff(
    base: ProtocolLike,
    change: ProtocolLike,
    *,
    pages: int = 2,
    in_flight: int = 1,
    behaviour_pages: int | None = None,
    behaviour_in_flight: int | None = None,
    host_page: int | None = None,
    max_memory: int | str = "4G",
    progress: Show = silent,
) -> DiffResult:
    """Say what a change does: to the text, to the properties, and to what can be seen of a migration.

    Args:
        base: the one protocol, as `check` takes it.
        change: the other.
        pages: target pages.
        in_flight: messages in each channel.
        behaviour_pages: target pages where behaviours are compared, if not as many as where properties are asked.
        behaviour_in_flight: messages in each channel there.
        host_page: target pages of one host page; None for the larger of what the two say.
        max_memory: memory for states, in bytes or as ``"512M"``.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: there is no such protocol, or the size does not fit.
        SpecError: one of them cheats or errs.
    """
    whole_numbers(pages=pages, in_flight=in_flight)
    behaviour = {"behaviour_pages": behaviour_pages, "behaviour_in_flight": behaviour_in_flight}
    unless_none(whole_numbers, **behaviour, host_page=host_page)
    functions(progress=progress)
    old, new = load(base), load(change)
    group = max(old.protocol.group, new.protocol.group) if host_page is None else host_page
    behaviours = Size(
        pages if behaviour_pages is None else behaviour_pages,
        in_flight if behaviour_in_flight is None else behaviour_in_flight,
        group,
    )
    names = (old.name, new.name)
    at = Size(pages, in_flight, group)
    options = Options(max_memory=left_for_states(asked_for_states(max_memory)))
    found = compare(names, old.protocol, new.protocol, at, behaviours, options, of_search(progress))
    return DiffResult(" to ".join(names), found)
