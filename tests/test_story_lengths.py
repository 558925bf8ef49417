"""The tool that renews pinned lengths of stories: it finds each, and puts new numbers in their places alone."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from documentation import story_lengths
from documentation.story_lengths import FILES, pins, renew
from postcopy.catalogue.history_in_qemu import PUT_BACK
from postcopy.catalogue.qemu import LAST_KEPT, OVERLAPPING
from postcopy.catalogue.qemu_7_2_defects import IN_7_2, OLDER
from postcopy.catalogue.qemu_defects import DEFECTS, LIMITS
from postcopy.catalogue.qemu_faults import FOUND
from postcopy.catalogue.shown import Shown

TEXT = '''"""é"""
from postcopy.catalogue.shown import Shown

def _longer(name, steps, more=1):
    return Shown(name, "no-deadlock", steps, more)

ANSWERS = (Shown("é", "no-two-guests", 7, 9), _longer("b", 7), _longer("c", more=7, steps=23),
           Shown("holds", "no-deadlock", 0), Shown("d", "no-two-guests", 7, 7, in_flight=7))
'''


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    """A module that pins four stories."""
    path = tmp_path / "pinned.py"
    path.write_text(TEXT, encoding="utf-8")
    made = ModuleType("pinned")
    made.__file__ = str(path)
    exec(TEXT, vars(made))
    return made


def finds(monkeypatch: pytest.MonkeyPatch, lengths: dict[str, int]) -> None:
    """Let the search answer with a run of this length, by the protocol's name."""

    def search(question: Shown) -> SimpleNamespace:
        steps = lengths.get(question.protocol)
        return SimpleNamespace(counterexample=steps and SimpleNamespace(steps=[None] * steps))

    monkeypatch.setattr(story_lengths, "search", search)


def test_every_story_of_the_catalogue_is_pinned_once() -> None:
    found = [pin.question for module in FILES for pin in pins(Path(str(module.__file__)).read_text(), module)]
    asked = [each.asked for each in (*IN_7_2, *OLDER) if each.asked]
    defects = [each.shown for each in (*DEFECTS, *LIMITS) if each.shown]
    faults_and_bugs = [*(each.shown for each in FOUND), *(each.shown for each in PUT_BACK)]
    registered = [OVERLAPPING, LAST_KEPT, *asked, *defects, *faults_and_bugs]
    assert sorted(found) == sorted(shown for shown in registered if shown.steps)


def test_a_number_changes_where_it_is_pinned_and_nowhere_else(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(str(module.__file__))
    finds(monkeypatch, {"é": 110, "b": 8, "c": 5, "d": 7})
    assert renew(path, module, [], write=True)
    new = path.read_text(encoding="utf-8")
    assert new == TEXT.replace('guests", 7, 9', 'guests", 110, 9').replace('"b", 7', '"b", 8').replace("23", "5")


def test_nothing_is_written_unasked(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(str(module.__file__))
    finds(monkeypatch, {"é": 7, "b": 8, "c": 23, "d": 7})
    assert not renew(path, module, [], write=False)
    assert path.read_text(encoding="utf-8") == TEXT
    assert "*   7     8  no-deadlock  b" in capsys.readouterr().out
    assert renew(path, module, ["no-two-guests"], write=False)


def test_a_story_that_is_not_found_keeps_its_number(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(str(module.__file__))
    finds(monkeypatch, {"é": 7, "b": 7, "d": 7})
    assert not renew(path, module, [], write=True)
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_file_that_has_changed_meanwhile_is_not_written(module: ModuleType) -> None:
    pin = pins(TEXT, module)[-1]
    with pytest.raises(ValueError, match="has ' ' where 7 was: read the file again"):
        pin.renewed(TEXT.replace('("d"', '("dd"'), 8)
