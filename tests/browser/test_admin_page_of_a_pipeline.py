"""The admin page of a real pipeline, with real dead letters, in a real browser; the events are hostile."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.browser.browser import chromium
from tests.browser.watched import shoot, watched
from tests.servers.dead_letter_stage import Stage
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, wait_until
from tests.servers.sandbox import SandboxThread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["chromium"]
pytestmark = pytest.mark.full

TOKEN = "a-token-that-is-long-enough"
XSS = "<img src=x onerror=\"document.title='owned'\">"
AT = 1_790_000_000
ORDER: dict[str, Any] = {
    "name": "order",
    "when": "type == 'order'",
    "track": {"name": "${product}", "attributes": {"note": "${note}"}},
}
SIGNUP: dict[str, Any] = {
    "name": "signup",
    "when": "type == 'signup'",
    "identify": {"attributes": {"note": "${note}"}},
}
MENDED = {**ORDER, "track": {"name": "ordered", "attributes": {"note": "${note}"}}}
GOOD = [{"type": "signup", "user": f"u{number}", "at": AT, "note": XSS} for number in range(40)]
BROKEN = [{"type": "order", "user": XSS, "at": AT, "product": None, "note": XSS, XSS: XSS} for _ in range(3)]


@pytest.fixture
def stage(embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path) -> Stage:
    """Forty events that work, three that do not, and one that cannot be read."""
    stage = Stage(embedded_broker, sandbox, sandbox.base_url, tmp_path)
    stage.map(SIGNUP, ORDER)
    stage.write(*GOOD, *BROKEN, XSS.encode(), headers=[(XSS, XSS.encode())])
    return stage


@pytest.fixture
def pipeline(stage: Stage) -> Iterator[PipelineProcess]:
    with stage.running() as running:
        running.wait_until(stage.is_drained, "drained")
        yield running
        running.stop()


@pytest.fixture
def page(chromium: "Browser", pipeline: PipelineProcess) -> Iterator["Page"]:
    with watched(chromium, pipeline.admin) as opened:
        opened.goto(f"{pipeline.admin}/")
        yield opened
        assert "owned" not in opened.title()
        assert opened.locator("main img, main script").count() == 0


def view(page: "Page", name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def test_live_follows_what_the_pipeline_does(page: "Page", stage: Stage) -> None:
    page.get_by_text("44 read").wait_for()
    assert "40 delivered" in page.inner_text(".tiles")
    page.locator(".state.good").wait_for()
    assert f"{stage.topic}/0" in page.locator(".card", has_text="Lag by partition").inner_text()
    stage.write(*GOOD[:5])
    page.get_by_text("45 delivered").wait_for()
    shoot(page, "admin-live")


def test_dead_letters_are_looked_at_mended_and_sent_again(
    page: "Page", stage: Stage, sandbox: SandboxThread
) -> None:
    sandbox.reset()
    view(page, "Dead letters")
    row = page.locator("tr", has_text="order").first
    assert row.locator("td").first.inner_text() == "3"
    row.get_by_role("button").click()
    page.locator("button.link.mono").first.click()
    page.get_by_text("What failed").wait_for()
    assert "onerror" not in "".join(page.locator("pre").all_inner_texts())
    page.get_by_label("Show values").check()
    page.locator("pre", has_text="onerror").first.wait_for()
    assert XSS.replace('"', '\\"') in page.inner_text("main")
    shoot(page, "admin-letter")
    stage.map(SIGNUP, MENDED)
    group = page.locator(".letters")
    group.get_by_role("button", name="What would a retry do?").click()
    group.get_by_text("a retry would send 3").wait_for()
    assert sandbox.counts()["requests"] == 0
    group.get_by_role("button", name="Send 3 again").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    group.get_by_text("3 of 3 delivered").wait_for()
    assert sandbox.counts()["calls"] == {"track": 3}
    group.get_by_role("button", name="Look at what is left").click()
    page.get_by_text("Dead letters (1)").wait_for()


def test_dismissing_asks_first(page: "Page", stage: Stage) -> None:
    view(page, "Dead letters")
    page.locator("tr", has_text="undecodable").get_by_role("button").click()
    page.get_by_role("button", name="Dismiss 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert "undecodable" in stage.command("list")
    page.get_by_role("button", name="Dismiss 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Dismiss").click()
    page.get_by_text("Dead letters (3)").wait_for()
    assert "undecodable" not in stage.command("list")


def test_a_dead_letter_is_mended_in_the_playground(page: "Page") -> None:
    view(page, "Dead letters")
    page.locator("tr", has_text="order").first.get_by_role("button").click()
    page.locator("button.link.mono").first.click()
    page.get_by_label("Show values").check()
    page.get_by_role("button", name="Try it in the playground").click()
    rules = page.get_by_label("Mapping", exact=True)
    page.locator(".verdicts li.bad", has_text="order/track").wait_for()
    rules.fill(rules.input_value().replace("name: ${product}", "name: ordered"))
    page.get_by_role("heading", name="Calls (1)").wait_for()
    assert '"ordered"' in page.inner_text("main")


def test_a_sample_of_the_topic_is_tried_out(page: "Page", sandbox: SandboxThread) -> None:
    view(page, "Playground")
    before = sandbox.counts()["requests"]
    page.get_by_role("button", name="Take samples").click()
    samples = page.get_by_label("Sampled event")
    samples.wait_for()
    samples.select_option(index=19)
    page.get_by_role("heading", name="Calls (1)").wait_for()
    assert page.locator(".verdicts li.good strong").first.inner_text() == "signup"
    assert sandbox.counts()["requests"] == before


def test_a_persons_records_are_found_with_what_became_of_them(page: "Page") -> None:
    view(page, "Person")
    page.get_by_label("Who").fill("u7")
    page.get_by_role("button", name="Look").click()
    page.get_by_text("1 of the latest 44 records").wait_for()
    card = page.locator(".sections .card")
    assert "signup/identify" in card.inner_text()
    assert XSS not in card.inner_text()
    page.get_by_label("Who").fill(XSS)
    page.get_by_label("Show values").check()
    page.get_by_role("button", name="Look").click()
    page.get_by_text("3 of the latest 44 records").wait_for()
    assert "dead letter" in card.first.inner_text()
    page.get_by_label("Who").fill("nobody")
    page.keyboard.press("Enter")
    page.get_by_text("There is nothing about nobody").wait_for()
    shoot(page, "admin-person")


def test_with_the_token_the_page_shows_all_workers_as_one(chromium: "Browser", stage: Stage) -> None:
    settings = yaml.safe_load(stage.configuration.read_text())
    settings["admin"]["token"] = TOKEN
    stage.configuration.write_text(yaml.safe_dump(settings))
    with PipelineProcess(stage.configuration, "--workers", "2") as supervisor:
        supervisor.wait_until(lambda: any("workers" in line for line in supervisor.logs), "started")
        (address,) = {line["admin"] for line in supervisor.logs if "workers" in line}
        with watched(chromium, f"http://{address}") as page:
            page.goto(f"http://{address}/")
            page.get_by_label("Token").fill(TOKEN)
            page.keyboard.press("Enter")
            page.get_by_text("44 read").wait_for()
            workers = page.locator(".card", has=page.get_by_role("heading", name="Workers"))
            assert workers.locator("tbody tr").count() == 2
            view(page, "Dead letters")
            page.get_by_text("Dead letters (4)").wait_for()
        wait_until(stage.is_drained, "drained")
        supervisor.stop()
        assert TOKEN not in supervisor.output
