"""A workspace of Customer.io in memory: what each operation does to people, objects and the activity log."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.sandbox.arrivals import Journal, Outcome
from pipeline.sandbox.objects import Objects, object_key
from pipeline.sandbox.people import IDENTIFIER_KINDS, Directory, Key, Person, key_of, updated
from pipeline.sandbox.reading import unix_time, with_subscriptions
from pipeline.sandbox.storage import OperationFile
from pipeline.sandbox.validation import Problem, validate

Operation = Mapping[str, Any]
Effect = tuple[Outcome, str | None]

_SEGMENT = "segment"

APPLIED: Effect = (Outcome.APPLIED, None)


class Workspace:
    """Takes validated operations in order of arrival. Not thread-safe: one loop owns it."""

    def __init__(self, region: str = "us", file: OperationFile | None = None) -> None:
        """Start empty, or with everything that `file` has; it is written from then on."""
        self.region = region
        self.journal = Journal()
        self.people = Directory()
        self.objects = Objects()
        self.suppressed: dict[Key, frozenset[Key]] = {}
        self._file: OperationFile | None = None
        if file is not None:
            self._replay(file)
        self._file = file

    def _replay(self, file: OperationFile) -> None:
        for operation, at in file.read():
            if operation["type"] == _SEGMENT:
                self.change_segment(operation, at)
            else:
                self.take(operation, at)

    def commit(self) -> None:
        """Make what was taken safe, where it is kept."""
        if self._file is not None:
            self._file.commit()

    def emptied(self) -> "Workspace":
        """Return a workspace that has forgotten everything, in the file too."""
        if self._file is not None:
            self._file.clear()
        return Workspace(self.region, self._file)

    def change_segment(self, change: Operation, now: float) -> None:
        """Put people into a manual segment or take them out: `segment`, `adding`, `id_type`, `ids`."""
        if self._file is not None:
            self._file.add({**change, "type": _SEGMENT}, now)
        for value in change["ids"]:
            person = self.people.find(key_of(change["id_type"], value))
            if person is not None:
                (person.segments.add if change["adding"] else person.segments.discard)(change["segment"])

    def take(self, operation: object, now: float) -> Problem | None:
        """Apply one operation that arrived at `now`, in Unix seconds, or return why it is refused."""
        problem = validate(operation)
        if problem is not None:
            self.journal.refused += 1
            return problem
        assert isinstance(operation, dict)
        if self._file is not None:
            self._file.add(operation, now)
        if operation["type"] == "person":
            self._take_person(operation, now)
        elif operation["type"] == "object":
            self._take_object(operation, now)
        else:
            delivery = f"delivery:{operation['identifiers']['id']}"
            self.journal.add(now, delivery, operation, *APPLIED)
        return None

    def _take_person(self, operation: Operation, now: float) -> None:
        action = operation["action"]
        named = operation["primary"] if action == "merge" else operation["identifiers"]
        ((kind, value),) = named.items()
        key = key_of(kind, value)
        outcome, detail = self._effect(action, key, value, operation, now)
        arrival = self.journal.add(now, f"{key[0]}:{key[1]}", operation, outcome, detail)
        person = self.people.find(key)
        if person is not None:
            person.history.append(arrival)

    def _effect(self, action: str, key: Key, value: object, operation: Operation, now: float) -> Effect:
        if key in self.suppressed and action != "unsuppress":
            return Outcome.SUPPRESSED, "the identifier is suppressed: the call is ignored"
        handler = _OTHERS.get(action)
        if handler is not None:
            return handler(self, key, operation)
        person = self.people.find(key)
        if person is None and key[0] == "cio_id":
            return Outcome.UNKNOWN, "nobody has this cio_id"
        if action in _EVENTS:
            return self._event(person, key, value, operation, now)
        if person is None and action == "identify" and _never_creates(operation):
            return Outcome.UNKNOWN, "Failed Attribute Change: _update, and nobody has this identifier"
        person = (
            person or self._owner_of_other_names(key, value, operation) or self.people.create(key, value, now)
        )
        return _UPDATES[action](self, person, operation, now)

    def _event(
        self, person: Person | None, key: Key, value: object, operation: Operation, now: float
    ) -> Effect:
        if self.journal.repeats(_text(operation.get("id"))):
            return Outcome.DUPLICATE, "an event with this id arrived before"
        if person is None and key[0] != "anonymous_id":
            self.people.create(key, value, now)
        return APPLIED

    def _owner_of_other_names(self, key: Key, value: object, operation: Operation) -> Person | None:
        """Find who has an identifier of the attributes; that person gets the new name (SPEC, identify)."""
        if operation["action"] != "identify":
            return None
        attributes = operation.get("attributes") or {}
        for kind in IDENTIFIER_KINDS:
            other = self.people.find(key_of(kind, attributes[kind])) if attributes.get(kind) else None
            if other is not None and key[0] not in other.names:
                self.people.rename(other, key[0], value)
                return other
        return None

    def _identify(self, person: Person, operation: Operation, now: float) -> Effect:
        attributes = dict(operation.get("attributes") or {})
        attributes.pop("_update", None)
        times = (unix_time(operation.get("timestamp")), unix_time(attributes.pop("_timestamp", None)), now)
        when = next(time for time in times if time is not None)
        if person.attributes_at is not None and when < person.attributes_at:
            return Outcome.STALE, "Skipped Update: older than the newest change of attributes"
        for kind in IDENTIFIER_KINDS:
            wanted = attributes.pop(kind, None)
            if wanted and not self._claim(person, kind, wanted):
                return Outcome.CONFLICT, f"Attribute Update Failure: another person has this {kind}"
        anonymous_id = attributes.pop("anonymous_id", None)
        if anonymous_id:
            self.people.remember_anonymous(person, str(anonymous_id))
        person.attributes_at = when
        person.attributes = updated(person.attributes, with_subscriptions(person.attributes, attributes))
        self._relate(person, operation, adding=True)
        return APPLIED

    def _claim(self, person: Person, kind: str, value: object) -> bool:
        """Give a person a name, joining two profiles that fit together; False where it is somebody else's."""
        other = self.people.find(key_of(kind, value))
        if other is person:
            return True
        if other is not None:
            if kind in person.names or set(other.names) != {kind}:
                return False
            self.people.join(person, other)
        self.people.rename(person, kind, value)
        return True

    def _add_device(self, person: Person, operation: Operation, now: float) -> Effect:
        device = dict(operation["device"])
        token = device.pop("token")
        device["last_used"] = unix_time(device.get("last_used")) or now
        person.devices[token] = device
        return APPLIED

    def _add_relationships(self, person: Person, operation: Operation) -> Effect:
        self._relate(person, operation, adding=True)
        return APPLIED

    def _delete_relationships(self, key: Key, operation: Operation) -> Effect:
        person = self.people.find(key)
        if person is None:
            return Outcome.UNKNOWN, "nobody has this identifier"
        self._relate(person, operation, adding=False)
        return APPLIED

    def _relate(self, person: Person, operation: Operation, *, adding: bool) -> None:
        for relationship in operation.get("cio_relationships") or ():
            self.objects.link(object_key(relationship["identifiers"]), person, relationship, adding=adding)

    def _delete(self, key: Key) -> Effect:
        person = self.people.find(key)
        if person is not None:
            self.people.remove(person)
        return APPLIED

    def _delete_device(self, key: Key, operation: Operation) -> Effect:
        person = self.people.find(key)
        if person is not None:
            person.devices.pop(operation["device"]["token"], None)
        return APPLIED

    def _suppress(self, key: Key) -> Effect:
        person = self.people.find(key)
        keys = frozenset([key] if person is None else person.keys)
        if person is not None:
            self.people.remove(person)
        self.suppressed.update(dict.fromkeys(keys, keys))
        return APPLIED

    def _unsuppress(self, key: Key) -> Effect:
        for suppressed in self.suppressed.get(key, ()):
            self.suppressed.pop(suppressed, None)
        return APPLIED

    def _merge(self, key: Key, operation: Operation) -> Effect:
        ((kind, value),) = operation["secondary"].items()
        primary, secondary = self.people.find(key), self.people.find(key_of(kind, value))
        if primary is None or secondary is None or primary is secondary:
            return Outcome.UNKNOWN, "a merge needs two people who exist"
        self.people.join(primary, secondary)
        return APPLIED

    def _take_object(self, operation: Operation, now: float) -> None:
        thing = object_key(operation["identifiers"])
        action = operation["action"]
        if action == "delete":
            self.objects.remove(thing)
        else:
            self.objects.update(thing, operation.get("attributes") or {})
            self._relate_people(thing, operation, now, adding=action != "delete_relationships")
        self.journal.add(now, thing, operation, *APPLIED)

    def _relate_people(self, thing: str, operation: Operation, now: float, *, adding: bool) -> None:
        for relationship in operation.get("cio_relationships") or ():
            ((kind, value),) = relationship["identifiers"].items()
            key = key_of(kind, value)
            person = self.people.find(key)
            if person is None and adding and kind != "cio_id" and key not in self.suppressed:
                person = self.people.create(key, value, now)
            if person is not None:
                self.objects.link(thing, person, relationship, adding=adding)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _never_creates(operation: Operation) -> bool:
    return (operation.get("attributes") or {}).get("_update") is True


_EVENTS = frozenset({"event", "page", "screen"})

_UPDATES: Mapping[str, Callable[[Workspace, Person, Operation, float], Effect]] = {
    "identify": Workspace._identify,
    "add_device": Workspace._add_device,
    "add_relationships": lambda workspace, person, operation, _: workspace._add_relationships(
        person, operation
    ),
}
"""Changes of a person, who comes to be if nobody has the name."""

_OTHERS: Mapping[str, Callable[[Workspace, Key, Operation], Effect]] = {
    "delete": lambda workspace, key, _: workspace._delete(key),
    "delete_device": Workspace._delete_device,
    "delete_relationships": Workspace._delete_relationships,
    "suppress": lambda workspace, key, _: workspace._suppress(key),
    "unsuppress": lambda workspace, key, _: workspace._unsuppress(key),
    "merge": Workspace._merge,
}
"""Actions that create nobody."""
