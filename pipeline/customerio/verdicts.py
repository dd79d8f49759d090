"""What an answer of Customer.io means for the calls that were sent: a closed set.

Every attempt ends in one of these, also one that never got an answer. Whoever sends decides by the verdict alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Customer.io refuses one call; its own words, which may name a field but are kept out of logs."""

    text: str
    field: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Every call was accepted; `status` is the answer's."""

    status: int = field(default=200, compare=False)


@dataclass(frozen=True, slots=True)
class PartlyDelivered:
    """The calls at these indexes were refused, all others were accepted.

    With `unplaced` refusals (no usable index) nobody knows which calls they mean: send again in halves.
    """

    refused: Mapping[int, Refusal]
    unplaced: tuple[Refusal, ...] = ()
    status: int = field(default=207, compare=False)


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing is known to be wrong with the calls: send them again later.

    `wait_s` is what the server asked for, in seconds. `outcome_unknown` tells that the calls may have been applied.
    `throttled` tells that the server asked for fewer requests.
    """

    cause: str
    wait_s: float | None = None
    outcome_unknown: bool = False
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request was too large (413): send it again in halves; a single call that is too large is refused."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was refused as a whole (400): some call in it is bad; send it again in halves."""

    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Fatal:
    """The connection is wrong, not the calls: credentials, region, address, a proxy in between. Delivery holds.

    `cause` says what happened and `advice` what to do; both are safe to log.
    """

    cause: str
    advice: str
    status: int | None = field(default=None)


_NAMES = {
    Delivered: "delivered",
    PartlyDelivered: "partly_delivered",
    Retry: "retry",
    TooLarge: "too_large",
    Refused: "refused",
    Fatal: "fatal",
}
"""How metrics call the verdicts."""

VERDICT_NAMES = tuple(_NAMES.values())
"""Every verdict by its name in metrics."""

RETRY_CAUSES = ("throttled", "outcome_unknown", "not_sent")
"""Every name that `retry_cause` may return."""

Verdict = Delivered | PartlyDelivered | Retry | TooLarge | Refused | Fatal

DELIVERED = Delivered()


def verdict_name(verdict: Verdict) -> str:
    """Return the verdict's name in metrics."""
    return _NAMES[type(verdict)]


def retry_cause(verdict: Retry) -> str:
    """Return in metrics' words why the calls are sent again: too many requests, an unclear end, or none was sent."""
    if verdict.throttled:
        return "throttled"
    return "outcome_unknown" if verdict.outcome_unknown else "not_sent"
