"""A violation that a missing role may explain says so, in every format."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run

FILE = """
from postcopy.language import Bitmap
from tests.roles.buffers import Buffered

class Undeclared(Buffered):
    '''Nothing is wrong with it but the declaration.'''
    class destination(Buffered.destination):
        '''Its buffer has no role.'''
        buffer = Bitmap("the page that has been read and not placed")
"""
SAID = (
    "no-page-lost asks for the pages of roles, and destination.buffer has none and is read by no property: declare its "
    "role (role=...) or the thread that waits (waits=...), or this may be a false alarm"
)


def test_every_format_says_it_beside_the_violation(run: Run, tmp_path: Path) -> None:
    file, page = tmp_path / "undeclared.py", tmp_path / "report.html"
    file.write_text(FILE)
    command = ("check", str(file), "--pages", "1", "--in-flight", "1")
    text = " ".join(run(*command, "--report", str(page)).out.split())
    assert f"! {SAID}" in text[text.index("violated: ") :]
    assert SAID in " ".join(page.read_text().split())
    record = json.loads(run(*command, "--json").out)
    assert [(w["kind"], w["name"], w["properties"], w["text"]) for w in record["warnings"]] == [
        ("set of pages without a role", "destination.buffer", ["no-page-lost"], SAID)
    ]
