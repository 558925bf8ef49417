"""What the exports of a tiny protocol look like, to the letter; renewed by `python -m tests.export.test_golden`."""

from pathlib import Path

import pytest

from postcopy.export.files import FORMS, files
from postcopy.language.instance import Instance
from tests.export.tiny import PROPERTIES, Tiny

GOLDEN = Path(__file__).parent / "golden"
NAMES = {"promela": "Tiny.pml", "tla": "Tiny.tla", "aut": "Tiny.aut"}
SIZES = {"promela": (2, 2), "tla": (2, 2), "aut": (1, 1)}


def exports(form: str) -> dict[Path, str]:
    """The files of an export, each with its text."""
    pages, in_flight = SIZES[form]
    instance = Instance(Tiny, pages, in_flight, PROPERTIES, pages)
    return {path: text for path, text in files(form, instance, "Tiny", GOLDEN / NAMES[form]).items() if path}


@pytest.mark.parametrize("form", FORMS)
def test_the_tiny_protocol_is_written_as_it_was(form: str) -> None:
    for path, text in exports(form).items():
        assert path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    for each in FORMS:
        for file, content in exports(each).items():
            file.write_text(content, encoding="utf-8")
