"""The page of `postcopy monitor`: as text, and in a real browser, which asks for it anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from postcopy.catalogue.loading import by_name
from postcopy.engine import messages as m
from postcopy.monitor.compiled import Compiled, compile_monitor
from postcopy.monitor.heads import AdjacentPages
from postcopy.monitor.judge import Judge
from postcopy.monitor.monitor import Live, line
from postcopy.report.pages.monitoring import Monitoring
from postcopy.report.pages.serving import Server
from tests.report import chromium
from tests.report.chromium import TOO_WIDE, needs_chromium


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_monitor("Postcopy", [by_name("Postcopy")])


class Migration:
    """A migration of 64 pages, in the middle of precopy; and what a monitor shows of it."""

    def __init__(self, compiled: Compiled) -> None:
        self.judge = Judge(compiled)
        self.connections = 1
        for message in (m.OpenReturnPath(), m.Ping(1), m.Advise(4096, 4096), m.RamSize((m.Block("ram", 64 * 4096),))):
            self.judge.take("source", message)
        self.judge.take("source", AdjacentPages("ram", 0, 48))

    def live(self) -> Live:
        rates = (10.0, 40.0, 20.0)
        return Live(1, self.judge.status(), self.connections, 3 << 20, 20.0, rates, 4.0, "")

    def switches(self) -> None:
        self.judge.take("destination", m.Pong(1))
        self.judge.take("source", m.Discard("ram", ((0, 4096 * 8),)))
        self.judge.take("source", m.Packaged(b""))
        self.judge.take("destination", m.Request("ram", 4096, 4096))

    def errs(self) -> None:
        self.judge.take("source", m.Page("ram", 4096 * 47, None, False))


@pytest.fixture
def migration(compiled: Compiled) -> Migration:
    return Migration(compiled)


def test_the_page_as_text(migration: Migration) -> None:
    page = Monitoring(migration.live)
    found = page.answer("/").body.decode()
    assert "Conforms so far to Postcopy" in found
    assert '<th scope="row">sent</th><td>48</td>' in found
    migration.switches()
    now = page.answer("/now").body.decode()
    assert '<dd id="waiting">1</dd>' in now
    assert '<dd id="phase">postcopy</dd>' in now
    migration.errs()
    now = page.answer("/now").body.decode()
    assert "Refuted: 1 alarm" in now
    assert "refuted: page ram 0x2f000, of the source" in now
    assert page.answer("/elsewhere").status == 404


def test_the_line(migration: Migration) -> None:
    migration.switches()
    assert line(migration.live()) == "postcopy: not sent 16, sent 40, discarded 7, requested 1; 1 waiting; 20 MiB/s"
    migration.connections = 0
    assert line(migration.live()) == "waiting for a connection"


@pytest.fixture
def browser(driver: webdriver.Chrome, migration: Migration) -> Iterator[chromium.Browser]:
    found = chromium.Browser(driver)
    with Server(Monitoring(migration.live).answer, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found.dark(False)
        found.load(server.address)
        yield found
        server.shutdown()
        thread.join()
    found.load("about:blank")
    assert [error for error in found.errors() if "favicon" not in error and "/now" not in error] == []


@needs_chromium
@pytest.mark.slow
def test_the_page_follows_the_migration(browser: chromium.Browser, migration: Migration) -> None:
    assert browser.one("#phase").text == "precopy"
    migration.switches()
    wait = WebDriverWait(browser.driver, 20, poll_frequency=0.1)
    wait.until(lambda _: browser.run("return document.getElementById('phase').innerText") == "postcopy")
    assert browser.one("#waiting").text == "1"
    assert "7" in browser.one(".states tbody tr:nth-child(3)").text
    migration.errs()
    wait.until(lambda _: "Refuted" in str(browser.run("return document.querySelector('.verdict').innerText")))
    assert "page ram 0x2f000" in browser.one(".why").text
    assert browser.one("polyline").get_attribute("points")


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(browser: chromium.Browser, migration: Migration, width: int) -> None:
    migration.switches()
    migration.errs()
    browser.load(browser.driver.current_url, width, 844)
    assert browser.run(TOO_WIDE) == []
