"""Whatever a person is called and whatever is said about them arrives unchanged, or is refused with a reason."""

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.calls import CallFailure, CallKind, Identity, IdentityKind
from pipeline.customerio.client import TrackClient
from pipeline.customerio.identifiers import guess_identity, path_value, quote_segment
from pipeline.customerio.limits import check
from pipeline.customerio.operations import encode_operation
from pipeline.customerio.responses import batch_verdict, raw_verdict, retry_after_s
from pipeline.customerio.verdicts import DELIVERED, Delivered, PartlyDelivered, Refused, Verdict
from pipeline.sandbox.routes import find_route
from pipeline.sandbox.validation import validate
from tests.customerio_made import call
from tests.servers.sandbox import CREDENTIALS, SandboxThread

SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
AWKWARD = st.sampled_from(
    [
        "a/b",
        "..",
        ".",
        "%2F",
        "a%",
        "+",
        " a",
        "a b",
        "é",
        "日本",
        "😀",
        "a\nb",
        "a?b#c",
        "cio_1",
        "a@b.c",
        "\\",
        "\x00",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture(scope="module")
def client(sandbox: SandboxThread, runner: asyncio.Runner) -> Iterator[TrackClient]:
    async def make() -> TrackClient:
        return TrackClient(lambda: CREDENTIALS, sandbox.base_url)

    made = runner.run(make())
    yield made
    runner.run(made.aclose())


def last_arrival(sandbox: SandboxThread) -> dict[str, Any]:
    count = sum(sandbox.counts()["calls"].values())
    (arrival,) = sandbox.arrivals(count - 1)
    return arrival


@SETTINGS
@given(kind=st.sampled_from(IdentityKind), value=TEXT | AWKWARD, by_v1=st.booleans())
def test_any_identifier_arrives_as_the_person_it_names(
    client: TrackClient,
    sandbox: SandboxThread,
    runner: asyncio.Runner,
    kind: IdentityKind,
    value: str,
    by_v1: bool,
) -> None:
    made = call(CallKind.TRACK, value, identity=kind, name="n")
    if check(made) is not None:
        return
    payload = encode_operation(made, None)
    assert isinstance(payload, bytes)
    sent = client.send_single(payload) if by_v1 else client.send_batch([payload])
    verdict: Verdict = runner.run(sent)
    if by_v1 and kind is not IdentityKind.ANONYMOUS_ID and path_value(Identity(kind, value)) is None:
        assert isinstance(verdict, Refused)
        return
    assert verdict == DELIVERED
    named = value.removeprefix("cio_") if kind is IdentityKind.CIO_ID else value
    named = named.lower() if kind is IdentityKind.EMAIL else named
    assert last_arrival(sandbox)["person"] == f"{kind}:{named}"


@SETTINGS
@given(
    attributes=st.dictionaries(TEXT, VALUES, max_size=5),
    kind=st.sampled_from([CallKind.TRACK, CallKind.IDENTIFY]),
)
def test_any_attribute_value_arrives_unchanged_or_is_refused_with_a_reason(
    client: TrackClient,
    sandbox: SandboxThread,
    runner: asyncio.Runner,
    attributes: dict[str, Any],
    kind: CallKind,
) -> None:
    made = call(kind, "u1", attributes, name="n")
    failure = check(made)
    payload = None if failure is not None else encode_operation(made, None)
    if failure is not None or isinstance(payload, CallFailure):
        said = failure or payload
        assert isinstance(said, CallFailure)
        assert said.text
        return
    assert isinstance(payload, bytes)
    assert runner.run(client.send_batch([payload])) == DELIVERED
    assert last_arrival(sandbox)["data"] == attributes


@given(value=TEXT | AWKWARD)
def test_a_path_is_read_back_as_the_value_it_was_made_of(value: str) -> None:
    found = find_route("PUT", f"/api/v1/customers/{quote_segment(value)}")
    assert isinstance(found, tuple)
    assert found[1] == (value,)


@given(kind=st.sampled_from([IdentityKind.ID, IdentityKind.EMAIL, IdentityKind.CIO_ID]), value=TEXT | AWKWARD)
def test_a_v1_path_never_names_somebody_else(kind: IdentityKind, value: str) -> None:
    said = path_value(Identity(kind, value))
    assume(said is not None)
    assert said is not None
    guessed = guess_identity(said)
    assert guessed.kind is kind
    assert guessed.value == (value.removeprefix("cio_") if kind is IdentityKind.CIO_ID else value)


@given(operation=st.recursive(VALUES, lambda inner: st.dictionaries(TEXT, inner, max_size=3), max_leaves=5))
def test_whatever_is_sent_as_an_operation_is_judged_and_never_breaks_the_sandbox(operation: Any) -> None:
    problem = validate(operation)
    assert problem is not None
    assert problem.message


@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=60) | VALUES.map(orjson.dumps),
    operations=st.integers(1, 5),
    retry_after=st.none() | st.text(max_size=30),
)
def test_every_answer_has_a_verdict_and_few_are_delivered(
    status: int, body: bytes, operations: int, retry_after: str | None
) -> None:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    verdict = batch_verdict(status, headers, body, operations, 0.0)
    if isinstance(verdict, Delivered):
        assert status in {200, 207}
        assert isinstance(orjson.loads(body), dict)
    if isinstance(verdict, PartlyDelivered):
        assert set(verdict.refused) <= set(range(operations))
        assert verdict.refused or verdict.unplaced
    raw_verdict(status, headers, body, 0.0)


@given(value=st.text(max_size=40), now=st.floats(0, 4e9))
def test_a_wait_is_never_negative_and_never_without_end(value: str, now: float) -> None:
    wait = retry_after_s(value, now)
    assert wait is None or 0 <= wait <= 3_600
