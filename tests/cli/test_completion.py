"""What the shell completes, and that it does so without waiting for the compiler."""

import os
import subprocess
import sys

import pytest

from postcopy.catalogue.history import PROTOCOLS

HEAVY = ("numba", "llvmlite", "numpy", "z3", "networkx", "scipy")
PROGRAM = f"""
import sys
from postcopy.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(*sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)
"""
"""The command line, which says in the end what heavy modules it imported."""


def light(*arguments: str, **environment: str) -> list[str]:
    """The words that a command prints; it imports nothing heavy."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr.strip() == ""
    return result.stdout.split()


def completed(line: str) -> list[str]:
    """What bash is offered at the end of a line."""
    word = str(line.count(" "))
    return light(_POSTCOPY_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=word)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("che", ["check"]),
        ("check --fault no-di", ["no-discards"]),
        ("check --change switch-after-p", ["switch-after-pong", "switch-after-pong-locked"]),
        ("check --bug ", list(PROTOCOLS)),
        ("list ", ["faults", "changes", "history", "properties", "actions", "rules"]),
        ("schema list-f", ["list-faults"]),
    ],
)
def test_names_are_completed(line: str, offered: list[str]) -> None:
    assert completed(f"postcopy {line}") == offered


def test_help_imports_nothing_heavy() -> None:
    assert "check" in light("--help")
