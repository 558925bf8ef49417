"""What works for any protocol does not know the names of one: no text in it names a machine or variable of postcopy.

That these rooms import nothing of the model, the properties and the catalogue stands in tests/test_architecture.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from postcopy.language import Channel, Ghost, Machine
from postcopy.model.postcopy import Postcopy

PACKAGE = Path(__file__).parents[2] / "src/postcopy"
ROOMS = ("language", "explorer", "prover", "export", "report")
PARTS = [*Postcopy.parts(Machine), *Postcopy.parts(Ghost), *Postcopy.parts(Channel)]
NAMED = re.compile(rf"^({'|'.join(PARTS)})$|\b({'|'.join(PARTS)})[.\[]|\b(guest|migration|handover|precopy)\b")

LEFT = {
    ("language/actions.py", "migration"),
    ("language/threads.py", "migration"),
    ("report/results/proof.py", "handover"),
}
"""Files that still name something, and what: the example in the errors about threads, and the sentence on a proof's
ranking, which is postcopy's."""

OF_THE_ENGINE = {"report/pages/migration.py"}
"""Files about the engine, which migrates guests and nothing else: the page of `postcopy run`."""


def texts(source: str) -> Iterator[str]:
    """The texts of a program, without its docstrings."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def named(source: str) -> set[str]:
    """What of postcopy a program's texts name."""
    return {match[0] for text in texts(source) for match in NAMED.finditer(text)}


def test_no_text_names_a_part_of_postcopy() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for room in ROOMS
        for path in (PACKAGE / room).rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in OF_THE_ENGINE
        for name in named(path.read_text(encoding="utf-8"))
    }
    assert found == LEFT


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ('phase = "source.phase"', {"source."}),
        ('for host in ("source", "destination"): pass', {"source", "destination"}),
        ('print(f"boxes are {x} of the stream[0].kind")', {"stream["}),
        ('print("the guest stops")', {"guest"}),
        ('"""source.phase in a docstring"""\nprint("resources. sourced")', set()),
    ],
)
def test_a_name_is_seen(program: str, found: set[str]) -> None:
    assert named(program) == found
