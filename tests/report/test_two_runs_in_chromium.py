"""The page of two runs in a real browser: rows, the slider, what differs, narrow and wide, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from postcopy.api.two_runs import TraceDiffResult, diff_traces
from tests.report.chromium import TOO_WIDE, Browser, needs_chromium

STORED = Path(__file__).parents[2] / "counterexamples"
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def two() -> TraceDiffResult:
    return diff_traces(STORED / "no-discards.itf.json", STORED / "cancel-after-switch.itf.json")


@pytest.fixture
def browser(driver: webdriver.Chrome, folder: Path, two: TraceDiffResult) -> Iterator[Browser]:
    page = folder / "two.html"
    if not page.exists():
        two.save(page)
    found = Browser(driver)
    found.dark(False)
    found.load(page.as_uri())
    yield found
    assert found.errors() == []


def shown(browser: Browser) -> str:
    (article,) = (a for a in browser.all("article") if a.is_displayed())
    return article.text


def test_rows_and_keys_choose_what_differs(browser: Browser, two: TraceDiffResult) -> None:
    assert "migrate_set_capability x-postcopy-ram on yes no" in " ".join(shown(browser).split())
    browser.press(Keys.ARROW_RIGHT)
    assert shown(browser).startswith("Row 1 of")
    lonely = next(number for number, pair in enumerate(two.found.pairs, start=1) if not pair.same)
    browser.one(f'.row[data-step="{lonely}"] button').click()
    assert "only A" in shown(browser)
    browser.press(Keys.END)
    assert shown(browser).startswith(f"Row {len(two.found.pairs)} of")
    assert len(browser.all(".row.alone")) == sum(not pair.same for pair in two.found.pairs)


@pytest.mark.slow_but("390")
@pytest.mark.parametrize("width", [390, 861, 1280])
def test_nothing_is_wider_than_the_screen(browser: Browser, two: TraceDiffResult, width: int) -> None:
    browser.load(browser.driver.current_url.partition("#")[0], width)
    for _ in two.found.pairs:
        assert browser.run(TOO_WIDE) == []
        browser.run("document.querySelector('button.on').click()")
    browser.run("document.querySelector('.beside .half').style.minWidth = '1300px'")
    assert browser.run(TOO_WIDE) != []


def test_halves_of_a_row_are_beside_each_other(browser: Browser) -> None:
    browser.load(browser.driver.current_url.partition("#")[0], 390)
    apart = """
    return [...document.querySelectorAll(".row")].every((row) => {
      const [one, other] = [...row.querySelectorAll(".half .text")].map((half) => half.getBoundingClientRect());
      return one.right <= other.left + 1 && Math.abs(one.top - other.top) < 2;
    });
    """
    assert browser.run(apart)
