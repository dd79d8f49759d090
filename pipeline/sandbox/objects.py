"""Objects: things that are not people, and the people they relate to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.people import Person, updated


@dataclass(slots=True)
class CustomObject:
    """A thing that is not a person, and the people it relates to, by cio_id."""

    attributes: dict[str, Any] = field(default_factory=dict)
    related: dict[str, dict[str, Any]] = field(default_factory=dict)


class Objects:
    """The objects of a workspace by their keys; an object comes to be when it is first named."""

    def __init__(self) -> None:
        self._objects: dict[str, CustomObject] = {}

    def __getitem__(self, key: str) -> CustomObject:
        return self._objects[key]

    def update(self, key: str, attributes: Mapping[str, Any]) -> None:
        """Change attributes of an object."""
        thing = self._objects.setdefault(key, CustomObject())
        thing.attributes = updated(thing.attributes, attributes)

    def remove(self, key: str) -> None:
        """Forget an object and its relations."""
        self._objects.pop(key, None)

    def link(self, key: str, person: Person, relationship: Mapping[str, Any], *, adding: bool) -> None:
        """Add or update a relation, or end it."""
        related = self._objects.setdefault(key, CustomObject()).related
        if adding:
            attributes = relationship.get("relationship_attributes") or {}
            related[person.cio_id] = updated(related.get(person.cio_id, {}), attributes)
        else:
            related.pop(person.cio_id, None)

    def relations_of(self, person: Person) -> list[tuple[str, dict[str, Any]]]:
        """Return the objects that a person relates to, with the relation's attributes."""
        things = self._objects.items()
        return [
            (key, thing.related[person.cio_id]) for key, thing in things if person.cio_id in thing.related
        ]

    def document(self) -> dict[str, Any]:
        """Return every object for JSON."""
        things = self._objects.items()
        return {key: {"attributes": thing.attributes, "related": thing.related} for key, thing in things}


def object_key(identifiers: Mapping[str, Any]) -> str:
    """Return how an object is looked up."""
    if "cio_object_id" in identifiers:
        return f"cio_object_id:{identifiers['cio_object_id']}"
    return f"object:{identifiers['object_type_id']}:{identifiers['object_id']}"
