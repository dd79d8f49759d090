"""A page of the browser under watch: what it asked of whom, and what its console said."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
DEADLINE_MS = 90_000


@dataclass
class Watch:
    """What was seen of a page."""

    hosts: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)


@contextmanager
def watched(
    browser: "Browser", base_url: str, *, width: int = 1280, scheme: str = "light"
) -> Iterator["Page"]:
    """Open a page. Afterwards: it asked nobody but its own server, and had no error and nothing blocked."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(DEADLINE_MS)
    watch = Watch()
    page.on("request", lambda request: watch.hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: watch.messages.append(message.text))
    page.on("pageerror", lambda error: watch.messages.append(str(error)))
    page.on("dialog", lambda dialog: watch.messages.append(f"dialog: {dialog.message}"))
    try:
        yield page
    finally:
        page.close()
    assert watch.hosts - {""} <= {urlsplit(base_url).netloc}
    # A wrong token in the form is answered 403, which the console tells; and a form that was in use keeps its focus.
    expected = ("status of 403", "Autofocus processing was blocked")
    unexpected = [text for text in watch.messages if not any(each in text for each in expected)]
    assert unexpected == [], unexpected


def shoot(page: "Page", name: str) -> None:
    """Keep a picture, to be looked at by a person; the repository has none of them."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def fits(page: "Page") -> bool:
    """Tell whether nothing makes the page wider than its window."""
    found: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return found


def contrast(page: "Page", selector: str) -> float:
    """Return the contrast of an element's text on its ground, as WCAG 2 defines it."""
    found: float = page.eval_on_selector(selector, _CONTRAST)
    return found


_CONTRAST = """(element) => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  let ground = element;
  while (ground && (numbers(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
  const [one, other] = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor]
    .map((text) => light(numbers(text)));
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}"""
