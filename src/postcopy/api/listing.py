"""`listing`: the names that functions and commands take, in lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import msgspec
from rich.console import Console

from postcopy.api.asking import ProtocolLike, load
from postcopy.api.result import Shown, as_json
from postcopy.errors import UsageError
from postcopy.model.postcopy import Postcopy
from postcopy.report.pages.plain import page
from postcopy.report.records.listings import LISTINGS, OF_A_PROTOCOL, Listing, Row
from postcopy.report.terminal.listings import print_listing
from postcopy.suggestions import not_among


@dataclass(frozen=True, repr=False)
class Rows(Shown):
    """What there is to name. It has a length, and its rows are records with attributes, such as ``name``.

    Attributes:
        name: what is listed, such as ``faults``.
        rows: the rows.
    """

    name: str
    rows: Sequence[Row]

    @property
    def sentence(self) -> str:
        """How many there are."""
        return f"{len(self.rows)} {self.name}"

    def print_to(self, console: Console) -> None:
        """Print the table as the terminal shows it."""
        print_listing(Listing(self.name), self.rows, console)

    def page(self, command: str = "") -> str:
        """The table as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return page("list", self.name, "list", self.sentence, str(self), command)

    def json(self) -> str:
        """The rows as one JSON list, as ``--json`` prints them."""
        return as_json(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __bool__(self) -> bool:
        """Whether there are any, as of a list."""
        return bool(self.rows)

    def _repr_html_(self) -> str:
        """A table."""
        rows: list[dict[str, object]] = msgspec.to_builtins(self.rows)
        columns = list(rows[0]) if rows else []
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(f"<tr>{''.join(_cell(row[column]) for column in columns)}</tr>" for row in rows)
        return f"<p>{escape(self.sentence)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f'<td style="text-align:left">{escape(text)}</td>'


def listing(what: str, protocol: ProtocolLike | None = None) -> Rows:
    """The faults, changes, real bugs and rules that there are; or the properties, actions and options of a protocol.

    Args:
        what: ``faults``, ``changes``, ``history``, ``others``, ``qemu``, ``rules``; or of a protocol ``properties``,
            ``actions``, ``options``.
        protocol: as `check` takes it; None for the document's.

    Raises:
        UsageError: there is no such list or protocol, or the list is of no protocol and one is given.
        SpecError: the protocol cheats or errs.
    """
    if what not in list(Listing):
        raise UsageError(not_among("listing", what, Listing))
    if protocol is not None and what not in OF_A_PROTOCOL:
        *others, last = sorted(OF_A_PROTOCOL)
        raise UsageError(f"only {', '.join(others)} and {last} can be listed of a file or change")
    found = LISTINGS[Listing(what)](load(Postcopy if protocol is None else protocol).protocol)
    return Rows(Listing(what).value, found)
