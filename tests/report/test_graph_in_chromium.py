"""The page of a graph of states in a real browser: choosing, searching, following, panning and zooming."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import choose
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.language.instance import Instance
from postcopy.report.state_graph.files import Quotient, build
from postcopy.report.state_graph.page import page
from tests.report import chromium
from tests.report.chromium import TOO_WIDE, needs_chromium
from tests.report.test_graph import document

pytestmark = [needs_chromium, pytest.mark.slow]

SMALL, THOUSAND, BROKEN = "small", "thousand", "broken"


@cache
def graph(name: str) -> Quotient:
    if name == BROKEN:
        _, protocol = load(fault="no-discards")
        asked = [p for p in choose([], protocol) if not p.of_runs]
        exploration = Exploration(Instance(protocol, 1, 1, asked), Options(engine=Engine.INTERPRETED))
        exploration.run()
        return build(exploration, ["source", "destination"])
    by = {SMALL: ["source.phase", "destination.state"], THOUSAND: ["source", "destination", "stream"]}
    return build(document(), by[name])


def values(name: str, number: int) -> list[str]:
    return list(graph(name).networkx.nodes[number]["values"].values())


def amid(name: str) -> int:
    """A node with several others before and after it."""
    edges = graph(name).networkx
    return next(int(n) for n in edges if edges.in_degree(n) > 2 and edges.out_degree(n) > 2 and edges.has_edge(n, n))


class Browser(chromium.Browser):
    """Chromium with the page of a graph in it."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        super().__init__(driver)
        self.folder = folder

    def open(self, name: str, node: int | None = None, width: int = 1280, height: int = 900) -> None:
        file = self.folder / f"{name}.html"
        if not file.exists():
            file.write_text(page(graph(name)), encoding="utf-8")
        self.load(file.as_uri() + ("" if node is None else f"#{node}"), width, height)

    @property
    def chosen(self) -> int | None:
        """The node that map, address and panel agree on."""
        marked = [int(str(node.get_attribute("data-node"))) for node in self.all(".node.now")]
        number = marked[0] if marked else None
        assert marked == ([] if number is None else [number])
        assert self.driver.current_url.partition("#")[2] == ("" if number is None else str(number))
        assert [h.text for h in self.all(".chosen h2") if h.is_displayed()] == (
            [] if number is None else [f"Node {number}"]
        )
        return number

    def neighbours(self, section: str) -> list[int]:
        return [int(n) for n in self.told(f".{section} .links button", "dataset.node")]

    def told(self, selector: str, what: str = "innerText") -> list[str]:
        found = self.run(f"return [...document.querySelectorAll('{selector}')].map((each) => each.{what})")
        assert isinstance(found, list)
        return found

    @property
    def transform(self) -> Any:
        return self.run("const { x, y, scale } = view.getTransform(); return [x, y, scale];")


@pytest.fixture
def browser(driver: webdriver.Chrome, folder: Path) -> Iterator[Browser]:
    found = Browser(driver, folder)
    found.dark(False)
    yield found
    assert found.errors() == []


TEXT_HEIGHT = """
const texts = [...document.querySelectorAll(".map text")].filter((text) => text.checkVisibility());
return Math.min(...texts.map((text) => text.getBoundingClientRect().height));
"""
"""The height of the smallest text on the map, in pixels of the screen."""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", [SMALL, BROKEN, THOUSAND])
def test_the_map_can_be_read_as_it_is_opened(browser: Browser, name: str, width: int) -> None:
    browser.open(name, width=width)
    assert browser.run("return document.querySelectorAll('.map text').length") > 20
    assert browser.run(TEXT_HEIGHT) > 9.5


def test_words_that_are_too_small_are_found(browser: Browser) -> None:
    browser.open(SMALL)
    assert browser.run("return !document.querySelector('.map').classList.contains('far')")
    browser.run("document.querySelectorAll('.map text').forEach((text) => { text.style.fontSize = '7px'; })")
    assert browser.run(TEXT_HEIGHT) < 9.5


def test_a_click_on_a_node_tells_its_state_and_its_neighbours(browser: Browser) -> None:
    browser.open(SMALL)
    assert browser.chosen is None
    number, edges = amid(SMALL), graph(SMALL).networkx
    browser.one(f'.node[data-node="{number}"]').click()
    assert browser.chosen == number
    assert browser.told(".held dd") == values(SMALL, number)
    assert sorted(browser.neighbours("onwards")) == sorted(n for n in edges.successors(number) if n != number)
    assert sorted(browser.neighbours("before")) == sorted(n for n in edges.predecessors(number) if n != number)
    assert len(browser.neighbours("stays")) == edges.has_edge(number, number)


def test_one_goes_to_a_neighbour_and_back(browser: Browser) -> None:
    number = amid(SMALL)
    browser.open(SMALL, number)
    there = browser.neighbours("onwards")[0]
    browser.one(".onwards .links button").click()
    assert browser.chosen == there
    browser.driver.back()
    assert browser.chosen == number
    browser.press(Keys.ESCAPE)
    assert browser.chosen is None


