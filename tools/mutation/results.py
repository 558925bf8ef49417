"""What became of mutants, and the file of JSON lines that keeps it."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Fate(StrEnum):
    """What becomes of a mutant."""

    KILLED = "killed"
    EQUIVALENT = "equivalent"
    SURVIVES = "survives"
    OTHER = "other"
    """Of an edited property: it is no weaker one, and nothing need notice it."""


@dataclass(frozen=True)
class Judgement:
    """What became of a mutant.

    Attributes:
        mutant: its name.
        fate: what became of it.
        by: the property that kills it, or the reason why it is equivalent.
        size: pages, messages in flight and target pages of a host page at which it was killed; empty if it was not.
        of: a digest of the text that was edited: where that has changed, the judgement is stale.
        weaker: of an edited property: something violates the original alone, and nothing the edited one alone.
    """

    mutant: str
    fate: Fate
    by: str
    size: tuple[int, ...] = ()
    weaker: bool | None = None
    of: str = ""

    def record(self) -> dict[str, object]:
        """The fields for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def load(path: Path) -> dict[str, Judgement]:
    """The judgements that a file holds, by the names of the mutants; the last of each."""
    if not path.exists():
        return {}
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {
        r["mutant"]: Judgement(
            r["mutant"], Fate(r["fate"]), r["by"], tuple(r["size"]), r.get("weaker"), r.get("of", "")
        )
        for r in records
    }


def stale(judgements: Iterable[Judgement], digests: Mapping[str, str]) -> list[str]:
    """The mutants whose judgement says nothing any more: there is no such edit now, or it is one of another text.

    Args:
        judgements: judgements that were kept.
        digests: the digests of what is edited now, by the names of the mutants.
    """
    return [j.mutant for j in judgements if digests.get(j.mutant) != j.of]


def digest(text: str) -> str:
    """A short digest of a piece of Python, its docstrings left out."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:8]


def append(path: Path, judgement: Judgement) -> None:
    """Add a judgement to a file."""
    with path.open("a") as file:
        file.write(json.dumps(judgement.record(), ensure_ascii=False) + "\n")


def write(path: Path, judgements: Iterable[Judgement]) -> None:
    """Write a file anew."""
    path.write_text("".join(json.dumps(j.record(), ensure_ascii=False) + "\n" for j in judgements))
