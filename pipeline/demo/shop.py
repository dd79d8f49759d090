"""A small SaaS shop: people sign up, look around, order, change their minds; some of its records are broken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from pipeline.calls import Reason

PAGES = ("/", "/pricing", "/docs", "/docs/quick-start", "/blog/why-order-matters", "/account", "/checkout")
PLANS = ("free", "team", "business")
FIRST_NAMES = ("Ada", "Grace", "Alan", "Édith", "Lin", "Olu", "Mária", "José", "Yuki", "Nils")
LAST_NAMES = ("Lovelace", "Hopper", "Turing", "Clarke", "Wei", "Adeyemi", "Kovács", "García", "Sato", "Øster")
SKUS = ("SEAT-1", "SEAT-10", "STORAGE-1T", "SUPPORT-GOLD", "TRAINING-DAY")
GOODBYES = ("too expensive", "missing a feature", "switched jobs", "just looking")
OVERSIZE_BYTES = 120_000


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """One record to write.

    `dead_letter` is the reason for which it must end in the dead letters, `skipped` tells that it asks for no call.
    """

    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    dead_letter: Reason | None = None
    skipped: bool = False


def shop_records(
    count: int, *, seed: int, start_ms: int, people: int | None = None, step_ms: int = 40
) -> Iterator[ShopRecord]:
    """Yield `count` records of about `people` people, the same ones for the same seed.

    `start_ms` is the time of the first record in Unix milliseconds, `step_ms` the average time between two.
    """
    random = Random(seed)  # noqa: S311 - a story, not a secret
    yield from _Shop(random, start_ms, people or max(20, count // 20), step_ms).records(count)


class _Shop:
    """The state of the shop while it is being watched."""

    def __init__(self, random: Random, now_ms: int, people: int, step_ms: int) -> None:
        self._random = random
        self._now_ms = now_ms
        self._people = people
        self._step_ms = step_ms
        self._users: list[dict[str, Any]] = []
        self._signed_up = 0
        self._orders = 0

    def records(self, count: int) -> Iterator[ShopRecord]:
        ordinary: tuple[tuple[Callable[[], ShopRecord], int], ...] = (
            (self._page_viewed, 520),
            (self._order_placed, 180),
            (self._user_updated, 120),
            (self._subscription_cancelled, 40),
            (self._user_deleted, 10),
            (self._heartbeat, 40),
            (self._internal_ping, 15),
            (self._bad_json, 10),
            (self._no_user, 8),
            (self._oversize, 3),
            (self._tombstone, 6),
        )
        makers, weights = zip(*ordinary, strict=True)
        for number in range(count):
            self._now_ms += self._random.randrange(2 * self._step_ms + 1)
            # People join all along, faster in the beginning, so that every later event has somebody to be about.
            due = self._signed_up < self._people * min(1.0, 0.05 + 1.2 * number / count)
            maker = self._signed_up_event if due else self._random.choices(makers, weights)[0]
            yield maker()

    def _record(self, user: dict[str, Any] | None, kind: str, **fields: Any) -> ShopRecord:
        event = {"type": kind, "occurred_at": self._iso(), **({"user": user} if user else {}), **fields}
        return ShopRecord(user["id"].encode() if user else None, orjson.dumps(event), self._now_ms)

    def _iso(self) -> str:
        return datetime.fromtimestamp(self._now_ms / 1000, UTC).isoformat(timespec="milliseconds")

    def _someone(self) -> dict[str, Any]:
        return self._random.choice(self._users)

    def _signed_up_event(self) -> ShopRecord:
        self._signed_up += 1
        first, last = self._random.choice(FIRST_NAMES), self._random.choice(LAST_NAMES)
        user = {
            "id": f"u-{self._signed_up:06}",
            "email": f"{first}.{last}.{self._signed_up}@shop.example",
            "name": f"{first} {last}",
            "plan": self._random.choice(PLANS),
        }
        self._users.append(user)
        return self._record(user, "user.signed_up")

    def _page_viewed(self) -> ShopRecord:
        path = self._random.choice(PAGES)
        page = {"url": f"https://shop.example{path}", "title": path.strip("/").replace("-", " ") or "home"}
        return self._record({"id": self._someone()["id"]}, "page.viewed", page=page)

    def _order_placed(self) -> ShopRecord:
        self._orders += 1
        skus = self._random.sample(SKUS, self._random.randint(1, 3))
        items: list[dict[str, Any]] = [
            {"sku": sku, "qty": self._random.randint(1, 4), "price": self._random.randint(500, 20_000) / 100}
            for sku in skus
        ]
        total = round(sum(item["qty"] * item["price"] for item in items), 2)
        order = {"id": f"o-{self._orders}", "total": total, "currency": "eur"}
        return self._record({"id": self._someone()["id"]}, "order.placed", order=order, items=items)

    def _user_updated(self) -> ShopRecord:
        user = self._someone()
        user["plan"] = self._random.choice(PLANS)
        return self._record(dict(user), "user.updated")

    def _subscription_cancelled(self) -> ShopRecord:
        user = self._someone()
        return self._record(
            {"id": user["id"], "plan": user["plan"]},
            "subscription.cancelled",
            reason=self._random.choice(GOODBYES),
        )

    def _user_deleted(self) -> ShopRecord:
        if len(self._users) < 2:
            return self._page_viewed()
        user = self._users.pop(self._random.randrange(len(self._users)))
        return self._record({"id": user["id"]}, "user.deleted")

    # Nobody's business

    def _heartbeat(self) -> ShopRecord:
        return ShopRecord(None, orjson.dumps({"type": "heartbeat"}), self._now_ms, skipped=True)

    def _internal_ping(self) -> ShopRecord:
        return ShopRecord(None, orjson.dumps({"type": "internal.ping"}), self._now_ms, skipped=True)

    def _tombstone(self) -> ShopRecord:
        return ShopRecord(self._someone()["id"].encode(), None, self._now_ms, skipped=True)

    # Broken

    def _bad_json(self) -> ShopRecord:
        record = self._page_viewed()
        torn = (record.value or b"")[: -self._random.randint(1, 40)]
        return ShopRecord(record.key, torn, record.timestamp_ms, dead_letter=Reason.UNDECODABLE)

    def _no_user(self) -> ShopRecord:
        page = {"url": "https://shop.example/", "title": "home"}
        record = self._record(None, "page.viewed", page=page)
        return ShopRecord(None, record.value, record.timestamp_ms, dead_letter=Reason.NO_IDENTITY)

    def _oversize(self) -> ShopRecord:
        page = {"url": "https://shop.example/", "title": "x" * OVERSIZE_BYTES}
        record = self._record({"id": self._someone()["id"]}, "page.viewed", page=page)
        return ShopRecord(record.key, record.value, record.timestamp_ms, dead_letter=Reason.TOO_LARGE)
