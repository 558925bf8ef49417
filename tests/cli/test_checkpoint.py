"""The options for checkpoints and workers: what they do, and the messages for wrong use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "a", "--resume", "b"], "leave --checkpoint away"),
        (["--checkpoint", "a", "--engine", "interpreted"], "only a compiled search can be kept"),
        (["--resume", "nowhere"], "there is no checkpoint to resume"),
        (["--workers", "0"], "--workers"),
        (["--checkpoint-every", "-1"], "--checkpoint-every"),
    ],
)
def test_what_cannot_be(run: Run, options: list[str], message: str) -> None:
    assert message in refused(run, "check", "--pages", "1", "--no-liveness", *options)


@pytest.mark.slow
def test_kept_and_taken_up(run: Run, tmp_path: Path) -> None:
    command, kept = ["check", "--pages", "1", "--no-liveness", "--json"], str(tmp_path / "kept")
    first = run(*command, "--checkpoint", kept)
    again = run(*command, "--resume", kept, "--workers", "1")
    assert (first.code, again.code) == (0, 0)
    assert json.loads(again.out)["states"] == json.loads(first.out)["states"]
    assert "nothing is overwritten; use --resume" in refused(run, *command, "--checkpoint", kept)
