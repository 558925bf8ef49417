"""The picture of fault latencies: its bars, its labels, and in a browser that no two texts meet."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from selenium import webdriver

from postcopy.report.charts.histogram import histogram_svg
from tests.report.chromium import Browser, needs_chromium

SVG = "{http://www.w3.org/2000/svg}"

FEW = [0.5, 0.5, 3.0]
MANY = [0.0005, *(0.1 * 1.01**n for n in range(900)), 4000.0]

MEETING = """
const texts = [...document.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
const frame = document.documentElement.getBoundingClientRect();
const outside = texts.filter(([, box]) =>
  box.left < frame.left || box.right > frame.right || box.bottom > frame.bottom);
const pairs = texts.flatMap(([one, box], i) => texts.slice(i + 1).filter(([, other]) =>
  box.left < other.right - 1 && other.left < box.right - 1 && box.top < other.bottom - 1 && other.top < box.bottom - 1)
  .map(([other]) => `${one} / ${other}`));
return [...pairs, ...outside.map(([one]) => one)];
"""
"""Texts that lie over each other or outside of the picture."""


def texts(picture: str, style: str) -> list[str]:
    root = ElementTree.fromstring(picture)
    return [each.text or "" for each in root.iter(f"{SVG}text") if each.get("class") == style]


def test_each_bin_has_its_number_and_its_ends() -> None:
    picture = histogram_svg(FEW)
    assert texts(picture, "count") == ["2", "1"]
    assert texts(picture, "tick")[-5:] == ["0.32", "0.56", "1", "1.8", "3.2"]
    heights = [float(h) for h in re.findall(r'class="bin" .* height="([\d.]+)"', picture)]
    assert heights[0] == 2 * heights[1]


def test_both_axes_have_names_and_the_heading_says_how_many() -> None:
    picture = histogram_svg(MANY)
    assert texts(picture, "axis") == ["number of faults", "milliseconds, logarithmic"]
    assert texts(picture, "title") == ["Fault latency: 902 faults, reading to placing"]
    assert sum(int(count.replace(",", "")) for count in texts(picture, "count")) == 902
    assert texts(histogram_svg([1.0]), "title")[0].startswith("Fault latency: 1 fault, ")


def test_without_a_fault_it_says_so() -> None:
    assert texts(histogram_svg([]), "title") == ["Fault latency: no fault was served"]


@pytest.mark.parametrize("most", [1, 3, 7, 40, 999, 12345])
def test_the_lines_across_are_few_and_round(most: int) -> None:
    ticks = [int(t.replace(",", "")) for t in texts(histogram_svg([1.5] * most), "tick")[:-2]]
    assert ticks[0] == 0
    assert ticks[-1] <= most
    assert 2 <= len(ticks) <= 6
    assert len({b - a for a, b in pairwise(ticks)}) == 1


@needs_chromium
def test_no_two_texts_meet_in_light_or_dark(driver: webdriver.Chrome, tmp_path: Path) -> None:
    browser = Browser(driver)
    for name, times in {"few": FEW, "many": MANY, "none": [], "one": [0.02], "full": [2.0] * 123456}.items():
        file = tmp_path / f"{name}.svg"
        file.write_text(histogram_svg(times), encoding="utf-8")
        browser.load(file.as_uri(), 1600)
        assert browser.run(MEETING) == [], name
    colour = "return getComputedStyle(document.querySelector('.paper')).fill"
    browser.dark(False)
    assert browser.run(colour) == "rgb(255, 255, 255)"
    browser.dark(True)
    assert browser.run(colour) == "rgb(15, 20, 25)"
    browser.dark(False)
    browser.run("document.querySelectorAll('text').forEach((text) => text.style.fontSize = '40px')")
    assert browser.run(MEETING) != []
