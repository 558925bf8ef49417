"""What needs a package that is not installed says how to install it, before any work."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from postcopy.api import check_settings, checking
from postcopy.cli import check
from tests.cli.conftest import CHANGE, Run, refused

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HINT = re.compile(r"pip install '([\w-]+)\[(\w+)\]'")


def _searches(*_: object) -> None:
    raise AssertionError("a search begins, and Ray is missing")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--pages", "3"], ["--fault", "no-discards"], ["--no-liveness", "--json"], ["FILE"]],
    ids=lambda given: " ".join(given) or "nothing more",
)
def test_a_cluster_without_ray(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(check_settings, "find_spec", lambda _: None)
    monkeypatch.setattr(checking, "Exploration", _searches)
    monkeypatch.setattr(check, "provide_cache", _searches)
    mine = tmp_path / "mine.py"
    mine.write_text(CHANGE)
    given = [str(mine) if argument == "FILE" else argument for argument in arguments]
    said = refused(run, "check", "--cluster", "2", *given)
    assert said == "postcopy: --cluster needs Ray: pip install 'postcopy-mc[cluster]'\n"


def test_every_hint_names_this_distribution_and_an_extra_that_it_has() -> None:
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py")]
    hints = {hint for text in texts for hint in HINT.findall(text)}
    assert {extra for _, extra in hints} >= {"cluster", "proof"}
    assert hints <= {(PROJECT["name"], extra) for extra in PROJECT["optional-dependencies"]}
