"""What an HTTP answer of the Track API means: (status, headers, body) becomes a verdict.

Strict where a false "delivered" would lose data, tolerant where the API is known to vary. Every status has a row:

| status | meaning |
|---|---|
| 200, 207 with a JSON object | delivered, or partly by its `errors` |
| any other 2xx, any 3xx, 200 and 207 with another body | the connection is wrong: hold |
| 400 | refused: some call of the request is bad |
| 413 | too large |
| 408, 429, 5xx | try again |
| any other 4xx | the connection is wrong: hold |
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from pipeline.customerio.verdicts import (
    Delivered,
    Fatal,
    PartlyDelivered,
    Refusal,
    Refused,
    Retry,
    TooLarge,
    Verdict,
)

MAX_RETRY_AFTER_S = 3_600.0
"""The longest wait that an answer can ask for; a server that says a year means "not now"."""

MAX_WORDS = 2_000
"""How many characters are kept of the server's reason, and of the field it names: an answer may have megabytes, and a
dead letter with all of them would be larger than its topic takes."""

_ADDRESS = "check the region and the base URL of customerio, and any proxy in between"


def batch_verdict(
    status: int, headers: Mapping[str, str], body: bytes, operations: int, now: float
) -> Verdict:
    """Return what an answer means for the operations of one request.

    `headers` has lower-case names. `now` is Unix time in seconds, for a Retry-After that is a date. With a single
    operation every error of the answer is about that one.
    """
    if status in {200, 207}:
        return _accepted(status, body, operations)
    if status == 400:
        return Refused(_refusals(status, _json_object(body)))
    if status == 413:
        return TooLarge(_refusals(status, _json_object(body))[0])
    if status in {408, 429} or 500 <= status <= 599:
        return _retry(status, headers, now)
    return _wrong_connection(status)


def raw_verdict(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Return what an answer means for a raw request, about whose body nothing is known.

    Any 2xx is delivered, also without a body. Only credentials and redirects hold: another refusal is about this
    request alone.
    """
    if 200 <= status <= 299:
        return Delivered(status)
    if status in {408, 429} or 500 <= status <= 599:
        return _retry(status, headers, now)
    if status == 401 or not 400 <= status <= 499:
        return _wrong_connection(status)
    return Refused(_refusals(status, _json_object(body)))


def retry_after_s(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, None where it says nothing that can be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, date.timestamp() - now), MAX_RETRY_AFTER_S)


def _accepted(status: int, body: bytes, operations: int) -> Verdict:
    answer = _json_object(body)
    if answer is None:
        cause = f"the answer with status {status} is not Customer.io's: its body is no JSON object"
        return Fatal(cause, _ADDRESS, status)
    entries = _error_entries(answer)
    if entries is None and status == 207:
        entries = ["a 207 that names no error"]
    return _placed(status, entries, operations) if entries else Delivered(status)


def _placed(status: int, entries: Sequence[object], operations: int) -> PartlyDelivered:
    """Sort errors by the index they name; a repeated index keeps its first reason."""
    refused: dict[int, Refusal] = {}
    unplaced: list[Refusal] = []
    for entry in entries:
        refusal = _refusal(status, entry)
        index = entry.get("batch_index") if isinstance(entry, dict) else None
        if operations == 1:
            refused.setdefault(0, refusal)
        elif type(index) is int and 0 <= index < operations:
            refused.setdefault(index, refusal)
        else:
            unplaced.append(refusal)
    return PartlyDelivered(refused, tuple(unplaced), status)


def _retry(status: int, headers: Mapping[str, str], now: float) -> Retry:
    return Retry(
        cause=f"Customer.io answered with status {status}",
        wait_s=retry_after_s(headers.get("retry-after"), now),
        outcome_unknown=status != 429,
        throttled=status == 429,
    )


def _wrong_connection(status: int) -> Fatal:
    if status == 401:
        return Fatal(
            "Customer.io refuses the credentials (status 401)",
            "check the Site ID and the Track API key (not an App API key), and that the region is the account's",
            status,
        )
    if 300 <= status <= 399:
        return Fatal(
            f"Customer.io redirects to another address (status {status})",
            "set the region of the account: a redirect is not followed, because it can lose the request",
            status,
        )
    return Fatal(f"Customer.io answered with an unexpected status {status}", _ADDRESS, status)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _refusals(status: int, answer: Mapping[str, Any] | None) -> tuple[Refusal, ...]:
    entries = _error_entries(answer) if answer is not None else None
    return tuple(_refusal(status, entry) for entry in entries or ()) or (
        Refusal("no reason given", status=status),
    )


def _error_entries(answer: Mapping[str, Any]) -> list[object] | None:
    """Find errors in every shape that is known: `errors` (v2), `meta.errors` and `meta.error` (both v1)."""
    meta = answer.get("meta")
    found = answer.get("errors")
    if found is None and isinstance(meta, dict):
        found = meta.get("errors", meta.get("error"))
    return found if found is None or isinstance(found, list) else [found]


def _refusal(status: int, entry: object) -> Refusal:
    if not isinstance(entry, Mapping):
        reason = entry if isinstance(entry, str) else "a reason that cannot be read"
        return Refusal(reason[:MAX_WORDS], status=status)
    words = [entry[key] for key in ("reason", "message") if isinstance(entry.get(key), str)]
    field = entry.get("field")
    text = ": ".join(words) or "no reason given"
    return Refusal(text[:MAX_WORDS], field[:MAX_WORDS] if isinstance(field, str) else None, status)
