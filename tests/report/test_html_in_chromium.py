"""The HTML page in a real browser: the slider moves, what is shown changes, nothing is wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from postcopy.catalogue.properties import DEFAULT, with_everything
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.report.pages.check import html
from postcopy.report.records.check import check_record
from postcopy.report.story.contradiction import violated_property
from postcopy.report.story.itf import read_itf
from postcopy.report.story.tell import Story, tell
from tests.report import chromium
from tests.report.chromium import TOO_WIDE, needs_chromium

STORED = Path(__file__).parents[2] / "counterexamples"
pytestmark = needs_chromium

SAFETY, DEADLOCK, LASSO, WIDEST = "no-discards", "listen-waits-for-main", "keep-alive-first", "does-not-ask-again"
PAGES = [SAFETY, DEADLOCK, LASSO, WIDEST, "holds"]
"""Stored counterexamples of each kind, that with the most lanes, and a check in which there is none."""

STEP_BY_STEP = """
const found = [];
for (let step = 0; step < arguments[0]; step += 1) {
  document.querySelector("button.on").click();
  found.push((() => { %s })());
}
return found;
"""
"""A script's answers after each of the first steps."""

SHOWN_TITLES = """
return [...document.querySelectorAll("article .title")].filter((title) => title.checkVisibility())
  .map((title) => title.innerText);
"""
"""What is said to have changed."""

COVERED = """
const [row, panel, heads] = [".row.now", ".panel", ".heads"].map((name) =>
  document.querySelector(name).getBoundingClientRect());
return heads.bottom > row.top + 1 || row.bottom > panel.top + 1;
"""
"""Whether the names of the lanes or the panel lie over the chosen row."""

MEETING = """
const boxes = [...document.querySelectorAll(".head")].map((head) => head.getBoundingClientRect());
return boxes.some((one, i) => boxes.slice(i + 1).some((other) =>
  one.left < other.right - 1 && other.left < one.right - 1 &&
  one.top < other.bottom - 1 && other.top < one.bottom - 1));
"""
"""Whether two names of lanes meet."""


CUT = """
return [...document.querySelectorAll(".head")].filter((head) =>
  head.getBoundingClientRect().top < head.parentElement.getBoundingClientRect().top + 1).map((head) => head.innerText);
"""
"""Names of lanes that are cut off above."""


@cache
def document() -> Verdict:
    return explore(Instance(Postcopy, 1, 1, DEFAULT), Options(engine=Engine.INTERPRETED))


@cache
def told(name: str) -> Story:
    return tell(read_itf(STORED / f"{name}.itf.json", with_everything, fingerprint))


def verdict_of(name: str) -> Verdict:
    """A check with a stored counterexample in the place of its own."""
    if name == "holds":
        return document()
    run = read_itf(STORED / f"{name}.itf.json", with_everything, fingerprint)
    outcome = Outcome.LIVENESS if run.loop is not None else Outcome.VIOLATED
    return replace(document(), outcome=outcome, violated=violated_property(run), counterexample=run)


