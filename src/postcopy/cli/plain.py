"""Command lines of `check` that are read without Typer: to import it, and to have it read one line, is an eighth of the
default check.

Only what Typer takes without a word is read here, and as it takes it. Everything else, mistakes and `--help` among it,
is left to Typer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from postcopy.cli.search_engine import SearchEngine

if TYPE_CHECKING:
    import typer

    from postcopy.cli.check import CheckOptions

COMPLETION = "_POSTCOPY_COMPLETE"
"""Is set where a shell asks what a command line could go on with."""


class _Plain(NamedTuple):
    """An option that takes a word.

    Attributes:
        field: of the record of options.
        read: the word as a value; None where Typer shall read it.
    """

    field: str
    read: Callable[[str], object]


class Given(NamedTuple):
    """What stands for Typer's context: the command line."""

    obj: list[str]


def _word(text: str) -> str | None:
    return text or None


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch("[1-9][0-9]{0,8}", text, re.ASCII) else None


def _workers(text: str) -> int | None:
    number = _whole(text)
    return number if number is not None and number <= 64 else None


def _engine(text: str) -> SearchEngine | None:
    return next((engine for engine in SearchEngine if engine == text), None)


WITH_A_WORD: Mapping[str, _Plain] = {
    "--fault": _Plain("fault", _word),
    "--change": _Plain("change", _word),
    "--bug": _Plain("bug", _word),
    "--pages": _Plain("pages", _whole),
    "--in-flight": _Plain("in_flight", _whole),
    "--host-page": _Plain("host_page", _whole),
    "--property": _Plain("properties", _word),
    "--max-memory": _Plain("max_memory", _word),
    "--engine": _Plain("engine", _engine),
    "--workers": _Plain("workers", _workers),
    "--count": _Plain("count", _whole),
}
"""Options with a word behind them, or behind a ``=``."""

FLAGS: Mapping[str, str] = {
    "--no-symmetry": "no_symmetry",
    "--vcpu-symmetry": "vcpu_symmetry",
    "--reset-dead": "reset_dead",
    "--no-liveness": "no_liveness",
    "--small-table": "small_table",
    "--strict": "strict",
    "--all-properties": "all_properties",
    "--verbose": "verbose",
    "--json": "as_json",
}
"""Options that stand alone, with their fields."""


def plain_check(given: list[str]) -> CheckOptions | None:
    """The options of a plain command line of `check`; None where Typer shall read it.

    Args:
        given: the command line, which begins with ``check``.
    """
    found = None if COMPLETION in os.environ else _read(given[1:])
    if found is None:
        return None
    from postcopy.cli.check import CheckOptions

    return CheckOptions(context=cast("typer.Context", Given(given)), **found)  # type: ignore[arg-type]


def _read(words: list[str]) -> dict[str, object] | None:
    """The values of fields; None where a word is anything but plain."""
    found: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=")
        if name in WITH_A_WORD:
            field, read = WITH_A_WORD[name]
            text = value if has_value else next(rest, "")
            given = None if text.startswith("-") else read(text)
        elif word in FLAGS:
            field, given = FLAGS[word], True
        else:
            field, given = "target", None if word.startswith("-") else _word(word)
        if given is None or (field in found and field != "properties"):
            return None
        found[field] = [*cast("list[object]", found.get(field, [])), given] if field == "properties" else given
    return found
