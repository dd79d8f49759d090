"""Raw requests: any request to the API of Customer.io, guarded so that it can only go there.

A request is written as a document with the connector's inputs; only `path` is needed:

`method`, `path` (after /api, starting with one slash), `query` and `headers` (objects or lists of pairs), and one of
`body` (JSON), `form` (fields) and `files` (field to text, or to an object of `name`, `content` or `base64`);
`response_type`, `timeout_seconds`, `debug`; `retry_delay_ms`, `retry_on_all_errors`, `max_retry_count`,
`exponential_backoff`.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*\Z")
_DOTS = re.compile(r"(?:\.|%2e){1,2}\Z", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+\Z")

REFUSED_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that would speak for somebody else, or break the framing of the request."""

Pairs = tuple[tuple[str, str], ...]


class ResponseType(StrEnum):
    """How an answer is to be shown."""

    JSON = "json"
    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of a multipart body: the form field, the name it is sent under, and its bytes."""

    field: str
    name: str
    content: bytes


class RawFileDocument(BaseModel):
    """A file as a document holds it: inline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    content: str | None = None
    base64: str | None = None

    @model_validator(mode="after")
    def _one_content(self) -> "RawFileDocument":
        if (self.content is None) == (self.base64 is None):
            raise ValueError("exactly one of content and base64")
        return self

    def bytes(self) -> bytes:
        """Return the content.

        Raises:
            ValueError: `base64` is none.
        """
        return (self.content or "").encode() if self.base64 is None else b64decode(self.base64, validate=True)


class RawRequest(BaseModel):
    """A raw request that may be sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    path: str
    method: str = "POST"
    body: Any = None
    form: Pairs = ()
    files: tuple[RawFile, ...] = ()
    query: Pairs = ()
    headers: Pairs = ()
    response_type: ResponseType = ResponseType.JSON
    timeout_seconds: float | None = Field(default=None, gt=0, le=3_600)
    debug: bool = False
    retry_delay_ms: int = Field(default=0, ge=0, le=3_600_000)
    retry_on_all_errors: bool = False
    max_retry_count: int = Field(default=0, ge=0, le=1_000)
    exponential_backoff: bool = False

    @field_validator("path")
    @classmethod
    def _guarded_path(cls, path: str) -> str:
        problem = path_problem(path)
        if problem is not None:
            raise ValueError(problem)
        return path

    @field_validator("method")
    @classmethod
    def _known_method(cls, method: str) -> str:
        if method.upper() not in _METHODS:
            raise ValueError(f"must be one of {', '.join(_METHODS)}")
        return method.upper()

    @field_validator("form", "query", "headers", mode="before")
    @classmethod
    def _as_pairs(cls, value: Any) -> Any:
        if value is None:
            return ()
        entries = value.items() if isinstance(value, Mapping) else value
        return tuple(_pair(entry) for entry in entries)

    @field_validator("headers")
    @classmethod
    def _guarded_headers(cls, headers: Pairs) -> Pairs:
        for name, value in headers:
            if not _HEADER_NAME.match(name):
                raise ValueError("a header's name holds what a name may not")
            if name.lower() in REFUSED_HEADERS:
                raise ValueError(f"the header {name} is the client's to set")
            if any(not (character == "\t" or " " <= character <= "~") for character in value):
                raise ValueError(f"the header {name} may hold only printable ASCII")
        return headers

    @field_validator("files", mode="before")
    @classmethod
    def _as_files(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return tuple(_file(field, content) for field, content in value.items())

    @model_validator(mode="after")
    def _one_body(self) -> "RawRequest":
        if self.body is not None and (self.form or self.files):
            raise ValueError("a JSON body excludes form data and files")
        return self

    @property
    def retries_given(self) -> bool:
        """Whether the request brings retry inputs of its own."""
        return not self.model_fields_set.isdisjoint(
            {"retry_delay_ms", "retry_on_all_errors", "max_retry_count", "exponential_backoff"}
        )

    def json_body(self) -> bytes | None:
        """Return the JSON body as bytes, None when there is none."""
        return None if self.body is None else orjson.dumps(self.body)


def read_raw_request(document: object) -> RawRequest | str:
    """Return a raw request from its document, or every reason why it is none, without its values."""
    if not isinstance(document, Mapping):
        return "a raw request is an object with a path"
    try:
        return RawRequest.model_validate(dict(document))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc'])) or 'request'}: {p['msg']}" for p in error.errors())
        return "; ".join(problems)


def path_problem(path: str) -> str | None:
    """Return why a path could lead elsewhere than into the API, or None."""
    return next((problem for problem, found in _PATH_PROBLEMS if found(path)), None)


_PATH_PROBLEMS: tuple[tuple[str, Callable[[str], object]], ...] = (
    (
        "must not name a host: only the path after /api, such as /v1/accounts/region",
        lambda path: "://" in path or path.startswith("//"),
    ),
    ("must start with one slash", lambda path: not path.startswith("/")),
    ("must hold no ? and no #: use query", lambda path: "?" in path or "#" in path),
    ("holds a character that a path cannot: percent-encode it", lambda path: not _PATH.match(path)),
    ("must hold no empty segment", lambda path: "//" in path),
    ("must hold no dot segments", lambda path: any(map(_DOTS.match, path.split("/")))),
)


def _pair(entry: Any) -> Any:
    if isinstance(entry, Mapping) and set(entry) == {"key", "value"}:
        entry = (entry["key"], entry["value"])
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        raise ValueError("each entry must be a key and a value")
    key, value = entry
    if isinstance(value, bool):
        value = "true" if value else "false"
    return key, str(value) if isinstance(value, int | float) else value


def _file(field: str, content: Any) -> RawFile:
    if isinstance(content, str):
        return RawFile(field, field, content.encode())
    document = RawFileDocument.model_validate(content)
    return RawFile(field, document.name or field, document.bytes())
