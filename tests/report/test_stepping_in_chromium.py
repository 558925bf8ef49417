"""Stepping by hand in a real browser, from a server on this machine: clicking, going back, saving."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from postcopy.catalogue.properties import with_everything
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language.trace import Trace
from postcopy.report.pages.serving import Server
from postcopy.report.pages.stepping import Stepping
from postcopy.report.story.itf import from_itf, read_itf
from tests.report import chromium
from tests.report.chromium import TOO_WIDE, needs_chromium
from tests.report.served import served
from tests.report.test_stepping import STORED

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def stored() -> Trace:
    return read_itf(STORED / "no-discards.itf.json", with_everything, fingerprint)


@pytest.fixture(scope="module")
def stepping(stored: Trace) -> Stepping:
    return Stepping("no-discards", stored.instance)


@pytest.fixture(scope="module")
def server(stepping: Stepping) -> Iterator[Server]:
    with served(stepping) as found:
        yield found


@pytest.fixture
def browser(driver: webdriver.Chrome, server: Server) -> Iterator[chromium.Browser]:
    found = chromium.Browser(driver)
    found.dark(False)
    found.load(server.address)
    yield found
    assert [error for error in found.errors() if "favicon" not in error] == []


def now(browser: chromium.Browser) -> str:
    """The step that is shown."""
    (shown,) = (each for each in browser.all(".which") if each.is_displayed())
    return shown.text


def comes_to(browser: chromium.Browser, steps: int) -> None:
    """Wait for the page of a run of so many steps, which shows the last."""
    WebDriverWait(browser.driver, 10, poll_frequency=0.05).until(lambda d: d.title == f"no-discards: step {steps}")
    assert now(browser).startswith(f"Step {steps} of {steps}" if steps else "The beginning")


CHOICE = """
return [...document.querySelectorAll(".choices li a")].filter((link) =>
  link.checkVisibility() && [link.innerText, link.getAttribute("aria-label")].includes(arguments[0]));
"""
"""What can be clicked by its words."""


def click(browser: chromium.Browser, words: str) -> None:
    (link,) = browser.run(CHOICE, words)
    link.click()


def test_a_counterexample_is_clicked_together_and_saved(
    browser: chromium.Browser, stepping: Stepping, stored: Trace
) -> None:
    for number, step in enumerate(stored.steps, start=1):
        doc = step.action.doc
        click(browser, doc if step.page is None else f"{doc}, page {step.page}")
        comes_to(browser, number)
    assert "Violated: The device load reads no stale page" in browser.one(".shown").text
    assert len(browser.all(".row")) == 17
    saved = browser.one("header a[download]").get_attribute("href")
    body = stepping.answer(str(saved).partition(str(browser.run("return location.host")))[2]).body
    assert from_itf(body, with_everything, fingerprint).states == stored.states


def test_going_back(browser: chromium.Browser) -> None:
    click(browser, "starts the migration")
    comes_to(browser, 1)
    click(browser, "opens the return path")
    comes_to(browser, 2)
    browser.one(".undo a").click()
    comes_to(browser, 1)
    browser.driver.back()
    comes_to(browser, 2)
    browser.press(Keys.BACKSPACE)
    comes_to(browser, 1)
    browser.press("1")
    comes_to(browser, 2)


def test_looking_at_an_earlier_step_and_going_on_from_there(browser: chromium.Browser) -> None:
    for number in (1, 2, 3):
        browser.press("1")
        comes_to(browser, number)
    assert browser.one(".choices").is_displayed()
    browser.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert now(browser).startswith("Step 1 of 3")
    assert not browser.one(".choices").is_displayed()
    (link,) = (each for each in browser.all("article a") if each.is_displayed())
    assert link.text == "Go on from here"
    link.click()
    comes_to(browser, 1)


def test_where_it_starts(browser: chromium.Browser) -> None:
    browser.one(".starts a").click()
    WebDriverWait(browser.driver, 10, poll_frequency=0.05).until(lambda d: "start=" in d.current_url)
    assert "migrate_set_capability x-postcopy-ram on: no" in browser.one("article").text


@pytest.mark.parametrize("width", [390, 861, 1280])
@pytest.mark.parametrize("steps", [0, 17])
def test_nothing_is_wider_than_the_screen(
    browser: chromium.Browser, server: Server, stepping: Stepping, stored: Trace, width: int, steps: int
) -> None:
    start = stepping.starts.index(stored.initial)
    browser.load(f"{server.address}{stepping.query(start, stored.labels[:steps])}#1-{steps}", width, 844)
    comes_to(browser, steps)
    assert browser.run(TOO_WIDE) == []
    last = browser.all(".choices li a")[-1]
    browser.run("arguments[0].scrollIntoView({ block: 'center' })", last)
    assert browser.run(
        """const box = arguments[0].getBoundingClientRect();
        const there = document.elementFromPoint(box.x + 5, box.y + box.height / 2);
        return arguments[0].contains(there);""",
        last,
    )  # it can be reached: nothing lies over it


def test_light_and_dark(browser: chromium.Browser) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    assert browser.run(background) == "rgb(255, 255, 255)"
    browser.dark(True)
    assert browser.run(background) == "rgb(15, 20, 25)"


def test_properties_beside_each_step_follow_and_stay_unfolded(
    browser: chromium.Browser, server: Server, stepping: Stepping, stored: Trace
) -> None:
    browser.load(server.address + stepping.address(stored))
    summary = browser.one(".asked-here summary")
    assert summary.text == "Properties ✗ 1 violated"
    summary.click()
    (broken,) = (each for each in browser.all(".saying.violated") if each.is_displayed())
    assert "no-stale-device-read" in broken.text
    browser.press(Keys.ARROW_LEFT)
    assert summary.text == "Properties ✓ none is violated here"
    assert [each for each in browser.all(".saying.violated") if each.is_displayed()] == []
    shown = [each for each in browser.all(".asked-here li") if each.text]
    assert len(shown) == sum(not p.of_runs for p in stored.instance.properties)
    browser.load(server.address)
    assert browser.one(".asked-here").get_property("open")
    browser.one(".asked-here summary").click()
