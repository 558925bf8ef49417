"""The chart is well-formed, needs nothing from elsewhere, and no two of its texts or notes meet."""

import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest

from postcopy.language.trace import Trace
from postcopy.report.charts.drawing import BOLD, SIZE, balance, text_width, wrap
from postcopy.report.charts.svg import sequence_svg
from postcopy.report.story.tell import tell
from tests.report.examples import OLD_LETTER, old_letter, run

SVG = "{http://www.w3.org/2000/svg}"

POSTS: list[tuple[str, int | None]] = OLD_LETTER[:2]
CROWDED: list[tuple[str, int | None]] = [
    ("reader.reads[0]", 1),
    *POSTS,
    ("writer.writes", 1),
    ("writer.posts", 1),
    ("road.washes_away", None),
    ("reader.delivers", None),
    *POSTS,
]


def drawn(trace: Trace) -> ElementTree.Element:
    return ElementTree.fromstring(sequence_svg(tell(trace)))


def classes(root: ElementTree.Element, tag: str, name: str) -> list[ElementTree.Element]:
    return [e for e in root.iter(f"{SVG}{tag}") if name in e.get("class", "").split()]


@pytest.mark.parametrize("trace", [old_letter(), run(CROWDED, None), run([], None)], ids=["old", "crowded", "empty"])
def test_no_two_texts_meet(trace: Trace) -> None:
    boxes = []
    for text in drawn(trace).iter(f"{SVG}text"):
        x, y, width = float(text.get("x", 0)), float(text.get("y", 0)), text_width(text.text or "")
        left = {"middle": x - width / 2, "end": x - width}.get(text.get("text-anchor", ""), x)
        boxes.append((left, left + width, y - 10, y + 2, text.text))
    for one, other in combinations(boxes, 2):
        apart = one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
        assert apart, (one, other)


def test_the_bold_words_of_the_last_step_fit_into_its_box() -> None:
    story = tell(old_letter())
    last = replace(story.steps[-1], what="touches a page while it loads the devices, page 0")
    story = replace(story, steps=(*story.steps[:-1], last))
    root = ElementTree.fromstring(sequence_svg(story))
    [box] = classes(root, "rect", "last")
    top, height, width = (float(box.get(key, 0)) for key in ("y", "height", "width"))
    within = [text for text in classes(root, "text", "strong") if top < float(text.get("y", 0)) < top + height]
    assert within
    for text in within:
        assert text_width(text.text or "", SIZE * BOLD) < width


@pytest.mark.parametrize("trace", [old_letter(), run(CROWDED, None)], ids=["old", "crowded"])
def test_notes_stand_apart_and_inside_the_picture(trace: Trace) -> None:
    root = drawn(trace)
    sides = []
    for note in classes(root, "rect", "note"):
        x, y, width, height = (float(note.get(key, 0)) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + width <= float(root.get("width", 0))
        sides.append((x, x + width, y, y + height))
    for one, other in combinations(sides, 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]


def test_a_message_slopes_from_sender_to_receiver() -> None:
    tip, _ = classes(drawn(old_letter()), "polygon", "tip")  # the other is the legend's
    corners = [tuple(map(float, corner.split(","))) for corner in tip.get("points", "").split()]
    assert corners[0][0] > corners[1][0]
    assert corners[0][1] > corners[1][1]


def test_a_lost_message_ends_in_a_cross_and_one_on_its_way_in_dots() -> None:
    root = drawn(run(CROWDED, None))
    assert len(classes(root, "path", "cross")) == 1
    assert len(classes(root, "line", "pending")) == 1


def test_the_last_step_of_a_counterexample_is_highlighted() -> None:
    assert len(classes(drawn(old_letter()), "rect", "lastrow")) == 1
    assert not classes(drawn(run(OLD_LETTER, None)), "rect", "lastrow")


def test_it_ends_with_why() -> None:
    texts = [text.text for text in drawn(old_letter()).iter(f"{SVG}text")]
    assert "Violated: Nobody reads an old letter (R7)" in texts
    assert texts[-1] == "What was read is not what was written last."


def test_it_needs_nothing_from_elsewhere_and_knows_the_dark() -> None:
    text = sequence_svg(tell(old_letter()))
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


def test_lines_are_broken_and_balanced() -> None:
    assert wrap("", 100) == [""]
    assert all(text_width(line) <= 100 for line in wrap("one two three four five six seven eight", 100))
    assert wrap("unbreakable" * 3, 50) == ["unbreakable" * 3]
    assert balance("receives a page and wakes who waits for it", 186) == [
        "receives a page and",
        "wakes who waits for it",
    ]
