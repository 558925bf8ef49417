"""Listings as tables on the terminal. Names stay whole at any width, and only prose is folded."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from postcopy.report.records.listings import Listing, Row

ONLY_IN_JSON: dict[Listing, frozenset[str]] = {
    Listing.CHANGES: frozenset({"breaks", "origin"}),
    Listing.HISTORY: frozenset({"breaks", "mended"}),
    Listing.OTHERS: frozenset({"breaks"}),
    Listing.QEMU: frozenset({"origin"}),
}
"""What a table on a terminal has no room for."""

PROSE = frozenset({"what", "sentence", "does", "rule", "without it"})
"""Columns of sentences; a rule that is only a number is narrow anyway."""

LEAST = 24
"""Prose is not folded to fewer columns than this: the row is printed as a paragraph instead."""

GAP = 2
SHORT = 3
"""Names of so many characters, such as a rule's, stand two to a line."""


def print_listing(what: Listing, rows: Sequence[Row], console: Console) -> None:
    """A table where there is room for the names and some prose beside them, else a paragraph for each row."""
    if not rows:
        console.print(f"there are no {what}")
        return
    shown = [_shown(what, row) for row in rows]
    in_table = [{column: _in_pairs(value) for column, value in row.items()} for row in shown]
    columns = list(shown[0])
    prose = [c for c in columns if c in PROSE and any(" " in row[c] and len(row[c]) > LEAST for row in shown)]
    others = sum(
        max(len(word) for row in in_table for word in [column, *row[column].split("\n")]) + GAP
        for column in columns
        if column not in prose
    )
    if others + (LEAST + GAP) * len(prose) - GAP <= console.width:
        _print_table(columns, prose, in_table, console)
    else:
        _print_paragraphs(columns, prose, shown, console)


def _print_table(columns: list[str], prose: list[str], rows: list[dict[str, str]], console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=column not in prose)
    for row in rows:
        table.add_row(*(Text(row[column]) for column in columns))
    console.print(table)


def _print_paragraphs(columns: list[str], prose: list[str], rows: list[dict[str, str]], console: Console) -> None:
    first, *rest = columns
    for row in rows:
        console.print(Text(row[first], style="bold"))
        short = [c for c in rest if c not in prose and row[c]]
        for column in short:
            console.print(Padding(Text(f"{column}: " + row[column].replace("\n", ", ")), (0, 0, 0, GAP)))
        for column in prose:
            console.print(Padding(Text(row[column]), (0, 0, 0, GAP)))


def _shown(what: Listing, row: Row) -> dict[str, str]:
    """A row as a table on a terminal has room for it; `--json` has the whole. Several names stand below each other."""
    record: dict[str, object] = msgspec.to_builtins(row)
    if what is Listing.ACTIONS:
        record = {"name": record["name"], "does": f"{record['thread']}: {record['does']}", "rule": record["rule"]}
    return {
        column: "\n".join(value) if isinstance(value, list) else str(value)
        for column, value in record.items()
        if column not in ONLY_IN_JSON.get(what, ())
    }


def _in_pairs(value: str) -> str:
    """Short names that stand below each other, two to a line."""
    names = value.split("\n")
    if any(len(name) > SHORT for name in names):
        return value
    return "\n".join(" ".join(names[i : i + 2]) for i in range(0, len(names), 2))
