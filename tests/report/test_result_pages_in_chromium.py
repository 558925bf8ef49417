"""The pages of all results in a real browser: no text over the edge or too pale, light and dark, down to a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from postcopy.api.checking import check
from postcopy.api.proving import prove
from postcopy.api.stored_runs import trace
from postcopy.api.two_runs import diff_traces
from postcopy.report.pages.migration import html as page_of_run
from postcopy.report.pages.stepping import Stepping
from postcopy.report.state_graph.page import page as graph_page
from postcopy.suites import page as suite_page
from tests.report.chromium import PALE, TOO_WIDE, Browser, needs_chromium
from tests.report.examples import Handover, letters, nothing_arrives
from tests.report.test_graph import graph_of
from tests.report.test_result_pages import SUMMARY, compared, walked
from tests.suites.test_outputs import ALL

pytestmark = needs_chromium
STORED = Path(__file__).parents[2] / "counterexamples"
RUN, OTHER = STORED / "no-discards.itf.json", STORED / "cancel-after-switch.itf.json"

COMMAND = f"postcopy check {'a-long-name-of-a-protocol+' * 6}Postcopy --report page.html"

PAGES: dict[str, Callable[[], str]] = {
    "simulate": lambda: walked(True).page(COMMAND),
    "simulate-nothing": lambda: walked(False).page(COMMAND),
    "diff": lambda: compared().page(COMMAND),
    "run": lambda: page_of_run(SUMMARY, [0.01 * 1.3**n for n in range(40)], COMMAND),
    "trace": lambda: trace(RUN).page(COMMAND),
    "two-runs": lambda: diff_traces(RUN, OTHER).page(COMMAND),
    "check": lambda: check(Handover, pages=1, in_flight=1).page(COMMAND),
    "explore": lambda: Stepping("letters", letters()).answer("/").body.decode(),
    "prove": lambda: prove(Handover).page(COMMAND),
    "suite": lambda: suite_page.html(ALL, None, Path("suite.html")),
    "graph": lambda: graph_page(
        graph_of(["source"], protocol=Handover, pages=2, properties=[nothing_arrives]), COMMAND
    ),
}


@pytest.fixture(params=PAGES)
def browser(driver: webdriver.Chrome, folder: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    page = folder / f"{request.param}.html"
    if not page.exists():
        page.write_text(PAGES[request.param](), encoding="utf-8")
    found = Browser(driver)
    found.dark(False)
    found.load(page.as_uri())
    yield found
    assert found.errors() == []


def test_all_can_be_read_at_every_width_light_and_dark(browser: Browser) -> None:
    address = browser.driver.current_url
    for width in (390, 861, 1280):
        browser.load(address, width)
        browser.run("document.querySelectorAll('details').forEach((each) => each.open = true)")
        assert browser.run(TOO_WIDE) == [], width
    assert browser.run(PALE) == []
    browser.dark(True)
    assert browser.run(PALE) == []
    browser.dark(False)
    browser.run("document.body.style.color = '#bbb'; document.querySelector('h1').style.minWidth = '1400px'")
    assert browser.run(PALE) != []
    assert browser.run(TOO_WIDE) != []


def test_all_that_can_be_used_is_reached_by_keys_and_seen_to_be(browser: Browser) -> None:
    browser.press(Keys.TAB)
    seen = browser.run(
        "const it = document.activeElement; const style = getComputedStyle(it);"
        "return it === document.body || style.outlineStyle !== 'none' || style.boxShadow !== 'none'"
    )
    assert seen
    unreachable = """
    return [...document.querySelectorAll("a, button, input, summary, .matrix, .picture")].filter((element) =>
      element.checkVisibility() && !element.disabled && element.tabIndex < 0).length;
    """
    assert browser.run(unreachable) == 0
