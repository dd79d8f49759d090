"""The inputs of a `raw` call. What is known before an event comes is checked here, the rest when the call is made."""

from base64 import b64decode
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from pipeline.customerio.raw import read_raw_request
from pipeline.customerio.raw_guards import header_problem, path_problem

RAW_INPUTS = (
    "method",
    "path",
    "body",
    "form",
    "files",
    "query",
    "headers",
    "response_type",
    "timeout_seconds",
    "debug",
    "retry_delay_ms",
    "retry_on_all_errors",
    "max_retry_count",
    "exponential_backoff",
)


def _is_constant(value: object) -> bool:
    return isinstance(value, str) and "${" not in value


def _path(value: str) -> str:
    problem = (path_problem(value) or _target_problem(value)) if _is_constant(value) else None
    if problem is not None:
        raise ValueError(problem)
    return value


def _target_problem(path: str, query: list[tuple[Any, Any]] | None = None) -> str | None:
    """Return what a request itself says of its path and query, which may be too long together, or None."""
    read = read_raw_request({"path": path, "query": query})
    return read if isinstance(read, str) else None


def _pairs(value: Any) -> Any:
    """Check an object of values, a list of pairs, or a text with an expression that gives one of them."""
    if isinstance(value, str) and not _is_constant(value):
        return value
    if not isinstance(value, dict | list):
        raise ValueError("must be keys with values, or a list of them")  # noqa: TRY004 - for pydantic
    if any(isinstance(written, dict | list) for _, written in _written_pairs(value)):
        raise ValueError("each value must be a text, a number, a boolean or null")
    return value


def _written_pairs(value: dict[Any, Any] | list[Any]) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else [_pair(entry) for entry in value]


def _pair(entry: Any) -> tuple[Any, Any]:
    if isinstance(entry, dict) and set(entry) == {"key", "value"}:
        return entry["key"], entry["value"]
    if isinstance(entry, list) and len(entry) == 2:
        return entry[0], entry[1]
    raise ValueError("each entry of the list must be {key: ..., value: ...}")


def _headers(value: Any) -> Any:
    pairs = _pairs(value)
    if isinstance(pairs, str):
        return pairs
    for name, written in _written_pairs(pairs):
        if _is_constant(name):
            problem = header_problem(name, written if _is_constant(written) else "")
            if problem is not None:
                raise ValueError(problem)
    return value


def _constant_pairs(value: Any) -> list[tuple[Any, Any]]:
    """Return the pairs that are sent as they are written, whatever the event."""
    if not isinstance(value, dict | list):
        return []
    return [
        (name, written)
        for name, written in _written_pairs(value)
        if _is_constant(name) and (_is_constant(written) or isinstance(written, int | float))
    ]


class InlineFile(BaseModel):
    """A file in a request: its name and what it holds, as text or as Base64."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: str | None = None
    content: str | None = None
    base64: str | None = None

    @model_validator(mode="after")
    def _one_content(self) -> "InlineFile":
        if (self.content is None) == (self.base64 is None):
            raise ValueError("a file has exactly one of content and base64")
        if self.base64 is not None and _is_constant(self.base64):
            b64decode(self.base64, validate=True)
        return self


FileInput = Annotated[
    Annotated[str, Tag("text")] | Annotated[InlineFile, Tag("file")],
    Discriminator(lambda value: "text" if isinstance(value, str) else "file"),
]


class RawInputs(BaseModel):
    """The connector's inputs of a raw request; `path`, data, query and headers may hold expressions."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = Field(
        default="POST", description="GET, POST, PUT, PATCH, DELETE or HEAD; POST if left out."
    )
    path: Annotated[str, AfterValidator(_path)] = Field(
        ..., description="The path after /api, starting with one slash."
    )
    body: Any = Field(default=None, description="The JSON body; it excludes form and files.")
    form: Annotated[Any, AfterValidator(_pairs)] = Field(
        default=None, description="Fields of multipart form data: an object, or a list of `{key, value}`."
    )
    files: dict[str, FileInput] = Field(
        default={},
        description="Files of multipart form data by field: a text, or an object of `name` and either `content` "
        "(text) or `base64`.",
    )
    query: Annotated[Any, AfterValidator(_pairs)] = Field(
        default=None,
        description="Query parameters: an object, or a list of `{key, value}`; one that is null is left out.",
    )
    headers: Annotated[Any, AfterValidator(_headers)] = Field(
        default=None,
        description="Headers, written as query is. Authorization and those that frame a request are refused.",
    )
    response_type: Literal["json", "text", "binary"] = Field(
        default="json", description="How an answer is read: it changes nothing here, as nobody reads it."
    )
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        le=3_600,
        description="The longest wait for an answer; `customerio.request_timeout_seconds` if left out.",
    )
    debug: bool = Field(
        default=False,
        description="Log the request: its method, its path, the names and sizes of what it holds.",
    )
    retry_delay_ms: int = Field(
        default=0, ge=0, le=3_600_000, description="Milliseconds between attempts; needs max_retry_count."
    )
    retry_on_all_errors: bool = Field(
        default=False, description="Try again also when the request is refused; needs max_retry_count."
    )
    max_retry_count: int = Field(
        default=0,
        ge=0,
        le=1_000,
        description="Attempts after the first one, in place of `delivery.retry`; then the call is a dead letter. "
        "0 is none. `delivery.retry` decides if left out.",
    )
    exponential_backoff: bool = Field(
        default=False,
        description="Double the delay (at least 100 ms) after each attempt, up to a minute; needs max_retry_count.",
    )

    @model_validator(mode="after")
    def _no_contradiction(self) -> "RawInputs":
        given = self.model_fields_set
        if "body" in given and ("form" in given or "files" in given):
            raise ValueError("a JSON body excludes form and files")
        useless = {"retry_delay_ms", "retry_on_all_errors", "exponential_backoff"} & given
        if useless and "max_retry_count" not in given:
            raise ValueError(f"{', '.join(sorted(useless))} needs max_retry_count, which says how often")
        return self

    @model_validator(mode="after")
    def _bounded_target(self) -> "RawInputs":
        """Count what is constant: an event can only add to it."""
        problem = _target_problem(self.path if _is_constant(self.path) else "/", _constant_pairs(self.query))
        if problem is not None:
            raise ValueError(problem)
        return self

    def inputs(self) -> dict[str, Any]:
        """Return the inputs that are written, and the method."""
        written = self.model_dump(include=set(RAW_INPUTS), exclude_unset=True)
        return {"method": self.method, **written}
