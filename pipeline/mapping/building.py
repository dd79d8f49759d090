"""What generated rules call to build calls: identities, timestamps, names, attributes, and failures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any

import orjson

from pipeline.calls import Call, CallFailure, CallKind, CallSource, Identity, IdentityKind, Reason
from pipeline.customerio.limits import MAX_EVENT_NAME_BYTES, check
from pipeline.mapping.expression import EvaluationError
from pipeline.mapping.expression.functions.time import epoch
from pipeline.mapping.expression.functions.values import to_string
from pipeline.mapping.rules import LongNames, OnError
from pipeline.records import Record

_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")


@dataclass(frozen=True, slots=True)
class MappingLimits:
    """What bounds a mapping and what it does with clocks that are ahead.

    A timestamp later than now by more than `future_tolerance_seconds` is set to now, or with `clamp_future` off dead-
    lettered. A record that gives more than `max_calls` calls, or calls of more than `max_bytes` bytes of attributes
    in all, gives none.
    """

    future_tolerance_seconds: int = 300
    clamp_future: bool = True
    max_calls: int = 1_000
    max_bytes: int = 16_000_000


class CallProblemError(Exception):
    """A call cannot be built; the text is safe."""

    def __init__(self, reason: Reason, text: str, field: str | None = None) -> None:
        super().__init__(text)
        self.reason, self.text, self.field = reason, text, field


class TooManyCallsError(Exception):
    """A record gives more than it may."""


class Run:
    """One event on its way through the rules. A timestamp after `latest` is too far ahead of the clock."""

    __slots__ = ("calls", "clamped", "failures", "hits", "latest", "limits", "now", "record")

    def __init__(
        self, record: Record, now: float, limits: MappingLimits, hits: set[int] | None = None
    ) -> None:
        self.record = record
        self.now = now
        self.limits = limits
        self.latest = now + limits.future_tolerance_seconds
        self.calls: list[Call] = []
        self.failures: list[CallFailure] = []
        self.clamped = 0
        self.hits = hits

    def timestamp(self, value: Any) -> int:
        """Return Unix seconds for what a rule gave as its timestamp."""
        if value is None:
            raise CallProblemError(Reason.INVALID_TIMESTAMP, "the timestamp is null", "timestamp")
        if type(value) not in {str, int, float} or not (type(value) is str or isfinite(value)):
            raise CallProblemError(Reason.INVALID_TIMESTAMP, "the timestamp is not a time", "timestamp")
        try:
            seconds = epoch(value)
        except EvaluationError as error:
            raise CallProblemError(Reason.INVALID_TIMESTAMP, str(error), "timestamp") from None
        if seconds <= 0:
            raise CallProblemError(Reason.INVALID_TIMESTAMP, "the timestamp is not after 1970", "timestamp")
        return seconds if seconds <= self.latest else self._from_the_future()

    def record_timestamp(self) -> int:
        """Return the record's own time in Unix seconds."""
        time_ms = self.record.timestamp_ms
        if time_ms is None or time_ms <= 0:
            text = "neither the rule nor the record has a timestamp"
            raise CallProblemError(Reason.NO_TIMESTAMP, text, "timestamp")
        seconds = time_ms // 1000
        return seconds if seconds <= self.latest else self._from_the_future()

    def _from_the_future(self) -> int:
        if not self.limits.clamp_future:
            text = f"the timestamp is more than {self.limits.future_tolerance_seconds} seconds ahead of the clock"
            raise CallProblemError(Reason.FUTURE_TIMESTAMP, text, "timestamp")
        self.clamped += 1
        return int(self.now)

    def check_number(self) -> None:
        """Stop a fan-out that gives too many calls, before it fills the memory."""
        if len(self.calls) + len(self.failures) >= self.limits.max_calls:
            raise TooManyCallsError(f"the rules make more than {self.limits.max_calls} calls of this record")


@dataclass(frozen=True, slots=True)
class CallSpec:
    """What is known of a call, or of a rule, before an event comes.

    `source` is None for a rule that makes no call. `labels` tells by line of the generated code what failed.
    """

    rule: str
    source: CallSource | None
    on_error: OnError
    labels: Mapping[int, str]


def identity(kind: IdentityKind, value: Any) -> Identity:
    """Return an identity; a number is written as its digits."""
    if type(value) is int:
        return Identity(kind, str(value))
    if type(value) is float and value.is_integer():
        return Identity(kind, str(int(value)))
    if type(value) is not str:
        raise CallProblemError(Reason.INVALID_IDENTITY, f"{kind} is neither a text nor a whole number", kind)
    return Identity(kind, value)


def event_name(value: Any, long_names: LongNames) -> str:
    """Return a name without white space around it."""
    if type(value) is not str:
        raise CallProblemError(Reason.INVALID_NAME, "the name is not a text", "name")
    name = value.strip()
    if long_names is LongNames.TRUNCATE and len(name) * 4 > MAX_EVENT_NAME_BYTES:
        name = name.encode("utf-8", "ignore")[:MAX_EVENT_NAME_BYTES].decode("utf-8", "ignore").rstrip()
    return name


