"""Raw requests: what may be sent, and nothing that could go elsewhere."""

from typing import Any

import orjson
import pytest

from pipeline.calls import CallKind, Reason
from pipeline.customerio.limits import check
from pipeline.customerio.raw import MAX_TARGET_BYTES, RawFile, RawRequest, read_raw_request
from pipeline.customerio.raw_guards import path_problem
from pipeline.customerio.sizes import check_size, travels_alone
from pipeline.customerio.verdicts import DELIVERED, Refused
from tests.customerio_made import call, encoded, run_with_client
from tests.servers.hostile import HostileServer, Recorder, answer, answering


def read(**document: Any) -> RawRequest:
    request = read_raw_request(document)
    assert isinstance(request, RawRequest), request
    return request


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts/region",
        "/",
        "/v1/customers/a%2Fb",
        "/v1/customers/...",
        "/v1/customers/a.b",
        "/v1/x:y@z",
    ],
)
def test_a_path_of_the_api_is_taken(path: str) -> None:
    assert path_problem(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1",
        "//evil.example",
        "http://evil.example/v1",
        "/v1//x",
        "/v1/.",
        "/v1/..",
        "/v1/../x",
        "/./v1",
        "/v1/%2e/x",
        "/v1/%2E%2e",
        "/v1/.%2e/x",
        "/v1?x=1",
        "/v1#x",
        "/v1/a b",
        "/v1/\r\nx: y",
        "/v1\\x",
        "/v1/%zz",
        "/v1/%",
        "/v1/é",
        "/v1/\x00",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    assert path_problem(path) is not None


@pytest.mark.parametrize(
    "name", ["Authorization", "AUTHORIZATION", "Host", "Content-Length", "Transfer-Encoding"]
)
def test_a_header_that_speaks_for_somebody_else_is_refused(name: str) -> None:
    assert "client's to set" in str(read_raw_request({"path": "/v1", "headers": {name: "x"}}))


@pytest.mark.parametrize(
    ("name", "value"), [("a b", "x"), ("", "x"), ("x", "a\r\nb"), ("x", "é"), ("x\n", "y")]
)
def test_a_header_that_breaks_the_framing_is_refused(name: str, value: str) -> None:
    assert isinstance(read_raw_request({"path": "/v1", "headers": {name: value}}), str)


def test_pairs_are_written_in_three_ways() -> None:
    expected = (("a", "1"), ("b", "x"))
    for query in (
        {"a": 1, "b": "x"},
        [["a", "1"], ["b", "x"]],
        [{"key": "a", "value": 1}, {"key": "b", "value": "x"}],
    ):
        assert read(path="/v1", query=query).query == expected


def test_a_pair_without_a_value_is_left_out() -> None:
    request = read(path="/v1", query={"a": None, "b": "x"}, headers=[["x-a", None]], form=[])
    assert (request.query, request.headers, request.form) == ((("b", "x"),), (), ())


def test_waits_between_attempts_are_fixed_or_double_from_a_tenth_of_a_second() -> None:
    fixed, doubling = read(path="/v1", retry_delay_ms=250), read(path="/v1", exponential_backoff=True)
    assert [fixed.retry_wait_s(attempt) for attempt in (1, 2, 9)] == [0.25] * 3
    assert [doubling.retry_wait_s(attempt) for attempt in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert doubling.retry_wait_s(1_000) == 60.0
    assert read(path="/v1", exponential_backoff=True, retry_delay_ms=90_000).retry_wait_s(5) == 90.0


def test_a_description_holds_names_and_sizes_and_no_values() -> None:
    request = read(
        path="/v1/x",
        query={"q": "secret"},
        headers={"x-key": "secret"},
        form={"f": "secret"},
        files={"a": {"name": "a.csv", "content": "secret"}},
    )
    assert request.described() == {
        "method": "POST",
        "path": "/v1/x",
        "query": ["q"],
        "headers": ["x-key"],
        "form": ["f"],
        "files": {"a": {"name": "a.csv", "bytes": 6}},
        "body_bytes": 0,
    }
    assert read(path="/v1/x", body={"a": "secret"}).described()["body_bytes"] == 14


def test_files_are_inline_text_or_base64() -> None:
    request = read(path="/v1", files={"a": "text", "b": {"name": "n.bin", "base64": "/wA="}})
    assert request.files == (RawFile("a", "a", b"text"), RawFile("b", "n.bin", b"\xff\x00"))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"path": "/v1", "methd": "GET"},
        {"path": "/v1", "method": "BREW"},
        {"path": "/v1", "body": {}, "form": {"a": "b"}},
        {"path": "/v1", "files": {"a": {"content": "x", "base64": "eA=="}}},
        {"path": "/v1", "files": {"a": {"base64": "no base64!"}}},
        {"path": "/v1", "query": {"a": {"b": 1}}},
        {"path": "/v1", "query": 5},
        {"path": "/v1", "query": "a=b"},
        {"path": "/v1", "query": {"a": float("nan")}},
        {"path": "/v1", "body": {"a": [float("inf")]}},
        {"path": "/v1", "files": {"a": 5}},
        {"path": "/v1", "files": [1]},
        {"path": "/v1", "timeout_seconds": 0},
        {"path": "/v1", "max_retry_count": -1},
        {"path": "/v1", "response_type": "yaml"},
        "text",
        None,
    ],
)
def test_what_is_no_request_is_said_without_its_values(document: object) -> None:
    problem = read_raw_request(document)
    assert isinstance(problem, str)
    assert "no base64!" not in problem