def test_edges_of_the_chosen_node_are_drawn_and_only_these(browser: Browser) -> None:
    number, edges = amid(THOUSAND), graph(THOUSAND).networkx
    browser.open(THOUSAND, number)
    for kind, to in (("onwards", edges.successors(number)), ("before", edges.predecessors(number))):
        assert len(browser.all(f".way.{kind}")) == len([n for n in to if n != number])
    browser.press(Keys.ESCAPE)
    assert browser.all(".way") == []


def test_searching_finds_the_nodes_that_hold_it_and_goes_through_them(browser: Browser) -> None:
    browser.open(THOUSAND)
    browser.press("/")
    search = browser.one("input[type=search]")
    search.send_keys("source.phase postcopy, destination.state running")
    wanted = [
        number
        for number, node in graph(THOUSAND).networkx.nodes(data=True)
        if node["values"]["source.phase"] == "postcopy" and node["values"]["destination.state"] == "running"
    ]
    assert [int(n) for n in browser.told(".node.match", "dataset.node")] == wanted
    assert browser.one("output").text == f"{len(wanted)} of 1,090 nodes"
    search.send_keys(Keys.ENTER)
    assert browser.chosen == wanted[0]
    search.send_keys(Keys.ENTER)
    assert browser.chosen == wanted[1]
    search.send_keys("x")
    assert browser.one("output").text == "0 of 1,090 nodes"


def test_one_walks_along_the_counterexample(browser: Browser) -> None:
    browser.open(BROKEN)
    nodes = graph(BROKEN).networkx.nodes(data=True)
    trace = graph(BROKEN).trace
    assert trace is not None
    at = {step: number for number, node in nodes for step in node["path"]}
    for step in range(len(trace.steps) + 1):
        browser.press("n")
        assert browser.chosen == at[step]
    browser.press("n")
    assert browser.chosen == at[len(trace.steps)]
    assert f"violates {trace.violated}" in browser.told(".tag.bad")
    browser.press("p")
    assert browser.chosen == at[len(trace.steps) - 1]


def test_arrow_keys_go_to_the_next_node_there(browser: Browser) -> None:
    browser.open(THOUSAND, 700)
    place = "return [...document.querySelectorAll('.node')].map((n) => { const b = n.getBoundingClientRect();" + (
        " return [b.left + b.width / 2, b.top + b.height / 2]; })"
    )
    for key, axis, sign in ((Keys.ARROW_RIGHT, 0, 1), (Keys.ARROW_DOWN, 1, 1), (Keys.ARROW_LEFT, 0, -1)):
        before, places = browser.chosen, browser.run(place)
        browser.press(key)
        after = browser.chosen
        assert before is not None
        assert after is not None
        assert (places[after][axis] - places[before][axis]) * sign > 0


def test_panning_and_zooming(browser: Browser) -> None:
    browser.open(SMALL)
    whole = browser.transform
    ActionChains(browser.driver).drag_and_drop_by_offset(browser.one(".box"), 60, 40).perform()
    panned = browser.transform
    assert panned != whole
    assert browser.chosen is None
    browser.press("+")
    assert browser.transform != panned
    browser.press("0")
    assert browser.transform == pytest.approx(whole, abs=0.01)  # text is not quite as wide at another size
    browser.one(".boxes button").click()
    assert browser.transform != whole


def test_a_window_of_another_size_shows_everything_again(browser: Browser) -> None:
    browser.open(SMALL)
    _, _, scale = browser.transform
    size = {"width": 600, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    WebDriverWait(browser.driver, 10, poll_frequency=0.05).until(lambda _: browser.transform[2] < scale)


@pytest.mark.parametrize("name", [SMALL, THOUSAND, BROKEN])
@pytest.mark.parametrize("width", [390, 861, 1280])
def test_it_fits_on_the_screen_and_the_panel_is_beside_the_map(browser: Browser, name: str, width: int) -> None:
    browser.open(name, width=width, height=844)
    assert browser.run(TOO_WIDE) == []
    browser.run("choose(9)")
    assert browser.run(TOO_WIDE) == []
    boxes = [
        browser.run(f"return document.querySelector('{part}').getBoundingClientRect().toJSON()")
        for part in ("header", ".map", "aside")
    ]
    for i, one in enumerate(boxes):
        assert one["bottom"] <= 844.5
        for other in boxes[i + 1 :]:
            assert one["right"] <= other["left"] + 1 or one["bottom"] <= other["top"] + 1
    node = browser.run("return document.querySelector('.node.now').getBoundingClientRect().toJSON()")
    assert boxes[1]["left"] <= node["left"]
    assert boxes[1]["top"] <= node["top"]
    assert node["bottom"] <= boxes[1]["bottom"]


def test_from_afar_boxes_have_their_names_and_nodes_no_words(browser: Browser) -> None:
    browser.open(THOUSAND)
    assert {name.text for name in browser.all(".name") if name.is_displayed()} == {
        node["source.phase"] for _, node in graph(THOUSAND).networkx.nodes(data="values")
    }
    assert not browser.one(".node text").is_displayed()
    browser.run("choose(0)")
    assert browser.one(".node text").is_displayed()
    assert not browser.one(".name").is_displayed()


def test_light_and_dark(browser: Browser) -> None:
    browser.open(SMALL)
    fill = "return getComputedStyle(document.querySelector('.node rect')).fill"
    assert browser.run(fill) == "rgb(255, 255, 255)"
    browser.dark(True)
    assert browser.run(fill) == "rgb(27, 35, 44)"
