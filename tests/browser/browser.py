"""Debian's Chromium, driven by Playwright; without them a test says what is missing."""

import shutil
from collections.abc import Iterator

import pytest

from tests.servers.requirements import missing

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")


def executable() -> str:
    """Return where the browser is; skip the test where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing("there is no Chromium")
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """One headless browser for the tests of a module."""
    path = executable()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
