"""What the sandbox refuses at the door, with the field that is wrong."""

from typing import Any

import pytest

from pipeline.sandbox.workspace import Workspace

NOW = 1_700_000_000.0

REFUSED: list[tuple[Any, str, str]] = [
    ([], "", "must be an object"),
    ({}, "type", "type is required"),
    ({"type": []}, "type", "must be one of"),
    ({"type": "person"}, "action", "action is required"),
    ({"type": "person", "action": "identify"}, "identifiers", "identifiers is required"),
    ({"type": "person", "action": "delete", "identifiers": {}}, "identifiers", "exactly one of"),
    (
        {"type": "person", "action": "delete", "identifiers": {"id": "1", "email": "a@b.c"}},
        "identifiers",
        "exactly",
    ),
    (
        {"type": "person", "action": "delete", "identifiers": {"id": True}},
        "identifiers.id",
        "a string or a number",
    ),
    ({"type": "person", "action": "delete", "identifiers": {"id": " "}}, "identifiers.id", "blank"),
    ({"type": "person", "action": "delete", "identifiers": {"id": "é" * 76}}, "identifiers.id", "150 bytes"),
    (
        {"type": "person", "action": "delete", "identifiers": {"anonymous_id": "a"}},
        "identifiers.anonymous_id",
        "one",
    ),
    ({"type": "person", "action": "event", "identifiers": {"id": "1"}}, "name", "must not be blank"),
    (
        {"type": "person", "action": "event", "identifiers": {"id": "1"}, "name": "é" * 51},
        "name",
        "100 bytes",
    ),
    (
        {"type": "person", "action": "event", "identifiers": {"id": "1"}, "name": "n", "attributes": []},
        "attributes",
        "object",
    ),
    (
        {
            "type": "person",
            "action": "identify",
            "identifiers": {"id": "1"},
            "attributes": {"plan": "é" * 501},
        },
        "attributes.plan",
        "property value cannot be longer than 1000 bytes",
    ),
    (
        {"type": "person", "action": "identify", "identifiers": {"id": "1"}, "attributes": {"é" * 76: 1}},
        "attributes",
        "150 bytes",
    ),
    (
        {
            "type": "person",
            "action": "identify",
            "identifiers": {"id": "1"},
            "attributes": {str(n): n for n in range(301)},
        },
        "attributes",
        "more than 300",
    ),
    (
        {"type": "person", "action": "identify", "identifiers": {"id": "1"}, "attributes": {"id": "2"}},
        "attributes.id",
        "not the same value",
    ),
    (
        {"type": "person", "action": "merge", "primary": {"id": {}}, "secondary": {"id": "2"}},
        "primary.id",
        "string",
    ),
    ({"type": "person", "action": "add_device", "identifiers": {"id": "1"}}, "device", "required"),
    (
        {"type": "person", "action": "add_device", "identifiers": {"id": "1"}, "device": {"token": "t"}},
        "device.platform",
        "ios",
    ),
    (
        {
            "type": "person",
            "action": "add_relationships",
            "identifiers": {"id": "1"},
            "cio_relationships": [{}],
        },
        "cio_relationships[0].identifiers",
        "object_type_id",
    ),
    ({"type": "object", "action": "identify", "identifiers": {"id": "1"}}, "identifiers", "object_type_id"),
    ({"type": "raw", "request": {}}, "type", "must be one of"),
]


@pytest.mark.parametrize(("operation", "field", "words"), REFUSED, ids=[str(case[1]) for case in REFUSED])
def test_what_breaks_a_limit_is_refused_with_its_field(operation: Any, field: str, words: str) -> None:
    workspace = Workspace()
    problem = workspace.take(operation, NOW)
    assert problem is not None
    assert problem.field == field
    assert words in problem.message
    assert workspace.journal.arrivals == []
    assert workspace.journal.refused == 1
