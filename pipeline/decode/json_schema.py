"""JSON payloads to events, held against their schema."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import orjson

from pipeline.decode.json import read_json
from pipeline.decode.outcomes import Undecodable
from pipeline.decode.schemas import Reader, Schema

_BASE = "json-schema:///"
"""Where the validator takes relative references from."""


def json_schema_reader(schema: Schema) -> Reader | Undecodable:
    """Return the reader of a JSON Schema, or why there is none."""
    try:
        others = {name: orjson.loads(text) for name, text in schema.references.items()}
        validator = jsonschema_rs.validator_for(
            orjson.loads(schema.text), retriever=lambda uri: _referenced(uri, others)
        )
    except Exception as error:  # whatever the library makes of a schema it cannot use
        return Undecodable(f"its JSON Schema cannot be used ({type(error).__name__})")

    def read(payload: bytes) -> Any:
        event = read_json(payload)
        if type(event) is Undecodable or validator.is_valid(event):
            return event
        failed = next(iter(validator.iter_errors(event)))
        # The path within the schema, and nothing of the value: that may name people.
        rule = "/".join(str(part) for part in failed.schema_path)
        return Undecodable(f"the value is not what its JSON Schema says (at {rule or 'its root'})")

    return read


def _referenced(uri: str, others: Mapping[str, Any]) -> Any:
    """Return a schema by its reference's name; nothing is ever fetched from anywhere else."""
    name = uri.removeprefix(_BASE)
    for key in (uri, name):
        if key in others:
            return others[key]
    for other in others.values():
        if isinstance(other, dict) and other.get("$id") == uri:
            return other
    raise LookupError(name)
