"""The closed table from an answer to a verdict, exhaustively over statuses and kinds of bodies."""

import itertools
import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from pipeline.customerio.responses import (
    MAX_RETRY_AFTER_S,
    MAX_WORDS,
    batch_verdict,
    raw_verdict,
    retry_after_s,
)
from pipeline.customerio.verdicts import (
    DELIVERED,
    Delivered,
    Fatal,
    PartlyDelivered,
    Refusal,
    Refused,
    Retry,
    TooLarge,
    Verdict,
)

NOW = 1_700_000_000.0
OPERATIONS = 3

EMPTY_OBJECTS = (b"{}", b"{}\n", b'{"errors":[]}', b'{"errors":null}', b'{"meta":{}}', b'{"meta":null}')
NOT_OBJECTS = (
    b"",
    b"<html><body>Please sign in</body></html>",
    b"[]",
    b"null",
    b'"ok"',
    b"0",
    b'{"errors":[',
    b"\xff\xfe{}",
    b"OK",
    b"[" * 100_000,
)
ERRORS = (
    b'{"errors":[{"batch_index":1,"reason":"invalid","field":"attributes.plan","message":"too long"}]}',
    b'{"errors":[{"reason":"invalid"}]}',
    b'{"errors":["a text"]}',
    b'{"errors":"a text"}',
    b'{"errors":{"batch_index":2}}',
    b'{"errors":[null,7,[]]}',
    b'{"meta":{"error":"name cannot be blank"}}',
    b'{"meta":{"errors":["one","two"]}}',
)
ALL_BODIES = EMPTY_OBJECTS + NOT_OBJECTS + ERRORS


def answer(status: int, body: bytes = b"{}", operations: int = OPERATIONS, **headers: str) -> Verdict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return batch_verdict(status, named, body, operations, NOW)


def expected_kind(status: int, body: bytes) -> type[Verdict]:
    if status in {200, 207}:
        if body in NOT_OBJECTS:
            return Fatal
        if body in ERRORS or (status == 207 and body not in {b'{"errors":[]}'}):
            return PartlyDelivered
        return Delivered
    if status == 400:
        return Refused
    if status == 413:
        return TooLarge
    if status in {408, 429} or status >= 500:
        return Retry
    return Fatal


def test_every_status_and_every_kind_of_body_has_its_row() -> None:
    for status, body in itertools.product(range(200, 600), ALL_BODIES):
        assert type(answer(status, body)) is expected_kind(status, body), (status, body[:60])


def test_nothing_but_a_200_or_207_with_a_json_object_is_delivered() -> None:
    delivered = {
        (status, body)
        for status, body in itertools.product(range(200, 600), ALL_BODIES)
        if answer(status, body) == DELIVERED
    }
    assert delivered == {(200, body) for body in EMPTY_OBJECTS} | {(207, b'{"errors":[]}')}


def test_a_207_names_the_refused_operations_by_index() -> None:
    assert answer(207, ERRORS[0]) == PartlyDelivered(
        {1: Refusal("invalid: too long", field="attributes.plan", status=207)}
    )


def test_errors_may_come_with_a_200() -> None:
    assert answer(200, ERRORS[0]) == PartlyDelivered(
        {1: Refusal("invalid: too long", field="attributes.plan", status=200)}
    )


def test_an_index_that_is_named_twice_keeps_the_first_reason() -> None:
    body = b'{"errors":[{"batch_index":0,"message":"first"},{"batch_index":0,"message":"second"}]}'
    assert answer(207, body) == PartlyDelivered({0: Refusal("first", status=207)})


@pytest.mark.parametrize("index", ["3", "-1", "true", '"1"', "1.0", "null", "99999999999999999999"])
def test_an_index_that_is_none_leaves_the_refusal_unplaced(index: str) -> None:
    body = b'{"errors":[{"batch_index":%s,"message":"bad"}]}' % index.encode()
    assert answer(207, body) == PartlyDelivered({}, (Refusal("bad", status=207),))


