"""A receipt: one deletion or suppression that Customer.io has accepted, as a line of JSON that anybody can read."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from pipeline import __version__
from pipeline.calls import CallKind, Identity, IdentityKind
from pipeline.records import Position


class NotAReceiptError(Exception):
    """A line that is no receipt; the text says why and holds nothing of the line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One accepted call.

    `person` is whom the call named, or what stands for them where names are hashed. `accepted_ms` is Unix
    milliseconds, by our clock, of the moment at which the answer was known. `sent_to` is the address that gave it,
    `status` its HTTP status.
    """

    kind: CallKind
    person_kind: IdentityKind
    person: str
    hashed: bool
    position: Position
    rule: str
    accepted_ms: int
    sent_to: str
    status: int

    @property
    def name(self) -> str:
        """What people are compared by: the normalised identity, or what stands for it where names are hashed."""
        return self.person if self.hashed else Identity(self.person_kind, self.person).lane_key

    @property
    def accepted_at(self) -> str:
        """The moment as ISO 8601 text."""
        moment = datetime.fromtimestamp(self.accepted_ms / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def as_json(self) -> dict[str, Any]:
        """Return plain data, in the words of the file."""
        return {
            "call": self.kind,
            "person_kind": self.person_kind,
            "person": self.person,
            "hashed": self.hashed,
            "accepted_at": self.accepted_at,
            "accepted_ms": self.accepted_ms,
            "answer": "accepted",
            "status": self.status,
            "sent_to": self.sent_to,
            **self.position._asdict(),
            "rule": self.rule,
            "version": __version__,
        }


Namer = Callable[[Identity], str]
"""How a person is named in a receipt."""


def plain_name(identity: Identity) -> str:
    """Return the name as it is."""
    return identity.value


def hashed_name(key: bytes) -> Namer:
    """Return what names people by an HMAC-SHA256 of their normalised identity: a list of names cannot undo it."""
    return lambda identity: hmac.digest(key, identity.lane_key.encode(), "sha256").hex()


def to_line(receipt: Receipt) -> bytes:
    """Return a receipt as one line."""
    return orjson.dumps(receipt.as_json(), option=orjson.OPT_APPEND_NEWLINE)


def from_line(line: bytes) -> Receipt:
    """Return what a line holds.

    Raises:
        NotAReceiptError: it is torn, or somebody else's.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise NotAReceiptError("the line is torn, or no JSON") from None
    try:
        return Receipt(
            CallKind(document["call"]),
            IdentityKind(document["person_kind"]),
            str(document["person"]),
            bool(document["hashed"]),
            Position(str(document["topic"]), int(document["partition"]), int(document["offset"])),
            str(document["rule"]),
            int(document["accepted_ms"]),
            str(document["sent_to"]),
            int(document["status"]),
        )
    except (KeyError, TypeError, ValueError):
        raise NotAReceiptError("the line is no receipt") from None
