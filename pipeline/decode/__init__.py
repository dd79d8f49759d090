"""Bytes to events."""

from pipeline.decode.json import Undecodable, decode_json

__all__ = ["Undecodable", "decode_json"]
