"""The SVG chart in a real browser, which measures its texts: each is inside of its box, and none meets another."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver

from postcopy.catalogue.properties import with_everything
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.report.charts.svg import sequence_svg
from postcopy.report.story.itf import read_itf
from postcopy.report.story.tell import tell
from tests.report.chromium import Browser, needs_chromium
from tests.report.examples import old_letter

pytestmark = needs_chromium
STORED = Path(__file__).parents[2] / "counterexamples"

CHARTS = [
    "no-discards",
    "cancel-after-switch",
    "keep-alive-first",
    "does-not-ask-again",
    "criu-lazy-pages",
    "cloud-hypervisor",
    "deltas-in-postcopy",
    "listen-waits-for-main",
]
"""Counterexamples with few and many lanes, a loop, a deadlock, long words, and other implementations."""

OVER = """
const frame = document.documentElement.viewBox.baseVal;
const boxes = [...document.querySelectorAll("rect.note, rect.pill")].map((rect) => rect.getBBox());
const texts = [...document.querySelectorAll("text")].map((text) => [text.textContent, text.getBBox()]);
const right = (box) => box.x + box.width;
const bottom = (box) => box.y + box.height;
const holds = (box, x, y) => x > box.x && x < right(box) && y > box.y && y < bottom(box);
return texts.filter(([, text]) => {
  if (text.x < 0 || right(text) > frame.width || bottom(text) > frame.height) return true;
  const own = boxes.filter((box) => holds(box, text.x + text.width / 2, text.y + text.height / 2)).at(-1);
  return own && (text.x < own.x || right(text) > right(own) || text.y < own.y - 2 || bottom(text) > bottom(own) + 2);
}).map(([words]) => words);
"""
"""Texts that are outside of the picture or of the box that their middle is in."""


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Browser:
    found = Browser(driver)
    found.dark(False)
    return found


def chart(browser: Browser, folder: Path, name: str) -> None:
    run = old_letter() if name == "letters" else read_itf(STORED / f"{name}.itf.json", with_everything, fingerprint)
    file = folder / f"{name}.svg"
    file.write_text(sequence_svg(tell(run)), encoding="utf-8")
    browser.load(file.as_uri())


@pytest.mark.parametrize("name", ["letters", *CHARTS])
def test_every_text_is_inside_of_its_box_and_of_the_picture(browser: Browser, folder: Path, name: str) -> None:
    chart(browser, folder, name)
    assert len(browser.all("text")) > 5
    assert browser.run(OVER) == []


def test_a_text_over_its_box_is_found(browser: Browser, folder: Path) -> None:
    chart(browser, folder, "no-discards")
    browser.run("document.querySelectorAll('text').forEach((text) => { text.style.fontSize = '17px'; })")
    over = browser.run(OVER)
    assert "OPEN_RETURN_PATH" in over
    assert len(over) > 5


def test_the_chart_is_dark_where_the_reader_wants_it(browser: Browser, folder: Path) -> None:
    chart(browser, folder, "no-discards")
    colour = "return getComputedStyle(document.querySelector('.bg')).fill"
    assert browser.run(colour) == "rgb(255, 255, 255)"
    browser.dark(True)
    assert browser.run(colour) == "rgb(15, 20, 25)"
