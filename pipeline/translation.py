"""A record becomes operations in wire form, or reasons why not. Pure but for the clock."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from pipeline.calls import COUNTED_KINDS, Call, CallFailure, CallSource, Identity, Mapped, Reason
from pipeline.customerio.operations import encode_operation
from pipeline.customerio.sizes import check_size, travels_alone
from pipeline.decode import SchemaPending, Undecodable
from pipeline.delivery.lanes import lane_of
from pipeline.event_id import derived_event_id, event_id, hashed_value, is_ulid
from pipeline.records import Record


class Mapper(Protocol):
    """A rule set."""

    def map(self, event: Any, record: Record, now: float) -> Mapped:
        """Return the calls that the rules make of an event; never raises and never changes the event."""
        ...

    def type_of(self, event: Any) -> str | None:
        """Return the text by which most rules tell events apart, None where there is none."""
        ...


class Prepared(NamedTuple):
    """One call in wire form, not yet bound to an assignment. `secondary` is the person that a merge ends."""

    source: CallSource
    identity: Identity | None
    payload: bytes
    lanes: tuple[int, ...]
    single: bool = False
    secondary: Identity | None = None


class Translation(NamedTuple):
    """What became of a record. Without calls and failures it was skipped: `matched` tells whether a rule said so.

    `clamped` counts timestamps of the future that were set to now.
    """

    calls: tuple[Prepared, ...] = ()
    failures: tuple[CallFailure, ...] = ()
    matched: bool = False
    clamped: int = 0


def counted_anew(translation: Translation, salt: str) -> Translation:
    """Return a translation whose events have other ids, the same for the same salt: Customer.io counts them again."""
    return translation._replace(calls=tuple(_counted_anew(call, salt) for call in translation.calls))


def _counted_anew(call: Prepared, salt: str) -> Prepared:
    if call.source.kind not in COUNTED_KINDS:
        return call
    operation = orjson.loads(call.payload)
    operation["id"] = derived_event_id(salt, operation["id"], call.source)
    return call._replace(payload=orjson.dumps(operation))


_NOTHING = Translation()
_DROPPED = Translation(matched=True)


class Translator:
    """Turns records into translations.

    `decode` gives a record's event, `Undecodable` or `SchemaPending`. `namespace` is part of every event id.
    `order_by` says whose calls keep their order: those of one identity, or of one Kafka key, or nobody's; a raw call
    may have an `order_by` of its own. With `always_single` every call travels in a request of its own.
    """

    def __init__(
        self,
        mapper: Mapper,
        now: Callable[[], float],
        *,
        decode: Callable[[Record], Any],
        namespace: str = "",
        identify_timestamp: bool = True,
        order_by: Literal["identity", "record_key", "none"] = "identity",
        always_single: bool = False,
    ) -> None:
        self.mapper = mapper
        self._now = now
        self.decode = decode
        self._namespace = namespace
        self._identify_timestamp = identify_timestamp
        self._order_by = order_by
        self._always_single = always_single

    def translate(self, record: Record) -> Translation | SchemaPending:
        """Return what becomes of a record; a bad record is a failure in the result, never an exception.

        While the record's schema is being looked up nothing becomes of it: ask again later.
        """
        event = self.decode(record)
        if type(event) is Undecodable:
            return Translation(failures=(CallFailure(None, Reason.UNDECODABLE, event.text),), matched=True)
        if type(event) is SchemaPending:
            return event
        mapped = self.mapper.map(event, record, self._now())
        if not mapped.calls:
            if mapped.failures:
                return Translation(failures=mapped.failures, matched=True)
            return _DROPPED if mapped.matched else _NOTHING
        value = hashed_value(record)
        prepared: list[Prepared] = []
        failures = list(mapped.failures)
        for call in mapped.calls:
            made = self._prepare(call, record, value)
            if type(made) is Prepared:
                prepared.append(made)
            else:
                failures.append(made)  # type: ignore[arg-type]
        return Translation(tuple(prepared), tuple(failures), matched=True, clamped=mapped.clamped)

    def _prepare(self, call: Call, record: Record, value: bytes) -> Prepared | CallFailure:
        payload = encode_operation(
            call, self._event_id(call, record, value), identify_timestamp=self._identify_timestamp
        )
        if type(payload) is not bytes:
            return payload  # type: ignore[return-value]
        single = travels_alone(payload)
        if single:
            too_large = check_size(call, payload)
            if too_large is not None:
                return too_large
        lanes = self._lanes(call, record)
        alone = single or self._always_single
        return Prepared(call.source, call.identity, payload, lanes, alone, call.secondary)

    def _event_id(self, call: Call, record: Record, value: bytes) -> str | None:
        if call.source.kind not in COUNTED_KINDS:
            return None
        own = call.event_id
        if own is None:
            return event_id(self._namespace, record, value, call.source)
        if call.sole and is_ulid(own):
            return own.upper()
        return derived_event_id(self._namespace, own, call.source)

    def _lanes(self, call: Call, record: Record) -> tuple[int, ...]:
        if self._order_by == "none":
            return (lane_of(str(record.position)),)
        own = call.options.get("order_by") if call.options else None
        if own is not None:
            return (lane_of(f"order_by:{own}"),)
        if call.identity is None or (self._order_by == "record_key" and record.key is not None):
            # A raw request without a person keeps the order of its key, or of its partition where there is none.
            return (lane_of(record.key if record.key is not None else str(record.topic_partition)),)
        first = lane_of(call.identity.lane_key)
        second = first if call.secondary is None else lane_of(call.secondary.lane_key)
        return (first,) if first == second else (first, second)
