"""The sandbox's page in a real browser."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.calls import CallKind
from pipeline.customerio.verdicts import DELIVERED
from tests.browser.browser import chromium
from tests.customerio_made import EVENT_IDS, call, encoded, identify, run_with_client, track
from tests.servers.sandbox import SandboxThread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["chromium"]

SHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
SCRIPT = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    """A sandbox in which a little has happened."""
    relation = [
        {
            "identifiers": {"object_type_id": "1", "object_id": "acme"},
            "relationship_attributes": {"r": "admin"},
        }
    ]
    payloads = [
        identify("u1", email="ada@example.com", plan="pro", address={"city": "Bonn"}, note=SCRIPT),
        track("u1", event_id=EVENT_IDS[0], price=23.45, lines=["a", "b"]),
        track("u1", event_id=EVENT_IDS[0], price=23.45),
        encoded(call(CallKind.PAGE, "u1", {"referrer": "https://r"}, name="https://example.com/pricing")),
        encoded(call(CallKind.ADD_DEVICE, "u1", device={"token": "t" * 60, "platform": "ios"})),
        encoded(call(CallKind.RELATE, "u1", relationships=relation)),
        identify("u1", timestamp=1, plan="stale"),
        identify("gone", plan="free"),
        encoded(call(CallKind.DESTROY, "gone")),
        *(identify(f"customer-{number}", plan="free", logins=number) for number in range(12)),
    ]
    with SandboxThread(region="eu") as server:
        with ThreadPoolExecutor(1) as elsewhere:  # Playwright's loop runs in this thread
            sending = elsewhere.submit(
                run_with_client, server.base_url, lambda client: client.send_batch(payloads)
            )
            assert sending.result() == DELIVERED
        server.set_fault("status", status=503, share=0.1)
        yield server


@pytest.fixture
def page(chromium: "Browser", sandbox: SandboxThread) -> Iterator["Page"]:
    """The overview, opened; a message in the browser's console fails the test."""
    opened = chromium.new_page(viewport={"width": 1200, "height": 1000})
    messages: list[str] = []
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.goto(sandbox.base_url)
    yield opened
    opened.close()
    assert [text for text in messages if "favicon" not in text and "404" not in text] == []


def shoot(page: "Page", name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def test_the_overview_shows_counts_faults_people_and_what_was_dropped(page: "Page") -> None:
    text = page.inner_text("main")
    assert "region eu" in page.inner_text("header")
    assert page.locator("dl.counts div", has_text="people").locator("dd").inner_text() == "13"
    assert page.locator("dl.counts div", has_text="duplicates").locator("dd").inner_text() == "1"
    assert '"status":503' in text
    assert "ada@example.com" in text
    assert "Skipped Update" in text
    assert "an event with this id arrived before" in text
    shoot(page, "sandbox-overview")


def test_a_person_is_reached_by_a_click_and_shown_with_attributes_and_history(page: "Page") -> None:
    page.click("a:text-is('u1')")
    assert "u1" in page.title()
    assert page.locator("#attributes tr", has_text="plan").locator("td").inner_text() == '"pro"'
    rows = page.locator("main table").last.locator("tbody tr")
    assert [rows.nth(index).locator("td").nth(1).inner_text() for index in range(rows.count())] == [
        "identify",
        "track",
        "track",
        "page",
        "add_device",
        "relate",
        "identify",
    ]
    assert "object:1:acme" in page.inner_text("main")
    shoot(page, "sandbox-person")


def test_an_attribute_that_is_a_script_is_shown_and_not_run(page: "Page") -> None:
    page.click("a:text-is('u1')")
    assert "owned" not in page.title()
    assert SCRIPT in page.inner_text("#attributes")


@pytest.mark.parametrize("who", ["u1", "ada@example.com", "ADA@example.com", "id:u1"])
def test_a_person_is_found_by_any_name(page: "Page", who: str) -> None:
    page.fill("input[name=who]", who)
    page.click("button")
    assert '"pro"' in page.inner_text("#attributes")


def test_somebody_who_is_gone_still_has_a_history(page: "Page") -> None:
    page.fill("input[name=who]", "gone")
    page.click("button")
    assert "Nobody has this name now" in page.inner_text("main")
    assert "destroy" in page.inner_text("main")


def test_somebody_who_never_was_is_said_so(page: "Page") -> None:
    page.fill("input[name=who]", "never")
    page.press("input[name=who]", "Enter")
    assert "Nothing has arrived" in page.inner_text("main")


def test_the_page_fits_a_telephone(page: "Page") -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, "sandbox-telephone")


def test_the_page_has_a_dark_side(chromium: "Browser", sandbox: SandboxThread) -> None:
    dark = chromium.new_page(color_scheme="dark")
    dark.goto(sandbox.base_url)
    assert dark.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
    shoot(dark, "sandbox-dark")
    dark.close()
