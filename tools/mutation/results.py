"""What became of mutants, and the file of JSON lines that keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Fate(StrEnum):
    """What becomes of a mutant."""

    KILLED = "killed"
    EQUIVALENT = "equivalent"
    SURVIVES = "survives"


@dataclass(frozen=True)
class Judgement:
    """What became of a mutant.

    Attributes:
        mutant: its name.
        fate: what became of it.
        by: the property that kills it, or the reason why it is equivalent.
        size: pages, messages in flight and target pages of a host page at which it was killed; empty if it was not.
    """

    mutant: str
    fate: Fate
    by: str
    size: tuple[int, ...] = ()

    def record(self) -> dict[str, object]:
        """The fields for JSON."""
        return asdict(self)


def load(path: Path) -> dict[str, Judgement]:
    """The judgements that a file holds, by the names of the mutants; the last of each."""
    if not path.exists():
        return {}
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {r["mutant"]: Judgement(r["mutant"], Fate(r["fate"]), r["by"], tuple(r["size"])) for r in records}


def append(path: Path, judgement: Judgement) -> None:
    """Add a judgement to a file."""
    with path.open("a") as file:
        file.write(json.dumps(judgement.record(), ensure_ascii=False) + "\n")


def write(path: Path, judgements: Iterable[Judgement]) -> None:
    """Write a file anew."""
    path.write_text("".join(json.dumps(j.record(), ensure_ascii=False) + "\n" for j in judgements))
