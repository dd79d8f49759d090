"""Raw requests: any request to the API of Customer.io, guarded so that it can only go there.

A request is written as a document with the connector's inputs; only `path` is needed:

`method`, `path` (after /api, starting with one slash), `query` and `headers` (objects or lists of pairs), and one of
`body` (JSON), `form` (fields) and `files` (field to text, or to an object of `name`, `content` or `base64`);
`response_type`, `timeout_seconds`, `debug`; `retry_delay_ms`, `retry_on_all_errors`, `max_retry_count`,
`exponential_backoff`. A query parameter, a header or a form field that is null is left out.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Any
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.customerio.raw_guards import METHODS, header_problem, path_problem

MAX_BACKOFF_S = 60.0
"""The longest wait of the exponential backoff; the connector names none."""

MAX_TARGET_BYTES = 60_000
"""A raw request's path and query, percent-encoded. Customer.io names no limit; the HTTP client makes no request with
an address of more than 65,536 characters, and this leaves room for what comes before the path."""

_MIN_BACKOFF_S = 0.1

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
        if method.upper() not in METHODS:
            raise ValueError(f"must be one of {', '.join(METHODS)}")
        return method.upper()

    @field_validator("form", "query", "headers", mode="before")
    @classmethod
    def _as_pairs(cls, value: Any) -> Any:
        if value is None:
            return ()
        entries = value.items() if isinstance(value, Mapping) else value
        if isinstance(entries, str) or not isinstance(entries, Iterable):
            raise ValueError("must be an object, or a list of keys and values")  # noqa: TRY004 - for pydantic
        pairs = (_pair(entry) for entry in entries)
        return tuple((key, written) for key, written in pairs if written is not None)

    @field_validator("body")
    @classmethod
    def _is_json(cls, body: Any) -> Any:
        if not _is_finite(body):
            raise ValueError("JSON has no NaN and no infinity")
        return body

    @field_validator("headers")
    @classmethod
    def _guarded_headers(cls, headers: Pairs) -> Pairs:
        problem = next(filter(None, (header_problem(name, value) for name, value in headers)), None)
        if problem is not None:
            raise ValueError(problem)
        return headers

    @field_validator("files", mode="before")
    @classmethod
    def _as_files(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return () if value is None else value
        return tuple(_file(field, content) for field, content in value.items())

    @model_validator(mode="after")
    def _one_body(self) -> "RawRequest":
        if self.body is not None and (self.form or self.files):
            raise ValueError("a JSON body excludes form data and files")
        return self

    @model_validator(mode="after")
    def _bounded_target(self) -> "RawRequest":
        size = len(self.path) + len(urlencode(self.query, errors="replace"))
        if size > MAX_TARGET_BYTES:
            raise ValueError(
                f"path and query have {size} bytes as they are sent, at most {MAX_TARGET_BYTES} are allowed"
            )
        return self

    @property
    def retries_given(self) -> bool:
        """Whether the request brings retry inputs of its own."""
        return not self.model_fields_set.isdisjoint(
            {"retry_delay_ms", "retry_on_all_errors", "max_retry_count", "exponential_backoff"}
        )

    def retry_wait_s(self, attempt: int) -> float:
        """Return the seconds to wait after the attempt of this number, which counts from 1."""
        delay_s = self.retry_delay_ms / 1000
        if not self.exponential_backoff:
            return delay_s
        doubled = max(delay_s, _MIN_BACKOFF_S) * 2.0 ** min(attempt - 1, 32)
        return min(doubled, max(delay_s, MAX_BACKOFF_S))

    def described(self) -> dict[str, object]:
        """Return what a log may hold of it: names and sizes; values may be secret or personal."""
        body = self.json_body()
        return {
            "method": self.method,
            "path": self.path,
            "query": [name for name, _ in self.query],
            "headers": [name for name, _ in self.headers],
            "form": [name for name, _ in self.form],
            "files": {file.field: {"name": file.name, "bytes": len(file.content)} for file in self.files},
            "body_bytes": 0 if body is None else len(body),
        }

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
        problems = (
            f"{'.'.join(map(str, p['loc'])) or 'request'}: {p['msg'].removeprefix('Value error, ')}"
            for p in error.errors()
        )
        return "; ".join(problems)


@lru_cache(maxsize=32)  # about as many as are under way: a call that is tried again is not read again
def raw_request_of(payload: bytes) -> RawRequest | str:
    """Return the raw request of an encoded operation, or every reason why it is none, without its values."""
    return read_raw_request(orjson.loads(payload)["request"])


def _pair(entry: Any) -> tuple[Any, Any]:
    if isinstance(entry, Mapping) and set(entry) == {"key", "value"}:
        entry = (entry["key"], entry["value"])
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        raise ValueError("each entry must be a key and a value")
    key, value = entry
    if isinstance(value, bool):
        return key, "true" if value else "false"
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("a value is NaN or infinite")
    return key, str(value) if isinstance(value, int | float) else value


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_finite, value))


def _file(field: str, content: Any) -> RawFile:
    if isinstance(content, str):
        return RawFile(field, field, content.encode())
    document = RawFileDocument.model_validate(content)
    return RawFile(field, document.name or field, document.bytes())
