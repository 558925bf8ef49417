"""Plain command lines of `check` are read without Typer, and exactly as it reads them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.cli import check
from postcopy.cli.app import call
from postcopy.cli.check import CheckOptions
from postcopy.cli.plain import COMPLETION, FLAGS, WITH_A_WORD, plain_check

WORDS = (
    "1",
    "2",
    "64",
    "65",
    "007",
    "-1",
    "+3",
    "1.5",
    "x",
    "512M",
    "lost-wake-up",
    "auto",
    "compiled",
    "AUTO",
    "",
    "٣",
)


def by_typer(line: list[str], monkeypatch: pytest.MonkeyPatch) -> CheckOptions | None:
    """What Typer makes of a command line; None where it refuses it."""
    asked: list[CheckOptions] = []

    def command(options: CheckOptions) -> int:
        asked.append(options)
        return 0

    monkeypatch.setattr(check, "command", command)
    call(line)
    return asked[0] if asked else None


def values(asked: CheckOptions) -> dict[str, Any]:
    """What a command makes use of: no property named is as good as None."""
    found = {field.name: getattr(asked, field.name) for field in fields(asked)}
    return {**found, "context": list(asked.context.obj), "properties": list(asked.properties or [])}


def options() -> st.SearchStrategy[list[str]]:
    named, word = st.sampled_from(sorted(WITH_A_WORD)), st.sampled_from(WORDS)
    apart = st.tuples(named, word).map(list)
    joined = st.tuples(named, word).map(lambda both: ["=".join(both)])
    alone = st.sampled_from([*FLAGS, *WITH_A_WORD, "--help", "--", "-x", "--nothing", "Postcopy"]).map(
        lambda one: [one]
    )
    return st.one_of(apart, apart, joined, alone)


@pytest.mark.unmeasured
@settings(max_examples=150, deadline=None)
@given(st.lists(options(), max_size=4))
def test_a_plain_line_is_read_as_typer_reads_it(parts: list[list[str]]) -> None:
    line = ["check", *(word for part in parts for word in part)]
    plain = plain_check(line)
    if plain is not None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            typed = by_typer(line, monkeypatch)
        assert typed is not None, line
        assert values(plain) == values(typed)


@pytest.mark.parametrize(
    "line", [["check"], *(["check", flag] for flag in FLAGS), ["check", "Postcopy", "--pages", "3", "--property=a"]]
)
def test_what_is_plain_is_read(line: list[str]) -> None:
    assert plain_check(line) is not None


@pytest.mark.parametrize(
    "word", ["--help", "--pages=x", "--pages", "--disk=.", "--workers=65", "--engine=fast", "--", "-v"]
)
def test_anything_else_is_left_to_typer(word: str) -> None:
    assert plain_check(["check", word]) is None


def test_a_shell_that_completes_a_word_is_left_to_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPLETION, "complete_bash")
    assert plain_check(["check"]) is None


@pytest.mark.unmeasured
def test_a_plain_check_imports_neither_typer_nor_what_it_does_not_need() -> None:
    """They take a quarter of the time of a small check."""
    program = (
        "import sys\nfrom postcopy.cli.main import main\n"
        "try:\n    main(['check', '--pages', '1', '--in-flight', '1'])\n"
        "finally:\n    print(sorted({'typer', 'pydantic', 'msgspec', 'numba', 'numpy.ma'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