def test_retry_inputs_count_only_when_they_are_given() -> None:
    assert not read(path="/v1").retries_given
    assert read(path="/v1", max_retry_count=0).retries_given


def test_a_raw_call_of_a_rule_is_checked_when_it_is_made() -> None:
    assert check(call(CallKind.RAW, request={"path": "/v1/x", "method": "GET"})) is None
    failure = check(call(CallKind.RAW, request={"path": "/../x"}))
    assert failure is not None
    assert failure.reason is Reason.INVALID_CALL


@pytest.mark.parametrize(
    "document",
    [
        {"path": "/v1/" + "a" * MAX_TARGET_BYTES},
        {"path": "/v1/x", "query": {"q": "x" * MAX_TARGET_BYTES}},
        {"path": "/v1/x", "query": {"q": "é" * (MAX_TARGET_BYTES // 6)}},
    ],
    ids=["path", "query", "encoded query"],
)
def test_a_raw_call_with_an_address_that_is_too_long_is_found_before_it_is_sent(
    document: dict[str, Any],
) -> None:
    failure = check(call(CallKind.RAW, request=document))
    assert failure is not None
    assert failure.reason is Reason.INVALID_CALL
    assert "path and query have" in failure.text
    assert "at most 60000 are allowed" in failure.text


def test_the_longest_address_that_is_taken_can_be_sent() -> None:
    longest = read(path="/v1/x", query={"q": "x" * (MAX_TARGET_BYTES - len("/v1/xq="))})
    with HostileServer(answering(answer(b"{}", "404 Not Found"))) as server:
        verdict, _ = run_with_client(server.base_url, lambda client: client.send_raw(longest))
    assert isinstance(verdict, Refused)
    assert verdict.refusals[0].status == 404


def test_a_raw_request_of_which_no_http_request_can_be_made_is_refused_and_not_tried_again() -> None:
    impossible = RawRequest.model_construct(path="/v1/" + "a" * 70_000)
    verdict, answered = run_with_client("http://127.0.0.1:1", lambda client: client.send_raw(impossible))
    assert isinstance(verdict, Refused)
    assert verdict.refusals[0].text == "no HTTP request can be made of it (InvalidURL)"
    assert answered is None


def test_a_raw_call_travels_alone_however_large_it_is() -> None:
    made = call(CallKind.RAW, request={"path": "/v1/x", "body": "x" * 50_000})
    payload = encoded(made)
    assert travels_alone(payload)
    assert check_size(made, payload) is None
    assert not travels_alone(encoded(call(CallKind.TRACK, name="raw")))


def test_a_raw_call_is_sent_as_the_request_it_is() -> None:
    payload = encoded(call(CallKind.RAW, request={"path": "/v1/x", "method": "PATCH", "body": {"a": 1}}))
    recorder = Recorder()
    with HostileServer(recorder) as server:
        assert run_with_client(server.base_url, lambda client: client.send_batch([payload])) == DELIVERED
    assert recorder.request_lines == ["PATCH /api/v1/x HTTP/1.1"]
    assert orjson.loads(recorder.requests[0].split(b"\r\n\r\n", 1)[1]) == {"a": 1}


def test_a_refused_raw_call_is_refused_alone() -> None:
    payload = encoded(call(CallKind.RAW, request={"path": "/v1/x"}))
    with HostileServer(answering(answer(b"{}", "404 Not Found"))) as server:
        verdict = run_with_client(server.base_url, lambda client: client.send_batch([payload]))
    assert isinstance(verdict, Refused)
