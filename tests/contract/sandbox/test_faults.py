"""Faults on request: each does what it says, to whom and as often as it says, the same with the same seed."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pipeline.customerio.client import TrackClient
from pipeline.customerio.verdicts import DELIVERED, Fatal, PartlyDelivered, Refused, Retry, TooLarge, Verdict
from tests.customerio_made import EVENT_IDS, run_with_client, track
from tests.servers.sandbox import CREDENTIALS, SandboxThread

PAYLOADS = [
    track("u1", event_id=EVENT_IDS[0]),
    track("u2", event_id=EVENT_IDS[1]),
    track("u3", event_id=EVENT_IDS[2]),
]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxThread) -> SandboxThread:
    """A sandbox that has forgotten everything."""
    server.reset()
    return server


def send(sandbox: SandboxThread, times: int = 1, **settings: Any) -> list[Verdict]:
    async def repeat(client: TrackClient) -> list[Verdict]:
        return [await client.send_batch(PAYLOADS) for _ in range(times)]

    return run_with_client(sandbox.base_url, repeat, **settings)


def applied(sandbox: SandboxThread) -> int:
    return int(sandbox.counts()["events_counted"])


Check = Callable[[Verdict], bool]

FAULTS: list[tuple[dict[str, Any], Check, int]] = [
    ({"kind": "status", "status": 429}, lambda v: v == Retry(cause(429), throttled=True), 0),
    (
        {"kind": "status", "status": 429, "retry_after": 7},
        lambda v: v == Retry(cause(429), wait_s=7.0, throttled=True),
        0,
    ),
    ({"kind": "status", "status": 408}, lambda v: v == Retry(cause(408), outcome_unknown=True), 0),
    ({"kind": "status", "status": 500}, lambda v: v == Retry(cause(500), outcome_unknown=True), 0),
    ({"kind": "status", "status": 502}, lambda v: v == Retry(cause(502), outcome_unknown=True), 0),
    ({"kind": "status", "status": 413}, lambda v: isinstance(v, TooLarge), 0),
    ({"kind": "status", "status": 400}, lambda v: isinstance(v, Refused), 0),
    ({"kind": "status", "status": 401}, lambda v: isinstance(v, Fatal) and v.status == 401, 0),
    (
        {"kind": "status", "status": 301, "location": "https://track-eu.customer.io/api/v2/batch"},
        lambda v: isinstance(v, Fatal) and "redirects" in v.cause,
        0,
    ),
    ({"kind": "status", "status": 200, "body": "<html>Sign in</html>"}, lambda v: isinstance(v, Fatal), 0),
    ({"kind": "reset_before"}, lambda v: isinstance(v, Retry) and v.outcome_unknown, 0),
    ({"kind": "reset_after"}, lambda v: isinstance(v, Retry) and v.outcome_unknown, 3),
    ({"kind": "truncated"}, lambda v: isinstance(v, Retry) and v.outcome_unknown, 3),
    ({"kind": "broken_json"}, lambda v: isinstance(v, Fatal), 3),
    ({"kind": "slow_body", "seconds": 0.01}, lambda v: v == DELIVERED, 3),
    ({"kind": "latency", "seconds": 0.01}, lambda v: v == DELIVERED, 3),
    (
        {"kind": "items", "indexes": [1]},
        lambda v: isinstance(v, PartlyDelivered) and set(v.refused) == {1},
        2,
    ),
    (
        {"kind": "items", "indexes": [0, 2], "repeat": 3},
        lambda v: isinstance(v, PartlyDelivered) and set(v.refused) == {0, 2} and not v.unplaced,
        1,
    ),
    (
        {"kind": "items", "indexes": [1], "named": False},
        lambda v: isinstance(v, PartlyDelivered) and not v.refused and len(v.unplaced) == 1,
        2,
    ),
]


def cause(status: int) -> str:
    return f"Customer.io answered with status {status}"


@pytest.mark.parametrize(("fault", "expected", "counted"), FAULTS, ids=[str(case[0]) for case in FAULTS])
def test_a_fault_strikes_once_and_then_all_is_well(
    sandbox: SandboxThread, fault: dict[str, Any], expected: Check, counted: int
) -> None:
    sandbox.set_fault(**fault, times=1)
    (struck,) = send(sandbox)
    assert expected(struck), struck
    assert applied(sandbox) == counted
    assert send(sandbox) == [DELIVERED]
    assert applied(sandbox) == 3
    assert [state["struck"] for state in sandbox.faults()] == [1]


@pytest.mark.parametrize("kind", ["latency", "slow_body"])
def test_slowness_beyond_the_deadline_is_a_retry(sandbox: SandboxThread, kind: str) -> None:
    sandbox.set_fault(kind, seconds=5)
    (verdict,) = send(sandbox, deadline_s=0.1)
    assert isinstance(verdict, Retry)


def test_credentials_can_end_from_a_moment_on(sandbox: SandboxThread) -> None:
    sandbox.set_fault("status", status=401, after=2)
    verdicts = send(sandbox, 4)
    assert verdicts[:2] == [DELIVERED, DELIVERED]
    assert all(isinstance(verdict, Fatal) for verdict in verdicts[2:])


def test_a_fault_can_strike_one_path_alone(sandbox: SandboxThread) -> None:
    sandbox.set_fault("status", status=503, path="/api/v1/")
    assert send(sandbox) == [DELIVERED]
    single = run_with_client(sandbox.base_url, lambda client: client.send_single(PAYLOADS[0]))
    assert isinstance(single, Retry)


def test_a_share_of_requests_is_struck_the_same_ones_with_the_same_seed() -> None:
    def run(seed: int) -> list[bool]:
        with SandboxThread(seed=seed) as sandbox:
            sandbox.set_fault("status", status=503, share=0.5)
            return [verdict == DELIVERED for verdict in send(sandbox, 30)]

    first = run(7)
    assert first == run(7)
    assert first != run(8)
    assert 0 < sum(first) < 30


def test_a_rate_limit_lets_through_so_many_requests_a_second(sandbox: SandboxThread) -> None:
    sandbox.set_fault("rate_limit", requests_per_second=2, retry_after=1)
    verdicts = send(sandbox, 10)
    assert verdicts[:2] == [DELIVERED, DELIVERED]
    throttled = [verdict for verdict in verdicts if verdict != DELIVERED]
    assert throttled
    assert all(verdict == Retry(cause(429), wait_s=1.0, throttled=True) for verdict in throttled)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{}", "kind"),
        ('{"kind": "explode"}', "explode"),
        ('{"kind": "status"}', "status: Field required"),
        ('{"kind": "status", "status": 99}', "greater than or equal to 200"),
        ('{"kind": "latency", "seconds": -1}', "seconds"),
        ('{"kind": "status", "status": 500, "tmes": 1}', "tmes"),
        ("[]", "JSON object"),
        ("{", "not valid JSON"),
    ],
)
def test_what_is_no_fault_is_said_clearly(sandbox: SandboxThread, body: str, words: str) -> None:
    response = httpx.post(f"{sandbox.base_url}/_sandbox/faults", content=body, trust_env=False)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_answers_carry_the_recorded_headers_and_bodies(sandbox: SandboxThread) -> None:
    with httpx.Client(base_url=sandbox.base_url, auth=("test-site", "test-key"), trust_env=False) as http:
        good = http.put("/api/v1/customers/42", json={"a": 1})
        assert good.content == b"{}\n"
        assert good.headers["content-type"] == "application/json; charset=utf-8"
        assert good.headers["cache-control"] == "no-cache, no-store, must-revalidate, max-age=0"
        long = http.put("/api/v1/customers/42", json={"myAttribute": "x" * 1001})
        assert long.status_code == 400
        assert long.text == (
            '{\n  "meta": {\n    "errors": [\n      '
            "\"value for attribute 'myAttribute' cannot be longer than 1000 bytes\"\n    ]\n  }\n}\n"
        )
        form = http.post("/api/v1/forms/f1/submit", json={"data": {"email": "a@b.co", "plan": "x"}})
        assert (form.status_code, form.content) == (204, b"")
        merge = http.post("/api/v1/merge_customers", json={"primary": {"id": {}}, "secondary": {"id": "2"}})
        assert list(merge.json()["meta"]) == ["error"]
        large = http.post("/api/v2/batch", content=b'{"batch":[' + b" " * 500_000 + b"{}]}")
        assert large.status_code == 400
        assert http.get("/api/v1/nowhere").status_code == 404
        wrong = http.patch("/api/v1/customers/42")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "PUT, DELETE")
        assert http.post("/api/v2/batch", auth=("test-site", "x"), content=b"{}").status_code == 401


def test_one_item_over_the_limit_is_refused_and_the_others_are_taken(sandbox: SandboxThread) -> None:
    payloads = [track("u1"), track("u2", text="x" * 32_000), track("u3")]
    verdict = run_with_client(sandbox.base_url, lambda client: client.send_batch(payloads))
    assert isinstance(verdict, PartlyDelivered)
    assert set(verdict.refused) == {1}
    assert sandbox.counts()["calls"] == {"track": 2}


def test_without_credentials_of_its_own_the_sandbox_takes_any_pair_but_not_none() -> None:
    with SandboxThread(credentials=None) as sandbox:
        assert send(sandbox) == [DELIVERED]
        bare = httpx.post(f"{sandbox.base_url}/api/v2/batch", content=b"{}", trust_env=False)
        assert bare.status_code == 401
    assert CREDENTIALS.site_id not in repr(CREDENTIALS)


def test_an_identify_with_a_bad_relation_changes_nothing(sandbox: SandboxThread) -> None:
    relations = {"action": "add_relationships", "relationships": [{}]}
    with httpx.Client(base_url=sandbox.base_url, auth=("test-site", "test-key"), trust_env=False) as http:
        refused = http.put("/api/v1/customers/42", json={"plan": "pro", "cio_relationships": relations})
    assert refused.status_code == 400
    assert sandbox.people() == []
