"""The cache of a command: the usual directory, or one for this run, or none; never the end of the command."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import pytest

from postcopy.cache import Cache, user_cache
from postcopy.cli.cache import provide_cache


def test_a_directory_that_can_be_written_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path / "new" / "cache"))
    provide_cache()
    assert user_cache() == Cache(tmp_path / "new" / "cache")
    assert list(user_cache().directory.iterdir()) == []


@pytest.mark.parametrize("usual", ["file", "file/below", "pipe", "name\n" * 200])
def test_another_directory_is_taken_for_this_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], usual: str
) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path / usual))
    provide_cache()
    assert user_cache().directory.parent == tmp_path / "temporary"
    user_cache().put("answer.json", "key", b"proved")
    assert user_cache().get("answer.json", "key") == b"proved"
    said = capsys.readouterr().err
    assert said.startswith("postcopy: cannot keep compiled kernels in ")
    assert said.count("\n") == 1


def test_without_any_directory_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path / "file"))
    provide_cache()
    assert capsys.readouterr().err.count("\n") == 1
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for key in "abc":
            user_cache().put("answer.json", key, b"proved")
    assert len(shown) == 1, "once, and not for each object"
    assert user_cache().get("answer.json", "a") is None
