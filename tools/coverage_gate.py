"""Says which branches the tests take, by room, and fails where that is too few.

`python -m coverage_gate` reads what `coverage` has measured. The demands stand in pyproject.toml, under
`tool.postcopy.coverage`: the files that need every branch, the percentage that all others need, and the files that have
less, each with the reason. A file with too little and no reason fails, and so does a reason that is no longer needed.
Figures differ a little from run to run: a reason is not needed from a percentage on that is well above the least.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import msgspec

from architecture.imports import room

ROOT = Path(__file__).parents[1]
PACKAGE = "src/postcopy/"


class Demands(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What pyproject.toml asks for.

    Attributes:
        least: percent of the lines and branches of a file, as `coverage` counts them.
        enough: percent from which on a file needs no reason.
        complete: patterns of files that need all of them.
        incomplete: patterns of files that need only `least`, though a pattern of `complete` has them.
        below: the files that have, or may have, less than `least`, with the reasons. Paths are relative to
            src/postcopy.
    """

    least: int
    enough: int
    complete: list[str]
    incomplete: list[str]
    below: dict[str, str]


@dataclass(frozen=True)
class Measured:
    """The lines and branches of a file that could be covered, and those that were."""

    possible: int
    covered: int

    @property
    def percent(self) -> float:
        """100 for a file without code."""
        return 100 * self.covered / self.possible if self.possible else 100.0


def read_demands(pyproject: Path = ROOT / "pyproject.toml") -> Demands:
    """The demands of a pyproject.toml."""
    return msgspec.convert(tomllib.loads(pyproject.read_text())["tool"]["postcopy"]["coverage"], Demands)


def read_report(report: Mapping[str, object]) -> dict[str, Measured]:
    """The files of a JSON report by `coverage`, by their paths in the package."""
    files = msgspec.convert(report["files"], dict[str, dict[str, object]])
    found = {}
    for path, about in files.items():
        summary = msgspec.convert(about["summary"], dict[str, float | str])
        number = {name: int(summary.get(name, 0)) for name in _COUNTS}
        possible = number["num_statements"] + number["num_branches"]
        found[path.removeprefix(PACKAGE)] = Measured(possible, number["covered_lines"] + number["covered_branches"])
    return found


_COUNTS = ("num_statements", "num_branches", "covered_lines", "covered_branches")


def complaints(files: Mapping[str, Measured], demands: Demands) -> list[str]:
    """What is too little, and which reasons are not needed."""
    found = []
    for path, measured in sorted(files.items()):
        needed = 100 if is_complete(path, demands) else demands.least
        if measured.percent < needed and path not in demands.below:
            found.append(f"{path}: {measured.percent:.1f} % is covered, {needed} % is needed")
    for path in sorted(demands.below):
        if path not in files:
            found.append(f"{path}: has a reason in pyproject.toml, and does not exist")
        elif files[path].percent >= demands.enough:
            found.append(f"{path}: has a reason in pyproject.toml, and needs none: {files[path].percent:.1f} %")
    return found


def is_complete(path: str, demands: Demands) -> bool:
    """Whether a file needs every branch."""
    return _matches(path, demands.complete) and not _matches(path, demands.incomplete)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def by_room(files: Mapping[str, Measured]) -> dict[str, Measured]:
    """The sums over the files of each room."""
    found: dict[str, Measured] = {}
    for path, measured in sorted(files.items()):
        before = found.get(room(path), Measured(0, 0))
        found[room(path)] = Measured(before.possible + measured.possible, before.covered + measured.covered)
    return found


def text(files: Mapping[str, Measured], demands: Demands) -> str:
    """A line for each room, one for the whole, and one for each file that has a reason to be below."""
    whole = Measured(sum(m.possible for m in files.values()), sum(m.covered for m in files.values()))
    lines = [f"{measured.percent:6.1f} %  {name}" for name, measured in by_room(files).items()]
    lines += [f"{whole.percent:6.1f} %  all", "", f"fewer than {demands.least} % in some runs, and why:"]
    lines += [
        f"{files[path].percent:6.1f} %  {path}: {why}" for path, why in sorted(demands.below.items()) if path in files
    ]
    return "\n".join(lines)


def main() -> int:
    """Print the report for what has been measured; 1 if something is wrong."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "coverage.json"
        run(["coverage", "json", "-q", "-o", str(file)], check=True, cwd=ROOT)
        files = read_report(json.loads(file.read_text()))
    demands = read_demands()
    print(text(files, demands))
    wrong = complaints(files, demands)
    if wrong:
        print("\nwrong:", *wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
