"""Results as an assistant reads them: verdict, story, the guard's line, and what was not asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from postcopy.api.checking import CheckResult
from postcopy.api.comparing import DiffResult
from postcopy.api.conforming import ConformResult
from postcopy.api.listing import Rows
from postcopy.api.proving import ProveResult
from postcopy.api.result import Result
from postcopy.api.simulating import SimulateResult
from postcopy.assistants.calls import Reply
from postcopy.catalogue.properties import asked_of
from postcopy.suites.guards import guard_of

LINES = 120
"""So many lines of a story, a comparison or a list are given; of what is longer, the first and the last."""

NAMED = 5
"""So many properties that were not asked are named; more are counted."""


def reply_of(result: Result | Rows, folder: Path) -> Reply:
    """A result, short.

    Args:
        result: what a function of this package has found.
        folder: the folder from which files are named.
    """
    if isinstance(result, Rows):
        rows = [_line(row) for row in msgspec.to_builtins(result.rows)]
        return Reply(verdict="list", sentence=result.sentence, details=shortened(rows))
    run = result.counterexample
    return Reply(
        verdict=result.verdict,
        sentence=result.sentence,
        violated=_violated(result),
        guard="" if run is None else _place(folder, *guard_of(run)),
        story=shortened(result.story.splitlines()),
        warnings=result.warnings if isinstance(result, CheckResult) else [],
        not_asked=_not_asked(result),
        details=[] if run is not None or isinstance(result, CheckResult) else shortened(str(result).splitlines()),
    )


def shortened(given: Iterable[str]) -> list[str]:
    """The lines; of very many, the first and the last."""
    lines = [line.rstrip() for line in given]
    if len(lines) <= LINES:
        return lines
    half = LINES // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]


def _line(row: dict[str, object]) -> str:
    texts = (", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in row.values())
    return " | ".join(text for text in texts if text)


def _violated(result: Result) -> list[str]:
    match result:
        case CheckResult():
            return list(result.all_violated)
        case ProveResult():
            return list(result.named("refuted"))
        case SimulateResult():
            return [result.violated] if result.violated else []
        case DiffResult():
            return [name for name, (_, now) in result.turned.items() if now == "violated"]
    return []


def _place(folder: Path, file: str, line: int) -> str:
    if not file:
        return ""
    path = Path(file).resolve()
    return f"{path.relative_to(folder) if path.is_relative_to(folder) else path}:{line}"


def _not_asked(result: Result) -> list[str]:
    match result:
        case CheckResult():
            instance = result.found.instance
            asked = {each.name for each in instance.properties}
            left = [each.name for each in asked_of(instance.protocol) if each.name not in asked]
            sizes = f"sizes other than {instance.size}: the answer is of this one alone; prove asks for every size"
            return [*_counted(left), sizes]
        case ProveResult():
            size = result.found.answer is not None
            return [*_counted(list(result.named("not asked"))), *(["other sizes: leave pages away"] if size else [])]
        case SimulateResult():
            return ["what must happen in the end", "all runs that no walk took: finding nothing proves nothing"]
        case DiffResult():
            return ["larger sizes than those that were compared"]
        case ConformResult():
            return ["runs other than this one"]
    return []


def _counted(names: list[str]) -> list[str]:
    more = len(names) - NAMED
    return names if more <= 0 else [*names[:NAMED], f"and {more} more properties"]
