"""Files for a user: what is replaced, what is refused, and that a file is whole or not there."""

import importlib
import os
import pkgutil
from pathlib import Path

import pytest

from postcopy import report
from postcopy.errors import UsageError
from postcopy.report.charts.formats import ENDINGS, format_of, formats
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.story.story_format import StoryFormat

COMMENTED = FileFormat((".txt",), "a text", comment=f"# {WRITTEN}")
MARKED = FileFormat((".json",), "an object", begins="{")
BOTH = pytest.mark.parametrize(("form", "content"), [(COMMENTED, "one line"), (MARKED, "{}")])


@BOTH
def test_what_was_written_may_be_replaced_and_nothing_else(tmp_path: Path, form: FileFormat, content: str) -> None:
    path = tmp_path / f"a{form.ending}"
    form.refuse(path)
    form.save(path, content)
    form.refuse(path)
    path.write_text("My own work\n")
    with pytest.raises(UsageError, match="is there already, and postcopy has not written it"):
        form.refuse(path)
    form.refuse(path, force=True)
    path.write_text("")
    form.refuse(path)


def test_a_file_cut_short_is_not_taken_for_an_earlier_result(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    COMMENTED.save(path, "many lines\n" * 100)
    path.write_text(path.read_text()[:-5])
    with pytest.raises(UsageError, match="choose another name, or give force=True"):
        COMMENTED.refuse(path)


def test_a_name_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--out .*a\.svg: the name has to end in \.txt"):
        COMMENTED.refuse(tmp_path / "a.svg", option="--out")
    FileFormat((), "anything").refuse(tmp_path / "a.svg")


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    COMMENTED.save(path, "before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match=r"a\.txt: cannot be written: No space left on device"):
        COMMENTED.save(path, "after")
    assert path.read_text() == f"before\n# {WRITTEN}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_every_format_of_a_story_that_a_file_declares_is_listed() -> None:
    names = [module.name for module in pkgutil.walk_packages(report.__path__, f"{report.__name__}.")]
    declared = [getattr(importlib.import_module(name), "FORMAT", None) for name in names]
    assert {form for form in declared if isinstance(form, StoryFormat)} == set(formats())
    assert ", ".join(form.ending for form in formats()) == ENDINGS


@pytest.mark.parametrize("form", formats(), ids=lambda form: form.ending)
def test_every_format_of_a_story_has_a_mark_and_a_name_of_its_own(form: StoryFormat) -> None:
    assert bool(form.begins) != bool(form.comment)
    assert format_of(Path(f"run{form.ending}"), "--trace") is form
    assert form.help
    assert form.media.partition("/")[0] in ("text", "image", "application")
