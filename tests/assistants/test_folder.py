"""What an assistant may name: files in its folder, and names of the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.assistants.folder import inside, protocol_inside
from postcopy.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, a folder in it, and a link to a file beside it."""
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    for file in (made / "a.py", made / "sub/b.py", tmp_path / "outside.py"):
        file.write_text("")
    (made / "link.py").symlink_to(tmp_path / "outside.py")
    (made / "up").symlink_to(tmp_path)
    (made / "own.py").symlink_to(made / "a.py")
    return made.resolve()


@pytest.mark.parametrize("name", ["a.py", "sub/b.py", "sub/../a.py", "not-yet.log", "."])
def test_what_lies_in_the_folder_is_named(folder: Path, name: str) -> None:
    assert inside(folder, name) == (folder / name).resolve()


def test_a_link_to_a_file_in_the_folder_is_followed(folder: Path) -> None:
    assert inside(folder, "own.py") == folder / "a.py"


@pytest.mark.parametrize("name", ["../outside.py", "sub/../../outside.py", "link.py", "up/outside.py", "up", ".."])
def test_what_leads_out_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is refused: it leads out of the folder"):
        inside(folder, name)


@pytest.mark.parametrize("name", ["/etc/passwd", "a\0.py"])
def test_what_is_no_name_from_the_folder_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is refused: name files from the folder"):
        inside(folder, name)


def test_an_absolute_name_is_refused_even_in_the_folder(folder: Path) -> None:
    with pytest.raises(UsageError, match="is refused: name files from the folder"):
        protocol_inside(folder, f"{folder / 'a.py'}:C")


def test_names_and_options_stay_and_files_are_named_in_full(folder: Path) -> None:
    assert protocol_inside(folder, "preempt+a.py:C+recovery") == f"preempt+{folder / 'a.py'}:C+recovery"
    assert protocol_inside(folder, "qemu-11+preempt=off") == "qemu-11+preempt=off"
    assert protocol_inside(folder, "prempt") == "prempt"


@pytest.mark.parametrize(
    "text", ["../outside.py:C", "preempt+link.py", "up/outside.py", "preempt+/tmp/x.py", "a.py:C+../outside.py:D"]
)
def test_a_protocol_of_a_file_outside_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(UsageError, match="is refused"):
        protocol_inside(folder, text)


@pytest.mark.parametrize("name", ["x+y.py", "preempt+link.py", "a+b+c.py"])
def test_a_file_with_a_plus_in_its_name_is_refused(folder: Path, name: str) -> None:
    """The catalogue would take the file in the place of two names."""
    if not (folder / name).exists():
        (folder / name).symlink_to(folder.parent / "outside.py")
    with pytest.raises(UsageError, match="a file is named without"):
        protocol_inside(folder, name)
