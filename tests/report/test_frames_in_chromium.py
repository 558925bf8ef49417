"""Pages of the API and of suites in a real browser: in a notebook's frame the slider moves, and nothing is too wide."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from postcopy import TraceResult, trace
from postcopy.suites import page
from tests.report.chromium import TOO_WIDE, Browser, needs_chromium
from tests.suites.test_outputs import ALL, BROKEN, HOLDS, a_run

STORED = Path(__file__).parents[2] / "counterexamples"
pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def stored() -> TraceResult:
    return trace(STORED / "no-discards.itf.json")


def test_in_a_notebook_the_slider_moves_and_nothing_goes_wrong(
    driver: webdriver.Chrome, folder: Path, stored: TraceResult
) -> None:
    file = folder / "notebook.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8"><p>one</p>{stored._repr_html_()}<p>two</p>')
    browser = Browser(driver)
    browser.errors()
    browser.load(file.as_uri())
    before = browser.run("return getComputedStyle(document.querySelector('p')).fontFamily")
    driver.switch_to.frame(browser.one("iframe"))
    slider = browser.one("input[type=range]")
    assert browser.one(".panel").text.split("\n")[2].startswith("The beginning of")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert "Step 1 of" in browser.one(".panel").text
    driver.switch_to.default_content()
    assert browser.run("return getComputedStyle(document.querySelector('p')).fontFamily") == before
    assert browser.errors() == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_the_screen(
    driver: webdriver.Chrome, folder: Path, stored: TraceResult, width: int, dark: bool
) -> None:
    browser = Browser(driver)
    browser.dark(dark)
    pages = {"trace": stored.page(), "suite": page.html(ALL, a_run(("sound", BROKEN), ("gone", HOLDS)), folder / "x")}
    for name, text in pages.items():
        file = folder / f"{name}.html"
        file.write_text(text)
        browser.load(file.as_uri(), width)
        outside = [part for part in browser.run(TOO_WIDE) if not part.startswith("<pre")]
        assert outside == []
    browser.dark(False)
