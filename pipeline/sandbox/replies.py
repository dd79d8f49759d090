"""Answers as the Track API writes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from pipeline.sandbox.validation import Problem

Headers = tuple[tuple[bytes, bytes], ...]

_JSON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"no-cache, no-store, must-revalidate, max-age=0"),
    (b"content-type", b"application/json; charset=utf-8"),
)
"""What recorded answers of Customer.io carry, less the headers of the network in front of it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes = b""
    headers: Headers = _JSON


OK = Reply(200, b"{}\n")
NO_CONTENT = Reply(204)

UNAUTHORIZED = Reply(401, b'{"meta":{"error":"Unauthorized request"}}\n')
"""The body is a guess: what Customer.io writes here is not documented."""

NOT_FOUND = Reply(404, b'{"meta":{"error":"not found"}}\n')


def json_reply(status: int, document: object) -> Reply:
    """Return a compact JSON answer."""
    return Reply(status, orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def not_allowed(methods: Iterable[str]) -> Reply:
    """Return the answer to a method that the path does not know."""
    allow = (b"allow", ", ".join(methods).encode("ascii"))
    return Reply(405, b'{"meta":{"error":"method not allowed"}}\n', (*_JSON, allow))


def v1_errors(messages: Sequence[str]) -> Reply:
    """Return a v1 refusal as recorded: `meta.errors`, indented by two."""
    document = {"meta": {"errors": list(messages)}}
    return Reply(400, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def v1_error(message: str) -> Reply:
    """Return a v1 refusal in the other known shape: `meta.error`."""
    document = {"meta": {"error": message}}
    return Reply(400, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def v2_errors(problems: Sequence[Problem]) -> Reply:
    """Return a v2 refusal of a whole request."""
    return json_reply(400, {"errors": [problem.document() for problem in problems]})
