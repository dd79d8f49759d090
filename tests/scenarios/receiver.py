"""A receiver that plays a scenario: what it answers when, in the words of HTTP, and what it applied meanwhile."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import orjson

from pipeline.customerio.responses import batch_verdict
from pipeline.customerio.verdicts import Retry, Verdict

REQUEST_S = 0.01
LASTING = ("ok", "down", "unknown", "flapping", "slow")
"""Phases that say by their own name how long they last; the others say it as `lasts`."""


def _entries(bad: Sequence[int]) -> list[dict[str, Any]]:
    return [{"batch_index": place, "reason": "invalid", "message": "bad"} for place in bad]


def _unplaced(bad: Sequence[int]) -> list[dict[str, Any]]:
    return [{"reason": "invalid", "message": "bad"} for _ in bad]


ODD_ANSWERS: Mapping[str, Callable[[Sequence[int], int], tuple[int, Any]]] = {
    "indexed": lambda bad, _: (207, {"errors": _entries(bad)}),
    "with a 200": lambda bad, _: (200, {"errors": _entries(bad)}),
    "repeated": lambda bad, _: (207, {"errors": _entries(bad) * 3}),
    "backwards": lambda bad, _: (207, {"errors": _entries(bad)[::-1]}),
    "without an index": lambda bad, _: (207, {"errors": _unplaced(bad)}),
    "some without an index": lambda bad, _: (207, {"errors": _entries(bad[:1]) + _unplaced(bad[1:])}),
    "an index beyond the batch": lambda bad, count: (207, {"errors": _entries([count + 7 for _ in bad])}),
    "an index below zero": lambda bad, _: (207, {"errors": _entries([-1 - place for place in bad])}),
    "an index in quotes": lambda bad, _: (
        207,
        {"errors": [{"batch_index": str(place), "message": "bad"} for place in bad]},
    ),
    "texts": lambda bad, _: (207, {"errors": ["bad" for _ in bad]}),
    "nulls": lambda bad, _: (207, {"errors": [None for _ in bad]}),
    "one for all": lambda bad, _: (207, {"errors": {"message": "bad"}}),
    "in meta": lambda bad, _: (207, {"meta": {"errors": ["bad" for _ in bad]}}),
    "no error named": lambda bad, _: (207, {}),
    "400": lambda bad, _: (400, {"errors": _unplaced(bad)}),
    "400 without a word": lambda bad, _: (400, None),
    "413": lambda bad, _: (413, {"meta": {"error": "too large"}}),
}
"""The ways in which a receiver may say that some calls of a batch are bad: their places and the batch's size in, status
and body out. With a 400 or 413 none of the batch is applied, else all but the bad ones."""


class Receiver:
    """Plays its phases by the clock and notes what it applied, in order.

    `began` is the time of the scenario at which the clock of the running loop stood at zero.
    """

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._phases: list[dict[str, Any]] = scenario.get("phases", [])
        self._share: float = scenario.get("bad", 0.0)
        self._answer = ODD_ANSWERS[scenario.get("how", "indexed")]
        self._requests = 0
        self.began = 0.0
        self.applied: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.phases_met: set[int] = set()

    def is_bad(self, name: str) -> bool:
        """Tell whether a call of this name is refused, whenever it comes."""
        return Random(name).random() < self._share

    async def send_batch(self, payloads: Sequence[bytes]) -> Verdict:
        """See `delivery.Api`."""
        self._requests += 1
        await asyncio.sleep(REQUEST_S)
        match self._phase():
            case {"down": _}:
                return Retry("connection refused")
            case {"unknown": _}:
                self._apply(payloads)
                return Retry("no answer in time", outcome_unknown=True)
            case {"flapping": _} if self._requests % 2:
                return Retry("connection reset", outcome_unknown=True)
            case {"status": status, **more}:
                headers = {"retry-after": str(more["retry_after_s"])} if "retry_after_s" in more else {}
                return batch_verdict(status, headers, more.get("body", "{}").encode(), len(payloads), 0.0)
            case {"slow": _, "latency_s": latency_s}:
                await asyncio.sleep(latency_s)
        return self._apply(payloads)

    def _phase(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time() + self.began
        for number, phase in enumerate(self._phases):
            now -= next((phase[name] for name in LASTING if name in phase), 0) + phase.get("lasts", 0)
            if now < 0:
                self.phases_met.add(number)
                return phase
        return {}

    def _apply(self, payloads: Sequence[bytes]) -> Verdict:
        calls = [orjson.loads(payload) for payload in payloads]
        bad = [place for place, each in enumerate(calls) if self.is_bad(each["name"])]
        status, body = self._answer(bad, len(calls)) if bad else (200, {})
        if status in {200, 207}:
            for place, each in enumerate(calls):
                if place not in bad:
                    self.applied.append((each["identifiers"]["id"], each["name"]))
        self.refused |= {calls[place]["name"] for place in bad}
        return batch_verdict(status, {}, orjson.dumps(body), len(calls), 0.0)
