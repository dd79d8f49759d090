"""The people of a workspace and the names by which they are found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.arrivals import Arrival

Key = tuple[str, str]
"""A kind of identifier (`id`, `email`, `phone`, `cio_id`, `anonymous_id`) and its normalised value."""

IDENTIFIER_KINDS = ("id", "email", "phone")
"""What names a person and can be set; a cio_id is given by Customer.io."""

_FIRST_CIO_ID = 0xA300_0000


def key_of(kind: str, value: object) -> Key:
    """Return how a person is looked up: numbers as texts, e-mails without case, a cio_id without its prefix."""
    text = str(value)
    if kind == "email":
        text = text.lower()
    elif kind == "cio_id":
        text = text.removeprefix("cio_")
    return kind, text


@dataclass(slots=True, eq=False)
class Person:
    """One profile. `attributes_at` is the Unix time of the newest attribute change, None before the first."""

    cio_id: str
    created_at: float
    names: dict[str, str] = field(default_factory=dict)
    anonymous_ids: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    attributes_at: float | None = None
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    segments: set[int] = field(default_factory=set)
    history: list[Arrival] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        """Every name by which the person is found."""
        names = [key_of(kind, value) for kind, value in self.names.items()]
        anonymous = [("anonymous_id", value) for value in self.anonymous_ids]
        return [("cio_id", self.cio_id), *names, *anonymous]

    def document(self) -> dict[str, Any]:
        """Return the profile for JSON, without its history."""
        return {
            "cio_id": self.cio_id,
            **{kind: self.names.get(kind) for kind in IDENTIFIER_KINDS},
            "anonymous_ids": self.anonymous_ids,
            "attributes": self.attributes,
            "devices": self.devices,
            "segments": sorted(self.segments),
            "created_at": self.created_at,
        }


class Directory:
    """Finds people by any of their names, creates, renames, joins and removes them."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Person] = {}
        self._people: dict[str, Person] = {}
        self._created = 0

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._people.values())

    def find(self, key: Key) -> Person | None:
        """Return the person of this name."""
        return self._by_key.get(key)

    def create(self, key: Key, value: object, now: float) -> Person:
        """Create a person with one name."""
        self._created += 1
        person = Person(f"{_FIRST_CIO_ID + self._created:x}", now)
        self._people[person.cio_id] = person
        self._by_key["cio_id", person.cio_id] = person
        if key[0] != "cio_id":
            self.rename(person, key[0], value)
        return person

    def rename(self, person: Person, kind: str, value: object) -> None:
        """Give a person a name that nobody else has; an older one of the same kind is free again."""
        old = person.names.get(kind)
        if old is not None:
            self._by_key.pop(key_of(kind, old), None)
        person.names[kind] = str(value)
        self._by_key[key_of(kind, value)] = person

    def remember_anonymous(self, person: Person, anonymous_id: str) -> None:
        """Note that an anonymous visitor turned out to be this person; the first one who claims it keeps it."""
        if self._by_key.setdefault(("anonymous_id", anonymous_id), person) is person:
            person.anonymous_ids.append(anonymous_id)

    def remove(self, person: Person) -> None:
        """Forget a person and every name of theirs."""
        self._people.pop(person.cio_id, None)
        for key in person.keys:
            self._by_key.pop(key, None)

    def join(self, primary: Person, secondary: Person) -> None:
        """Merge `secondary` into `primary`: what primary lacks is taken over, then secondary is gone."""
        self.remove(secondary)
        for kind, value in secondary.names.items():
            if kind not in primary.names:
                self.rename(primary, kind, value)
        for anonymous_id in secondary.anonymous_ids:
            self.remember_anonymous(primary, anonymous_id)
        primary.attributes = {**secondary.attributes, **primary.attributes}
        primary.devices = {**secondary.devices, **primary.devices}
        primary.segments |= secondary.segments
        primary.history = sorted([*primary.history, *secondary.history], key=lambda arrival: arrival.number)
        primary.created_at = min(primary.created_at, secondary.created_at)


def updated(attributes: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes after an update: named ones change, null and the empty text remove, others stay."""
    merged = {**attributes, **changes}
    return {name: value for name, value in merged.items() if value is not None and value != ""}
