"""Records to events."""

from pipeline.decode.json import decode_json
from pipeline.decode.outcomes import SchemaPending, Undecodable

__all__ = ["SchemaPending", "Undecodable", "decode_json"]