@pytest.mark.parametrize("body", ERRORS)
def test_with_a_single_operation_every_error_is_about_that_one(body: bytes) -> None:
    verdict = answer(207, body, operations=1)
    assert isinstance(verdict, PartlyDelivered)
    assert set(verdict.refused) == {0}
    assert verdict.unplaced == ()


def test_a_207_without_errors_delivers_nothing_for_sure() -> None:
    verdict = answer(207, b"{}")
    assert verdict == PartlyDelivered({}, (Refusal("a 207 that names no error", status=207),))


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"meta":{"error":"name cannot be blank"}}', ["name cannot be blank"]),
        (b'{\n  "meta": {\n    "errors": [\n      "one",\n      "two"\n    ]\n  }\n}\n', ["one", "two"]),
        (
            b'{"errors":[{"reason":"required","field":"name","message":"is required"}]}',
            ["required: is required"],
        ),
        (b"<html>400</html>", ["no reason given"]),
        (b"{}", ["no reason given"]),
    ],
)
def test_a_400_is_read_in_every_known_shape(body: bytes, texts: list[str]) -> None:
    verdict = answer(400, body)
    assert isinstance(verdict, Refused)
    assert [refusal.text for refusal in verdict.refusals] == texts


@pytest.mark.parametrize("entry", ["x" * 9_000, {"reason": "x" * 9_000, "field": "y" * 9_000}])
def test_of_a_long_reason_the_beginning_is_kept(entry: object) -> None:
    verdict = answer(400, json.dumps({"errors": [entry]}).encode())
    assert isinstance(verdict, Refused)
    [refusal] = verdict.refusals
    assert refusal.text == "x" * MAX_WORDS
    assert refusal.field in {None, "y" * MAX_WORDS}


def test_only_a_429_asks_for_fewer_requests() -> None:
    throttled = [status for status in range(200, 600) if getattr(answer(status), "throttled", False)]
    assert throttled == [429]


def test_a_server_error_may_have_applied_the_calls_and_a_429_did_not() -> None:
    unknown = [status for status in range(200, 600) if getattr(answer(status), "outcome_unknown", False)]
    assert unknown == [408, *range(500, 600)]


def test_a_redirect_is_not_followed_and_says_what_to_set() -> None:
    verdict = answer(301, b"", location="https://track-eu.customer.io/api/v2/batch")
    assert isinstance(verdict, Fatal)
    assert "region" in verdict.advice


def test_what_may_be_logged_of_a_fatal_answer_holds_nothing_of_its_body() -> None:
    for status in range(200, 600):
        verdict = answer(status, b'secret-body {"x":"secret-body"}')
        if isinstance(verdict, Fatal | Retry):
            assert "secret-body" not in repr(verdict)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("999999999", MAX_RETRY_AFTER_S),
        (format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True), 30.0),
        (format_datetime(datetime.fromtimestamp(NOW - 30, UTC), usegmt=True), 0.0),
        (format_datetime(datetime.fromtimestamp(NOW + 1e7, UTC), usegmt=True), MAX_RETRY_AFTER_S),
        ("Tue, 14 Nov 2023 22:13:30 -0000", 10.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.2.3", None),
        (".", None),
        ("١", None),
        ("Tue, 99 Nov 2023 99:99:99 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_wait_that_the_server_asks_for_is_handed_on(status: int) -> None:
    verdict = answer(status, retry_after="11")
    assert isinstance(verdict, Retry)
    assert verdict.wait_s == 11.0


def test_a_raw_request_is_delivered_by_any_2xx_and_held_only_by_credentials_and_redirects() -> None:
    kinds = {status: type(raw_verdict(status, {}, b"", NOW)) for status in range(200, 600)}
    assert {status for status, kind in kinds.items() if kind is Delivered} == set(range(200, 300))
    assert {status for status, kind in kinds.items() if kind is Fatal} == {401, *range(300, 400)}
    assert {status for status, kind in kinds.items() if kind is Retry} == {408, 429, *range(500, 600)}
    assert {status for status, kind in kinds.items() if kind is Refused} == set(range(400, 500)) - {
        401,
        408,
        429,
    }
