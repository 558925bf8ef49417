"""The progress line: on a terminal it says how far a command has come, and elsewhere nothing."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from postcopy.cli import progress


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_line_is_for_terminals(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb one has no line that changes
    written = StringIO()

    def console(**_: Any) -> Console:
        return Console(file=written, force_terminal=is_terminal, width=80)

    monkeypatch.setattr(progress, "Console", console)
    with progress.progress("first") as show:
        show("1,000 states")
    assert ("1,000 states" in written.getvalue()) is is_terminal
    assert bool(written.getvalue()) is is_terminal
