"""The page of `replay --diff --html` in a real browser, opened from a folder as an attachment is."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.calls import CallFailure, CallKind, CallSource, Identity, IdentityKind, Reason
from pipeline.deadletters.masking import Mask
from pipeline.records import Record
from pipeline.replay.diff import Difference
from pipeline.replay.diff_views import diff_page
from pipeline.translation import Prepared, Translation
from tests.browser.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["chromium"]

pytestmark = pytest.mark.full

SHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
SCRIPT = "<script>document.title='owned'</script>"


def call(rule: str, kind: CallKind = CallKind.TRACK, **attributes: Any) -> Prepared:
    operation = {
        "type": "person",
        "identifiers": {"id": "ada"},
        "action": str(kind),
        "name": "ordered",
        "attributes": attributes,
    }
    return Prepared(CallSource(rule, kind), Identity(IdentityKind.ID, "ada"), orjson.dumps(operation), (1,))


def made_page(folder: Path, *, reveal: bool) -> Path:
    """A report of 1,200 records: changed, added and removed calls, and failures."""
    difference = Difference(Mask(reveal=reveal))
    failed = CallFailure(CallSource("order", CallKind.TRACK), Reason.MAPPING_ERROR, "failed")
    for offset in range(1_200):
        old = (call("order", currency="EUR", note=SCRIPT), call("deletion", CallKind.DESTROY))
        new = (call("order", currency="eur", note=SCRIPT + "!"), call("welcome", email="ada@example.com"))
        difference.note(
            Record("orders", 3, offset),
            Translation(old, matched=True),
            Translation(new, (failed,), matched=True),
        )
    page = folder / "diff.html"
    page.write_text(diff_page(difference, "shop.yaml", f"{SCRIPT}.yaml"), "utf-8")
    return page


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    """A page; a message in the browser's console, or a request for anything but a file, fails the test."""
    opened = chromium.new_page(viewport={"width": 1200, "height": 1000})
    messages: list[str] = []
    addresses: list[str] = []
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.on("request", lambda request: addresses.append(request.url))
    yield opened
    opened.close()
    assert messages == []
    assert [address for address in addresses if not address.startswith("file:")] == []


def rows(page: "Page", heading: str) -> list[str]:
    table = page.locator(f"h2:text-is('{heading}') + table tr")
    return [table.nth(number).inner_text() for number in range(table.count())]


def test_the_report_shows_counts_by_rule_changed_fields_calls_and_failures(
    page: "Page", tmp_path: Path
) -> None:
    page.goto(made_page(tmp_path, reveal=True).as_uri())
    assert "1,200 records were mapped" in page.inner_text("body")
    by_rule = rows(page, "By rule")
    assert by_rule[0].split("\t") == [
        "rule", "added", "removed", "changed", "same", "failures added", "failures removed"
    ]  # fmt: skip
    assert "order\t0\t0\t1,200\t0\t1,200\t0" in by_rule
    assert "total\t1,200\t1,200\t1,200\t0\t1,200\t0" in by_rule
    fields = rows(page, "Changed fields")
    assert fields[1] == 'order\tattributes.currency\t1,200\torders/3@0\t"EUR"\t"eur"'
    calls = rows(page, "Added and removed calls")
    assert calls[1].startswith("added\twelcome\ttrack\t1,200\torders/3@0")
    assert rows(page, "Failures")[1] == "added\tmapping_error\t1,200"
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "replay-difference.png", full_page=True)


def test_data_that_is_a_script_is_shown_and_not_run(page: "Page", tmp_path: Path) -> None:
    page.goto(made_page(tmp_path, reveal=True).as_uri())
    assert page.title() != "owned"
    assert "attributes.note" in page.inner_text("body")
    assert page.locator("script").count() == 0


def test_nobodys_data_is_in_it_unless_somebody_asked(page: "Page", tmp_path: Path) -> None:
    made = made_page(tmp_path, reveal=False)
    page.goto(made.as_uri())
    assert "(text, 3 characters)" in page.inner_text("body")
    for data in ("EUR", "ada", "example.com"):
        assert data not in made.read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_into_a_narrow_window_in_either_scheme(page: "Page", tmp_path: Path, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(made_page(tmp_path, reveal=True).as_uri())
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
