"""What a mapping makes of an event: calls to Customer.io, or a reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple


class CallKind(StrEnum):
    """The calls a rule can make."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    DESTROY = "destroy"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    MERGE = "merge"
    ADD_DEVICE = "add_device"
    DELETE_DEVICE = "delete_device"
    RELATE = "relate"
    RAW = "raw"


COUNTED_KINDS = frozenset({CallKind.TRACK, CallKind.PAGE, CallKind.SCREEN})
"""Calls that Customer.io counts, and drops when their event id repeats."""

ERASING_KINDS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS})
"""Calls after which Customer.io keeps nothing of a person; they leave a receipt."""

IRREVERSIBLE_KINDS = frozenset(
    {
        CallKind.DESTROY,
        CallKind.SUPPRESS,
        CallKind.UNSUPPRESS,
        CallKind.MERGE,
        CallKind.DELETE_DEVICE,
        CallKind.RELATE,
        CallKind.RAW,
    }
)
"""Calls that a later call cannot undo, or whose effect the pipeline cannot know."""


class IdentityKind(StrEnum):
    """How a call names a person, in the order in which they are preferred."""

    ID = "id"
    CIO_ID = "cio_id"
    EMAIL = "email"
    PHONE = "phone"
    ANONYMOUS_ID = "anonymous_id"


class Identity(NamedTuple):
    """One name of one person."""

    kind: IdentityKind
    value: str

    @property
    def lane_key(self) -> str:
        """The normalised identity: calls with the same key keep their order.

        Customer.io compares e-mails without case and ids with it.
        """
        kind, value = self
        return kind + ":" + (value.lower() if kind is IdentityKind.EMAIL else value)


class Reason(StrEnum):
    """Why a record or a call went to the dead letters: a closed list, used in metrics and in entries."""

    UNDECODABLE = "undecodable"  # the bytes are not what the topic's format says
    MAPPING_ERROR = "mapping_error"  # an expression failed, in `when` or in a field
    UNMATCHED = "unmatched"  # no rule matched and `unmatched: dead_letter` is set
    NO_IDENTITY = "no_identity"
    INVALID_IDENTITY = "invalid_identity"
    NO_TIMESTAMP = "no_timestamp"
    INVALID_TIMESTAMP = "invalid_timestamp"
    FUTURE_TIMESTAMP = "future_timestamp"
    INVALID_NAME = "invalid_name"
    INVALID_ATTRIBUTE = "invalid_attribute"
    INVALID_CALL = "invalid_call"  # a device, a merge, a relation or a raw request that cannot be built
    TOO_LARGE = "too_large"
    TOO_MANY_CALLS = "too_many_calls"
    REJECTED = "rejected"  # Customer.io refused this call
    RETRIES_EXHAUSTED = "retries_exhausted"
    NOT_IDENTIFIED = "not_identified"  # the person is unknown, and a policy says that their events do not go
    TOO_MANY_PROFILES = "too_many_profiles"  # the call would make more profiles than a day may bring


class CallSource(NamedTuple):
    """Which part of which rule made a call: what its event id and its dead letter are named by.

    `rule` is the rule's id. `ordinal` counts calls of the same kind and event name within one run of the rule, so
    that adding another call changes nobody's id. `element` is the key or the index within a fan-out.
    """

    rule: str
    kind: CallKind
    name: str | None = None
    ordinal: int = 0
    element: str | int | None = None

    def __str__(self) -> str:
        """Return what no two calls of one record share; the name and the element may be data of the event."""
        name = f":{self.name}" if self.name is not None and self.kind in COUNTED_KINDS else ""
        ordinal = f"#{self.ordinal}" if self.ordinal else ""
        element = "" if self.element is None else f"[{self.element}]"
        return f"{self.rule}/{self.kind}{name}{ordinal}{element}"


_NONE: Mapping[str, Any] = MappingProxyType({})


class Call(NamedTuple):
    """One call to Customer.io, complete and within its limits, still without a wire format.

    A named tuple and not a dataclass because a rule makes one for nearly every record, in a third of the time.

    `timestamp` is in Unix seconds. `event_id` is what the rule itself gave, if it did; `sole` tells that the rule makes
    this one call only, so that an event id of its own may stand as it is. `secondary` is the person that a merge ends.
    `options` holds what only one kind of call has: `device`, `relationships`, `request`.
    """

    source: CallSource
    identity: Identity | None
    attributes: Mapping[str, Any] = _NONE
    name: str | None = None
    timestamp: int | float | None = None
    event_id: str | None = None
    sole: bool = False
    secondary: Identity | None = None
    options: Mapping[str, Any] = _NONE

    @property
    def kind(self) -> CallKind:
        """The kind of call, which its source knows."""
        return self.source.kind


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that could not be made, or a rule that could not be decided (`source.ordinal` is then 0).

    `text` is safe to log: it names fields and limits, never values.
    """

    source: CallSource | None
    reason: Reason
    text: str
    field: str | None = None


class Mapped(NamedTuple):
    """What a rule set made of one event.

    `matched` tells whether any rule applied: with no call and no failure, a matched record was dropped by a rule that
    says so, an unmatched one was meant for nobody. `clamped` counts timestamps of the future that were set to now.
    """

    calls: tuple[Call, ...] = ()
    failures: tuple[CallFailure, ...] = ()
    matched: bool = False
    clamped: int = 0
