"""What the tests in a browser share: Chromium and a folder for pages, one of each for a file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.report import chromium


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with chromium.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages are: each is made once."""
    return tmp_path_factory.mktemp("pages")
