"""`diff_traces`: two stored runs beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from postcopy.api.asking import PropertiesLike, ProtocolLike, path_of
from postcopy.api.result import Result
from postcopy.api.stored_runs import TraceResult, is_of_export, trace
from postcopy.report.pages.two_runs import html
from postcopy.report.records.two_runs import TwoRunsRecord, two_runs_record
from postcopy.report.results.two_runs import TwoRuns, two_runs
from postcopy.report.results.two_runs_words import sentence
from postcopy.report.terminal.two_runs import print_two_runs


@dataclass(frozen=True, repr=False)
class TraceDiffResult(Result):
    """Two runs beside each other.

    Attributes:
        name: the two protocols' names, with ``and`` between them.
        found: their steps aligned, and where they part.
    """

    name: str
    found: TwoRuns

    @property
    def verdict(self) -> str:
        """``same`` or ``different``."""
        return "same" if self.found.alike else "different"

    @property
    def sentence(self) -> str:
        """Where the two part."""
        return sentence(self.found)

    @property
    def record(self) -> TwoRunsRecord:
        """All that ``--json`` prints."""
        return two_runs_record(self.found)

    def print_to(self, console: Console) -> None:
        """Print the comparison as the terminal shows it."""
        print_two_runs(self.found, console)

    def page(self, command: str = "") -> str:
        """The two runs side by side, as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return html(self.found, self.record, command)

    def __bool__(self) -> bool:
        """Never answers: that two runs differ is neither good nor bad.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("a comparison of two runs is neither good nor bad")


def diff_traces(
    first: str | Path,
    second: str | Path,
    protocol: ProtocolLike | None = None,
    second_protocol: ProtocolLike | None = None,
    *,
    pages: int | None = None,
    in_flight: int | None = None,
    host_page: int | None = None,
    properties: PropertiesLike = (),
) -> TraceDiffResult:
    """Two stored runs beside each other, of one protocol or of two: where they part, and what differs from then on.

    Args:
        first, second: the runs (.itf.json).
        protocol: the protocol of the first; None for the one of the catalogue that the file names.
        second_protocol: that of the second, in the same way.
        pages, in_flight, host_page, properties: as for `trace`, of the run that another tool has written.

    Raises:
        TraceError: as `trace`.
        UsageError: as `trace`.
    """

    def read(file: Path, own: ProtocolLike | None) -> TraceResult:
        if not exported[file] and any(exported.values()):
            return trace(file, own)
        return trace(file, own, pages=pages, in_flight=in_flight, host_page=host_page, properties=properties)

    files = path_of("first", first), path_of("second", second)
    exported = {file: is_of_export(file) for file in files}
    one, other = read(files[0], protocol), read(files[1], second_protocol)
    return TraceDiffResult(f"{one.name} and {other.name}", two_runs((one.name, other.name), one.run, other.run))