class Browser(chromium.Browser):
    """Chromium with the page of a check in it."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        super().__init__(driver)
        self.folder = folder

    def open(self, name: str, width: int = 1280, height: int = 900) -> None:
        file = self.folder / f"{name}.html"
        if not file.exists():
            verdict = verdict_of(name)
            file.write_text(html(verdict, [], check_record(verdict, name), ""), encoding="utf-8")
        self.load(file.as_uri(), width, height)

    def at_each_step(self, script: str, steps: int) -> list[Any]:
        """What a script answers after each step."""
        found = self.run(STEP_BY_STEP % script, steps)
        assert isinstance(found, list)
        return found

    @property
    def shown(self) -> str:
        (article,) = (a for a in self.all("article") if a.is_displayed())
        return article.text

    @property
    def step(self) -> int:
        """The step that the slider, the chart and the panel agree on."""
        step = int(self.one(".slide input").get_property("value"))  # type: ignore[arg-type]
        assert [row.get_attribute("data-step") for row in self.all(".row.now")] == ([str(step)] if step else [])
        assert self.shown.startswith(f"Step {step} of" if step else "The beginning")
        return step


@pytest.fixture
def browser(driver: webdriver.Chrome, folder: Path) -> Iterator[Browser]:
    found = Browser(driver, folder)
    found.dark(False)
    yield found
    assert found.errors() == []


def test_keys_and_buttons_move_the_slider_and_what_is_shown(browser: Browser) -> None:
    browser.open(SAFETY)
    story = told(SAFETY)
    assert browser.step == 0
    browser.press(Keys.ARROW_RIGHT)
    assert browser.step == 1
    assert story.steps[0].what in browser.shown
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert browser.step == 2
    browser.one("button.on").click()
    assert browser.step == 3
    browser.one("button.back").click()
    assert browser.step == 2
    browser.press(Keys.END)
    assert browser.step == len(story.steps)
    browser.press(Keys.ARROW_RIGHT)
    assert browser.step == len(story.steps)
    browser.press(Keys.HOME)
    assert browser.step == 0


def test_the_slider_itself_and_a_row_of_the_chart_choose_a_step(browser: Browser) -> None:
    browser.open(SAFETY)
    slider = browser.one(".slide input")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert browser.step == 2
    browser.one('.row[data-step="5"] button').click()
    assert browser.step == 5


def test_the_address_names_the_step(browser: Browser) -> None:
    browser.open(SAFETY)
    browser.press(Keys.ARROW_RIGHT)
    assert browser.driver.current_url.endswith("#1-1")
    browser.run("location.hash = '#1-5'")
    assert browser.step == 5
    browser.driver.refresh()
    assert browser.step == 5
    browser.run("location.hash = '#7-7'")
    assert browser.step == 5


def test_every_step_shows_what_it_changed_and_nothing_else(browser: Browser) -> None:
    browser.open(SAFETY)
    steps = told(SAFETY).steps
    shown = browser.at_each_step(SHOWN_TITLES, len(steps))
    assert shown == [[change.title for change in step.changes] for step in steps]


def test_bitmaps_are_cells(browser: Browser) -> None:
    browser.open(SAFETY)
    (number, change), *_ = (
        (step.number, change) for step in told(SAFETY).steps for change in step.changes if change.bits
    )
    assert change.bits is not None
    browser.one(f'.row[data-step="{number}"] button').click()
    cells = [c for c in browser.all("article .cells") if c.is_displayed()]
    drawn = [
        ["in" in (i.get_attribute("class") or "").split() for i in c.find_elements(By.TAG_NAME, "i")] for c in cells
    ]
    assert drawn[:2] == [[bool(bits >> page & 1) for page in range(told(SAFETY).pages)] for bits in change.bits]


def test_the_rest_is_there_on_demand_and_follows(browser: Browser) -> None:
    browser.open(SAFETY)
    values = "details .value"
    assert not any(value.is_displayed() for value in browser.all(values))
    browser.one("details summary").click()

    def phase() -> str:
        found = (
            "[...document.querySelectorAll('.rest dt')].find((t) => t.textContent === 'how far the migration has come')"
        )
        return str(browser.run(f"return {found}.nextElementSibling.innerText"))

    assert phase() == "idle"
    browser.press(Keys.ARROW_RIGHT)
    assert phase() == "opening"


def test_the_last_step_says_why_it_is_a_contradiction(browser: Browser) -> None:
    browser.open(DEADLOCK)
    browser.press(Keys.END)
    contradiction = told(DEADLOCK).contradiction
    assert contradiction is not None
    assert contradiction.culprits in browser.shown
    assert contradiction.because in browser.shown


def test_a_loop_is_seen_and_gone_round(browser: Browser) -> None:
    browser.open(LASSO)
    story = told(LASSO)
    assert story.loop is not None
    assert [row.get_attribute("data-step") for row in browser.all(".row.again")] == [
        str(step.number) for step in story.repeated
    ]
    assert [banner.text for banner in browser.all(".banner")] == [
        "↻ from here on for ever",
        f"↺ and again from step {story.loop}",
    ]
    browser.press(Keys.END)
    assert story.back in browser.shown
    assert browser.one("button.on").text == "↻"
    browser.press(Keys.ARROW_RIGHT)
    assert browser.step == story.loop
    assert "repeated for ever" in browser.shown


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 861, 1280])
def test_nothing_is_wider_than_the_screen_at_any_step(browser: Browser, name: str, width: int) -> None:
    browser.open(name, width)
    assert browser.run(TOO_WIDE) == []
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    browser.run("document.querySelectorAll('details').forEach((each) => each.open = true)")
    steps = len(told(name).steps) if name != "holds" else 0
    assert browser.at_each_step(TOO_WIDE, steps) == [[]] * steps
    assert not browser.run(MEETING)
    assert browser.run(CUT) == []


def test_what_is_too_wide_is_found(browser: Browser) -> None:
    browser.open(SAFETY, 390)
    browser.run("document.querySelectorAll('article .does').forEach((e) => e.style.minWidth = '500px')")
    assert [] not in browser.at_each_step(TOO_WIDE, 2)


def test_what_is_cut_off_or_meets_is_found(browser: Browser) -> None:
    browser.open(WIDEST, 390)
    browser.run("document.querySelector('.chart').style.setProperty('--tall', '100px')")
    assert "destination operator" in browser.run(CUT)
    browser.run("document.querySelector('.chart').style.setProperty('--pitch', '8px')")
    assert browser.run(MEETING)


def test_an_error_of_the_script_would_be_seen(browser: Browser) -> None:
    browser.open(SAFETY)
    browser.run("setTimeout(() => { throw new Error('seen') }, 0)")
    browser.press(Keys.ARROW_RIGHT)
    assert any("seen" in error for error in browser.errors())


def test_on_a_phone_the_chosen_row_is_not_under_the_panel(browser: Browser) -> None:
    browser.open(WIDEST, 390, 844)
    steps = len(told(WIDEST).steps)
    assert browser.at_each_step(COVERED, steps) == [False] * steps
    browser.run("document.querySelector('.row.now').style.scrollMargin = 0")
    browser.run("document.querySelector('.row.now').scrollIntoView()")
    assert browser.run(COVERED)


def test_light_and_dark(browser: Browser) -> None:
    browser.open("holds")
    background = "return getComputedStyle(document.body).backgroundColor"
    assert browser.run(background) == "rgb(255, 255, 255)"
    browser.dark(True)
    assert browser.run(background) == "rgb(15, 20, 25)"
