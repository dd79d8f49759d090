"""The admin page in a real browser: who gets in, what is shown, and that what events hold stays text."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pipeline.calls import CallKind, Reason
from pipeline.operations.admin import AdminServer, PipelineMonitor
from pipeline.operations.admin_access import Access, AdminToken
from pipeline.operations.admin_application import admin_application
from pipeline.operations.admin_playground import PlaygroundPart
from pipeline.operations.mapping_state import MappingState
from pipeline.operations.playground import Ways
from pipeline.presets_folder import presets_folder
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally
from tests.browser.browser import chromium, executable
from tests.browser.watched import contrast, fits, shoot, watched
from tests.servers.pipeline import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["chromium"]

TOKEN = "a-token-that-is-long-enough"
SCRIPT = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HELD = "the credentials are refused; set customerio.api_key"
Open = Callable[..., "Page"]


def monitor() -> PipelineMonitor:
    """A pipeline in which everything that can be shown has happened."""
    tally = Tally(
        records=Counter({TopicPartition("shop", 0): 1_200}),
        delivered=Counter({CallKind.TRACK: 1_100}),
        dead_letters=Counter({Reason.TOO_LARGE: 3, Reason.MAPPING_ERROR: 4}),
        skipped=Counter({"unmatched": 7}),
        requests=Counter({"delivered": 12, "retry": 2}),
    )
    places = tuple(
        PartitionStatus(
            TopicPartition(SCRIPT, number), position=1_200, committed=1_150, end=1_200 + 200 * number
        )
        for number in range(3)
    )
    status = EngineStatus(ready=False, reasons=(f"delivery holds: {HELD}",), partitions=places, held=HELD)
    mapping = MappingState(8, now=lambda: 1_780_000_000.0)
    mapping.refused((f"rules.yaml:3:1: error: {SCRIPT}",))
    return PipelineMonitor(tally, lambda: status, mapping)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The same page without a token and with one."""
    started = []
    for access in (Access(), Access(token=AdminToken(lambda: TOKEN), payloads=False)):
        text = (presets_folder() / "demo.yaml").read_text()
        part = PlaygroundPart(lambda text=text: {"demo.yaml": text}, Ways(), ["shop"])  # type: ignore[misc]
        server = AdminServer("127.0.0.1:0", admin_application(monitor(), access, [part]))
        server.start()
        started.append(server)
    yield dict(zip(("open", "guarded"), (f"http://{server.address}" for server in started), strict=True))
    for server in started:
        server.stop()


@pytest.fixture
def open_page(chromium: "Browser", servers: dict[str, str]) -> Iterator[Open]:
    """Opens a view of the page under watch."""
    pages: list[AbstractContextManager[Page]] = []

    def start(
        view: str = "live", *, server: str = "open", width: int = 1280, scheme: str = "light"
    ) -> "Page":
        watching = watched(chromium, servers[server], width=width, scheme=scheme)
        page = watching.__enter__()
        pages.append(watching)
        page.goto(f"{servers[server]}/#{view}")
        return page

    yield start
    for watching in pages:
        watching.__exit__(None, None, None)


def test_live_says_what_holds_and_shows_numbers_charts_and_failures(open_page: Open) -> None:
    page = open_page()
    page.locator(".state.bad", has_text="Delivery holds").wait_for()
    assert page.locator(".state li").all_inner_texts() == [f"delivery holds: {HELD}"]
    tiles = page.inner_text(".tiles")
    assert "1,200 read" in tiles
    assert "1,100 delivered" in tiles
    failures = page.locator(".card", has_text="Failures by reason").inner_text()
    assert "mapping error\t4" in failures
    mapping = page.locator(".card", has=page.get_by_role("heading", name="Mapping")).inner_text()
    assert "8 rules in force" in mapping
    assert "refused" in mapping
    charts = page.locator(".chart svg")
    # The server looks every two seconds: a line needs two looks.
    page.locator(".chart svg path").first.wait_for(state="attached")
    assert charts.count() >= 8
    assert "Lag: records behind" in str(
        page.locator(".chart svg[aria-label^='Lag']").get_attribute("aria-label")
    )
    shoot(page, "admin-live-held")


@pytest.mark.full
def test_hostile_text_is_shown_and_not_run(open_page: Open) -> None:
    page = open_page()
    page.locator(".state").wait_for()
    assert SCRIPT in page.locator(".card", has_text="Lag by partition").inner_text()
    page.goto(page.url.replace("#live", "#playground"))
    event = {"type": "user.signed_up", "occurred_at": 1_780_000_000, "user": {"id": SCRIPT, "name": SCRIPT}}
    page.get_by_label("Event", exact=True).fill(json.dumps(event))
    page.locator(".verdicts pre", has_text="onerror").first.wait_for()
    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0


def test_without_the_token_there_is_only_a_form_and_with_it_the_page(open_page: Open) -> None:
    page = open_page(server="guarded")
    page.wait_for_url("**/login*")
    shoot(page, "admin-login")
    page.get_by_label("Token").fill("not the token at all")
    with page.expect_response("**/login") as refused:
        page.keyboard.press("Enter")
    assert refused.value.status == 403
    assert "not the token" in page.inner_text("[role=alert]")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.locator(".state").wait_for()
    assert TOKEN not in page.url
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Token").wait_for()