def element_key(value: Any, seen: set[str | int]) -> str | int:
    """Return what tells an element of a fan-out apart; two equal keys would give two events one id."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        text = "the key of an element needs more than 64 bits: make it a text"
        raise CallProblemError(Reason.MAPPING_ERROR, text, "key")
    if type(value) is not str and type(value) is not int:
        raise CallProblemError(
            Reason.MAPPING_ERROR, "the key of an element is neither a text nor a whole number", "key"
        )
    if value in seen:
        raise CallProblemError(Reason.MAPPING_ERROR, "two elements have the same key", "key")
    seen.add(value)
    key: str | int = value
    return key


def event_id(value: Any) -> str | None:
    """Return a rule's own event id as text, None if it has none for this event."""
    if value is None or type(value) is str:
        return value or None
    if type(value) is int:
        return str(value)
    raise CallProblemError(Reason.INVALID_CALL, "event_id is neither a text nor a whole number", "event_id")


def first_attributes(value: Any, omit: frozenset[str], keep_nulls: bool) -> dict[str, Any]:
    """Return the attributes that `from` gives."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise CallProblemError(Reason.INVALID_ATTRIBUTE, "from: is not an object", "from")
    return {
        name: part for name, part in value.items() if name not in omit and (keep_nulls or part is not None)
    }


def with_epochs(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return attributes whose texts that are dates with a time have become Unix seconds."""
    return {name: _epoch_or_same(value) for name, value in attributes.items()}


def _epoch_or_same(value: Any) -> Any:
    if type(value) is str and _DATE_AND_TIME.fullmatch(value):
        try:
            return epoch(value)
        except EvaluationError:
            return value
    return value


def elements(value: Any) -> list[Any]:
    """Return the elements of a fan-out; null has none."""
    if value is None:
        return []
    if type(value) is not list:
        raise CallProblemError(Reason.MAPPING_ERROR, "for_each is not an array", "for_each")
    return value


def ordinal(seen: dict[tuple[CallKind, str | None], int], kind: CallKind, name: str | None) -> int:
    """Count calls of the same kind and name within one run of a rule."""
    number = seen.get((kind, name), 0)
    seen[kind, name] = number + 1
    return number


def add_call(run: Run, spec: CallSpec, call: Call) -> None:
    """Add a call that keeps Customer.io's limits, or the failure of one that does not."""
    failure = check(call)
    if failure is None:
        run.calls.append(call)
        return
    if spec.on_error is OnError.SKIP_FIELD:
        name = next((name for name in call.attributes if failure.field == f"attributes.{name}"), None)
        if name is not None:
            left = {other: value for other, value in call.attributes.items() if other != name}
            add_call(run, spec, call._replace(attributes=left))
            return
    if spec.on_error is not OnError.SKIP_CALL:
        run.failures.append(failure)


def fail(
    run: Run,
    spec: CallSpec,
    error: Exception,
    element: str | int | None = None,
    known: CallSource | None = None,
) -> None:
    """Note that a call failed, or a rule; `known` is the call's source where it was made before the error."""
    if isinstance(error, TooManyCallsError):
        raise error
    if spec.on_error is OnError.SKIP_CALL or (spec.on_error is OnError.SKIP_FIELD and spec.source is None):
        return
    traceback = error.__traceback__
    label = spec.labels.get(traceback.tb_lineno) if traceback else None
    source = known or spec.source
    if source is not None and element is not None:
        source = source._replace(element=element)
    run.failures.append(failure_of(error, source, label))


def failure_of(error: Exception, source: CallSource | None, label: str | None) -> CallFailure:
    """Return the failure that an error stands for; its text never holds a value."""
    if isinstance(error, CallProblemError):
        return CallFailure(source, error.reason, error.text, error.field or label)
    place = f"{label}: " if label else ""
    text = str(error) if isinstance(error, EvaluationError) else f"{type(error).__name__} in the expression"
    return CallFailure(source, Reason.MAPPING_ERROR, place + text, label)


def size_of(calls: Sequence[Call]) -> int:
    """Return how many bytes the attributes of calls take as JSON; what JSON cannot carry is left to the encoder."""
    return sum(_size(call.attributes) for call in calls)


def _size(attributes: Mapping[str, Any]) -> int:
    try:
        return len(orjson.dumps(dict(attributes)))
    except TypeError:
        return 0


def without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object without its fields that are null."""
    return {name: part for name, part in value.items() if part is not None}


NAMESPACE: MappingProxyType[str, Any] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            Call,
            CallSource,
            Exception,
            Identity,
            add_call,
            element_key,
            elements,
            enumerate,
            event_id,
            event_name,
            fail,
            first_attributes,
            identity,
            ordinal,
            set,
            to_string,
            with_epochs,
            without_nulls,
        )
    }
)
"""What generated rules see beside what generated expressions see."""
