"""Debian's Chromium, driven by Playwright; without them a test says what is missing."""

import shutil
from collections.abc import Iterator

import pytest

from tests.servers.requirements import missing

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """One headless browser for the tests of a module."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        missing("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()