@pytest.mark.full
def test_rules_are_tried_out_as_they_are_written(open_page: Open) -> None:
    page = open_page("playground")
    page.get_by_text("9 passed").wait_for()
    assert page.locator(".verdicts li.good strong").first.inner_text() == "signup"
    assert "type == 'page.viewed' = false" in page.inner_text("ul[aria-label=Rules]")
    assert "POST /api/v2/batch" in page.inner_text("main")
    assert not any("\n" in text for text in page.locator(".ink .string").all_inner_texts())
    rules = page.get_by_label("Mapping", exact=True)
    rules.fill(rules.input_value().replace("type == 'user.signed_up'", "type = 'user.signed_up'"))
    problem = page.locator("ul[aria-label=Findings] button").first
    problem.wait_for()
    assert page.locator(".gutter .error").inner_text() == problem.inner_text().partition(":")[0]
    shoot(page, "admin-playground-error")
    problem.click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Mapping"


@pytest.mark.full
def test_a_test_that_fails_says_what_was_made_instead(open_page: Open) -> None:
    page = open_page("playground")
    rules = page.get_by_label("Mapping", exact=True)
    page.get_by_text("9 passed").wait_for()
    rules.fill(rules.input_value().replace("name: signed_up", "name: joined", 1))
    page.get_by_text("1 failed").wait_for()
    assert "joined" in page.locator(".verdicts li.bad pre").first.inner_text()
    page.get_by_role("button", name="Back to the rules in force").click()
    page.get_by_text("9 passed").wait_for()


@pytest.mark.full
def test_every_view_is_reached_and_left_by_the_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    page.locator(".state").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Playground":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.get_by_label("Mapping", exact=True).wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Mapping":
            break
    page.keyboard.press("Control+Home")
    page.keyboard.type("# by hand\n")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") != "Mapping"
    assert page.get_by_label("Mapping", exact=True).input_value().startswith("# by hand\n")


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page: Open, scheme: str) -> None:
    page = open_page(scheme=scheme)
    page.locator(".state").wait_for()
    page.locator(".chart .legend li").first.wait_for()
    for selector in (
        ".state strong",
        ".state li",
        ".tiles dt",
        ".tiles small",
        "th",
        "td",
        "nav a:last-child",
        ".legend li",
        ".badge.bad",
    ):
        assert contrast(page, selector) >= 4.5, selector
    page.goto(page.url.replace("#live", "#playground"))
    page.locator(".verdicts .badge.good").first.wait_for()
    for selector in (
        ".badge.good",
        ".verdicts summary",
        ".ink .key",
        ".ink .string",
        ".ink .comment",
        ".ink .expression",
        ".gutter",
    ):
        assert contrast(page, selector) >= 4.5, selector
    shoot(page, f"admin-playground-{scheme}")


@pytest.mark.full
def test_the_colours_follow_the_system_or_what_was_chosen(open_page: Open) -> None:
    page = open_page(scheme="dark")
    page.locator(".state").wait_for()
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_label("Colours").select_option("light")
    light = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == light
    page.get_by_label("Colours").select_option("auto")
    assert page.evaluate(ground) == dark
    shoot(page, "admin-live-dark")


@pytest.mark.full
@pytest.mark.parametrize("view", ["live", "playground"])
def test_the_page_fits_a_telephone(open_page: Open, view: str) -> None:
    page = open_page(view, width=375)
    page.locator(".state, .verdicts li").first.wait_for()
    assert fits(page)
    shoot(page, f"admin-{view}-telephone")


@pytest.mark.full
def test_focus_and_scrolling_stay_while_the_numbers_move(open_page: Open) -> None:
    page = open_page()
    page.locator(".scroll").first.focus()
    page.evaluate("document.querySelector('.state').dataset.old = 'yes'")
    first = page.locator(".chart .times span").nth(1).inner_text()
    wait_until(lambda: page.locator(".chart .times span").nth(1).inner_text() != first, "drawn again")
    assert page.evaluate("document.activeElement.className") == "scroll"


@pytest.mark.full
def test_a_page_of_another_site_can_change_nothing(open_page: Open, servers: dict[str, str]) -> None:
    page = open_page()
    page.locator(".state").wait_for()
    target = servers["guarded"]
    assert urlsplit(target).netloc != urlsplit(page.url).netloc
    answer = page.request.post(
        f"{servers['open']}/api/playground",
        data="{}",
        headers={"Origin": "https://evil.example", "Content-Type": "application/json"},
    )
    assert answer.status == 403
    assert answer.json()["error"] == "foreign"


@pytest.mark.full
def test_a_browser_that_was_led_here_by_a_rebound_name_sees_nothing(
    chromium: "Browser", servers: dict[str, str]
) -> None:
    rebinding = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    browser = chromium.browser_type.launch(executable_path=executable(), args=["--no-sandbox", rebinding])
    page = browser.new_page()
    for path in ("/", "/api/status", "/metrics", "/readyz"):
        answer = page.goto(f"http://evil.example:{urlsplit(servers['open']).port}{path}")
        assert answer is not None
        assert answer.status == 403
        assert "not served under that name" in page.content()
    browser.close()


@pytest.mark.full
def test_nobody_puts_the_page_in_a_frame(chromium: "Browser", servers: dict[str, str]) -> None:
    page = chromium.new_page()
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.set_content(f"<iframe src='{servers['open']}/'></iframe>")
    page.close()
