"""Faults on request: what the sandbox does wrong on purpose, when, and how often."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.errors import ConfigurationError


class FaultKind(StrEnum):
    """What can go wrong."""

    LATENCY = "latency"
    STATUS = "status"
    RATE_LIMIT = "rate_limit"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SLOW_BODY = "slow_body"
    TRUNCATED = "truncated"
    BROKEN_JSON = "broken_json"
    ITEMS = "items"
    REFUSE = "refuse"


class _Fault(BaseModel):
    """When a fault strikes: requests whose path starts with `path`, after the first `after` of them, `times` times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = "/"
    after: int = Field(default=0, ge=0)
    times: int | None = Field(default=None, ge=1)
    share: float = Field(default=1.0, gt=0, le=1)


class Latency(_Fault):
    """Wait before the request is read."""

    kind: Literal[FaultKind.LATENCY]
    seconds: float = Field(ge=0)


class Status(_Fault):
    """Answer with a status, without applying anything. `retry_after` is seconds, or a date as a text."""

    kind: Literal[FaultKind.STATUS]
    status: int = Field(ge=200, le=599)
    retry_after: int | str | None = None
    location: str | None = None
    body: str | None = None


class RateLimit(_Fault):
    """Answer 429 above so many requests a second."""

    kind: Literal[FaultKind.RATE_LIMIT]
    requests_per_second: float = Field(gt=0)
    retry_after: int | None = None


class ResetBefore(_Fault):
    """Break the connection without applying the request."""

    kind: Literal[FaultKind.RESET_BEFORE]


class ResetAfter(_Fault):
    """Apply the request and break the connection instead of answering."""

    kind: Literal[FaultKind.RESET_AFTER]


class SlowBody(_Fault):
    """Apply the request and let the answer's body take so many seconds."""

    kind: Literal[FaultKind.SLOW_BODY]
    seconds: float = Field(ge=0)


class Truncated(_Fault):
    """Apply the request and end the connection in the middle of the answer's body."""

    kind: Literal[FaultKind.TRUNCATED]


class BrokenJson(_Fault):
    """Apply the request and answer with half of the JSON, as if that were all."""

    kind: Literal[FaultKind.BROKEN_JSON]


class Items(_Fault):
    """Refuse the operations at these indexes of a batch; the errors may repeat or name no index."""

    kind: Literal[FaultKind.ITEMS]
    indexes: tuple[int, ...]
    repeat: int = Field(default=1, ge=1)
    named: bool = True


class Refuse(_Fault):
    """Close the listening socket and every connection for so many seconds, from the moment it is set."""

    kind: Literal[FaultKind.REFUSE]
    seconds: float = Field(gt=0)


Fault = Annotated[
    Latency
    | Status
    | RateLimit
    | ResetBefore
    | ResetAfter
    | SlowBody
    | Truncated
    | BrokenJson
    | Items
    | Refuse,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[Fault] = TypeAdapter(Fault)


def read_fault(document: Mapping[str, Any]) -> Fault:
    """Return a fault from its JSON form.

    Raises:
        ConfigurationError: it is none; the text names every problem.

    """
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc'])) or 'fault'}: {p['msg']}" for p in error.errors())
        raise ConfigurationError(f"not a fault: {'; '.join(problems)}") from None


@dataclass(slots=True)
class _InForce:
    fault: Fault
    seen: int = 0
    struck: int = 0
    tokens: float = 0.0
    refilled_at: float | None = None

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times


class Faults:
    """The faults in force. Which requests they strike is decided by the seed and the order of requests alone."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._in_force: list[_InForce] = []

    def set(self, fault: Fault) -> None:
        """Put a fault in force beside the others."""
        self._in_force.append(_InForce(fault))

    def clear(self) -> None:
        """End every fault."""
        self._in_force.clear()

    def document(self) -> list[dict[str, Any]]:
        """Return the faults in force for JSON."""
        return [
            {**state.fault.model_dump(mode="json", exclude_none=True), "struck": state.struck}
            for state in self._in_force
        ]

    def strike(self, path: str, now: float) -> list[Fault]:
        """Return the faults that strike a request now, and count them."""
        return list(self._striking(path, now)) if self._in_force else []

    def _striking(self, path: str, now: float) -> Iterator[Fault]:
        for state in self._in_force:
            fault = state.fault
            if state.spent or not path.startswith(fault.path):
                continue
            state.seen += 1
            if state.seen <= fault.after or (fault.share < 1 and self._random.random() >= fault.share):
                continue
            if isinstance(fault, RateLimit) and not _exceeds(state, fault, now):
                continue
            state.struck += 1
            yield fault


def _exceeds(state: _InForce, limit: RateLimit, now: float) -> bool:
    """Take a token from the bucket of one second's requests; tell whether there was none."""
    burst = max(1.0, limit.requests_per_second)
    if state.refilled_at is None:
        state.tokens = burst
    else:
        elapsed = max(0.0, now - state.refilled_at)
        state.tokens = min(burst, state.tokens + elapsed * limit.requests_per_second)
    state.refilled_at = now
    if state.tokens < 1:
        return True
    state.tokens -= 1
    return False
