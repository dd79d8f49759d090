"""The `raw` call of a rule: every input of the connector, and what is wrong before any event comes."""

from typing import Any

import pytest

from pipeline.customerio.raw import MAX_TARGET_BYTES, RawFile, RawRequest, ResponseType, read_raw_request
from pipeline.documents import DocumentError
from pipeline.mapping.raw_inputs import RAW_INPUTS
from tests.unit.mapping.mapping_cases import calls, failures, mapped, rules

EVERY_INPUT = """
rules:
  - name: r
    raw:
      path: "/v1/things/${id}"
      method: PUT
      query: {page: "${page}", none: "${missing}"}
      headers: [{key: x-source, value: "${source}"}]
      form: {note: "for ${id}"}
      files:
        one: "text of ${id}"
        two: {name: "${id}.bin", base64: "${bytes}"}
      response_type: binary
      timeout_seconds: 2.5
      debug: true
      retry_delay_ms: 250
      retry_on_all_errors: true
      max_retry_count: 3
      exponential_backoff: true
"""
TOO_LONG = "a" * MAX_TARGET_BYTES
HALF = "a" * (MAX_TARGET_BYTES // 2)
EVENT = {"id": "t1", "page": 2, "source": "shop", "bytes": "/wA="}


def rule(*lines: str) -> str:
    return "rules:\n  - name: r\n    raw:\n" + "".join(f"      {line}\n" for line in lines)


def request_of(text: str, event: dict[str, Any]) -> RawRequest:
    (call,) = mapped(text, event).calls
    request = read_raw_request(call.options["request"])
    assert isinstance(request, RawRequest), request
    return request


def test_every_input_of_the_connector_reaches_the_request() -> None:
    assert request_of(EVERY_INPUT, EVENT) == RawRequest(
        path="/v1/things/t1",
        method="PUT",
        query=(("page", "2"),),
        headers=(("x-source", "shop"),),
        form=(("note", "for t1"),),
        files=(RawFile("one", "one", b"text of t1"), RawFile("two", "t1.bin", b"\xff\x00")),
        response_type=ResponseType.BINARY,
        timeout_seconds=2.5,
        debug=True,
        retry_delay_ms=250,
        retry_on_all_errors=True,
        max_retry_count=3,
        exponential_backoff=True,
    )


def test_the_inputs_of_a_rule_are_those_of_a_raw_request() -> None:
    assert set(RAW_INPUTS) == set(RawRequest.model_fields)


def test_only_the_inputs_that_are_written_are_part_of_the_call() -> None:
    (call,) = calls(rule("path: /v1/x"), {})
    assert call["request"] == {"method": "POST", "path": "/v1/x"}
    assert not request_of(rule("path: /v1/x"), {}).retries_given


def test_an_expression_may_give_a_whole_query() -> None:
    assert request_of(rule("path: /v1/x", 'query: "${q}"'), {"q": {"a": 1}}).query == (("a", "1"),)


def test_a_path_and_a_query_of_exactly_the_allowed_length_pass() -> None:
    path = "/" + "a" * (MAX_TARGET_BYTES - len("/q=x&on=true"))
    request = request_of(
        rule(f"path: {path}", 'query: {q: x, "on": true, none: null, page: "${missing}"}'), {}
    )
    assert request.query == (("q", "x"), ("on", "true"))


@pytest.mark.parametrize(
    ("lines", "event"),
    [
        (('path: "/v1/${id}"',), {"id": "../../x"}),
        (("path: /v1/x", 'query: "${q}"'), {"q": "secret"}),
        (("path: /v1/x", 'headers: {x-a: "${h}"}'), {"h": "secret\r\nhost: evil"}),
        (("path: /v1/x", 'files: {a: {base64: "${b}"}}'), {"b": "secret!"}),
    ],
)
def test_what_only_the_event_makes_wrong_is_a_failure_without_its_values(
    lines: tuple[str, ...], event: dict[str, Any]
) -> None:
    assert failures(rule(*lines), event) == [("invalid_call", "request")]
    (failure,) = mapped(rule(*lines), event).failures
    assert "secret" not in failure.text


@pytest.mark.parametrize(
    ("lines", "line", "column", "said"),
    [
        (("path: /v1/../x",), 5, 13, "dot segments"),
        ((f"path: /{TOO_LONG}",), 5, 13, "at most 60000"),
        (("path: /v1/x", f"query: {{q: {TOO_LONG}}}"), 5, 7, "at most 60000"),
        (('path: "/v1/${id}"', f"query: {{q: {TOO_LONG}, page: '${{page}}'}}"), 5, 7, "at most 60000"),
        ((f"path: /{HALF}", f"query: [{{key: q, value: {HALF}}}, [n, null]]"), 5, 7, "at most 60000"),
        (("path: https://evil.example/v1",), 5, 13, "must not name a host"),
        (("path: /v1/x", "methd: GET"), 6, 7, "did you mean 'method'?"),
        (("path: /v1/x", "method: BREW"), 6, 15, "'GET'"),
        (("path: /v1/x", "body: {}", "form: {a: b}"), 5, 7, "excludes form and files"),
        (("path: /v1/x", "body: null", "files: {a: b}"), 5, 7, "excludes form and files"),
        (("path: /v1/x", "query: 5"), 6, 14, "keys with values"),
        (("path: /v1/x", "query: plain"), 6, 14, "keys with values"),
        (("path: /v1/x", "query: [{name: a, value: b}]"), 6, 14, "{key: ..., value: ...}"),
        (("path: /v1/x", "form: {a: {b: 1}}"), 6, 13, "a text, a number"),
        (("path: /v1/x", "headers: {Authorization: x}"), 6, 16, "the client's to set"),
        (("path: /v1/x", "headers: {x a: x}"), 6, 16, "holds what a name may not"),
        (("path: /v1/x", "headers: {x-a: é}"), 6, 16, "printable ASCII"),
        (("path: /v1/x", "files: {a: {content: b, base64: eA==}}"), 6, 18, "exactly one of"),
        (("path: /v1/x", "files: {a: {path: /etc/passwd}}"), 6, 19, "unknown key 'path'"),
        (("path: /v1/x", "files: {a: {base64: '??'}}"), 6, 18, "base64"),
        (("path: /v1/x", "timeout_seconds: 0"), 6, 24, "greater than 0"),
        (("path: /v1/x", "response_type: yaml"), 6, 22, "'binary'"),
        (("path: /v1/x", "max_retry_count: -1"), 6, 24, "greater than or equal to 0"),
        (("path: /v1/x", "retry_delay_ms: 5"), 5, 7, "needs max_retry_count"),
        (("path: /v1/x", "retry_on_all_errors: true"), 5, 7, "needs max_retry_count"),
        (("path: /v1/x", "exponential_backoff: true"), 5, 7, "needs max_retry_count"),
    ],
)
def test_what_is_wrong_before_any_event_comes_has_its_place(
    lines: tuple[str, ...], line: int, column: int, said: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        rules(rule(*lines))
    problems = [
        problem
        for problem in caught.value.problems
        if (problem.location.line, problem.location.column) == (line, column)
    ]
    assert any(said in problem.text for problem in problems), [str(p) for p in caught.value.problems]
