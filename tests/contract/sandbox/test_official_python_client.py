"""The vendor's own Python client against the sandbox: what it sends is understood, and is what we send by v1."""

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from pipeline.calls import Call, CallKind, Identity, IdentityKind
from pipeline.customerio.operations import Operation
from pipeline.customerio.requests import HttpRequest, v1_request
from pipeline.sandbox.server import TlsFiles
from tests.customerio_made import EVENT_IDS, call, encoded
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

customerio = pytest.importorskip("customerio", reason="the vendor's Python client is not installed")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody else trusts."""
    return trustme.CA()


@pytest.fixture
def sandbox(authority: trustme.CA, tmp_path: Path) -> Iterator[SandboxThread]:
    """A sandbox that speaks HTTPS, the only thing the client speaks."""
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with SandboxThread(verify=context, tls=TlsFiles(chain, key)) as server:
        yield server


@pytest.fixture
def client(
    sandbox: SandboxThread, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The vendor's client, which trusts the test's authority."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    port = int(sandbox.base_url.rpartition(":")[2])
    official = customerio.CustomerIO(SITE_ID, API_KEY, host="127.0.0.1", port=port, retries=0)
    yield official
    official.close()


def test_what_the_official_client_does_is_understood(client: Any, sandbox: SandboxThread) -> None:
    client.identify("42", email="a@example.com", plan="basic", created_at=1361205308)
    client.identify("a+b@c.com", x=1)
    client.track(
        "42", "purchase", {"price": 23.45, "product": "socks"}, id=EVENT_IDS[0], timestamp=1561231234
    )
    client.track("42", "purchase", {"price": 23.45}, id=EVENT_IDS[0])
    client.track("42", "é日😀", {"u": "é日😀", "none": None})
    client.track_anonymous("anon-1", "viewed", {"a": 1})
    client.track_anonymous(None, "invite", {"recipient": "x@y.z"})
    client.pageview("42", "https://ex.com/p?q=1", referrer="https://r")
    client.backfill("42", "purchase", 1408482680, price=45.67)
    client.add_device("42", "dev/ice+1", "ios", last_used=1514764800)
    client.delete_device("42", "dev/ice+1")
    client.merge_customers("id", "42", "email", "a+b@c.com")
    client.suppress("u/1")
    client.unsuppress("u/1")
    client.delete("42")
    seen = [(arrival["kind"], arrival["person"], arrival["outcome"]) for arrival in sandbox.arrivals()]
    assert seen == [
        ("identify", "id:42", "applied"),
        ("identify", "email:a+b@c.com", "applied"),
        ("track", "id:42", "applied"),
        ("track", "id:42", "duplicate"),
        ("track", "id:42", "applied"),
        ("track", "anonymous_id:anon-1", "applied"),
        ("track", "anonymous_id:invite:x@y.z", "applied"),
        ("page", "id:42", "applied"),
        ("track", "id:42", "applied"),
        ("add_device", "id:42", "applied"),
        ("delete_device", "id:42", "applied"),
        ("merge", "id:42", "applied"),
        ("suppress", "id:u/1", "applied"),
        ("unsuppress", "id:u/1", "applied"),
        ("destroy", "id:42", "applied"),
    ]
    assert sandbox.people() == []


def test_a_batch_of_the_official_client_is_understood(client: Any, sandbox: SandboxThread) -> None:
    at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    identify = {
        "type": "person",
        "action": "identify",
        "identifiers": {"id": "42"},
        "attributes": {"plan": "pro", "at": at},
    }
    event = {"type": "person", "action": "event", "identifiers": {"email": "a+b@c.com"}, "name": "purchase"}
    client.batch([identify, event])
    assert [(arrival["kind"], arrival["person"]) for arrival in sandbox.arrivals()] == [
        ("identify", "id:42"),
        ("track", "email:a+b@c.com"),
    ]
    (person, _) = sandbox.people()
    assert person["attributes"] == {"plan": "pro", "at": 1577836800}


def test_refusals_reach_the_official_client_as_errors(client: Any, sandbox: SandboxThread) -> None:
    with pytest.raises(customerio.CustomerIOException, match="longer than 1000 bytes"):
        client.identify("42", myAttribute="x" * 1001)
    with pytest.raises(customerio.CustomerIOException, match="longer than 100 bytes"):
        client.track("42", "x" * 101)
    assert list(sandbox.arrivals()) == []


def test_wrong_credentials_reach_the_official_client_as_an_error(client: Any, sandbox: SandboxThread) -> None:
    client.api_key = "wrong"
    with pytest.raises(customerio.CustomerIOException, match="401"):
        client.identify("42", x=1)


class Wire:
    """Stands where the official client hands a request to its transport, and keeps it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []

    def send_request(self, method: str, url: str, data: Any) -> str:
        self.sent.append((method, url.partition("127.0.0.1")[2], orjson.loads(orjson.dumps(data))))
        return "{}"


SAME: list[tuple[str, tuple[Any, ...], dict[str, Any], Call, str | None]] = [
    (
        "identify",
        ("42",),
        {"plan": "basic", "n": 1},
        call(CallKind.IDENTIFY, "42", {"plan": "basic", "n": 1}),
        None,
    ),
    (
        "identify",
        ("a+b@c.com",),
        {"x": "é"},
        call(CallKind.IDENTIFY, "a+b@c.com", {"x": "é"}, identity=IdentityKind.EMAIL),
        None,
    ),
    (
        "track",
        ("u/1 %", "purchase", {"price": 1}),
        {"id": EVENT_IDS[0], "timestamp": 1561231234},
        call(CallKind.TRACK, "u/1 %", {"price": 1}, name="purchase", timestamp=1561231234),
        EVENT_IDS[0],
    ),
    (
        "track_anonymous",
        ("anon-1", "viewed", {"a": 1}),
        {},
        call(CallKind.TRACK, "anon-1", {"a": 1}, identity=IdentityKind.ANONYMOUS_ID, name="viewed"),
        None,
    ),
    (
        "pageview",
        ("42", "https://ex.com/p?q=1"),
        {"referrer": "https://r"},
        call(CallKind.PAGE, "42", {"referrer": "https://r"}, name="https://ex.com/p?q=1"),
        None,
    ),
    (
        "add_device",
        ("42", "dev/ice+1", "ios"),
        {"last_used": 5},
        call(CallKind.ADD_DEVICE, "42", device={"token": "dev/ice+1", "platform": "ios", "last_used": 5}),
        None,
    ),
    ("suppress", ("zoë",), {}, call(CallKind.SUPPRESS, "zoë"), None),
    ("unsuppress", ("!'()*",), {}, call(CallKind.UNSUPPRESS, "!'()*"), None),
    (
        "merge_customers",
        ("id", "1", "email", "s@x.com"),
        {},
        call(CallKind.MERGE, "1", secondary=Identity(IdentityKind.EMAIL, "s@x.com")),
        None,
    ),
]


@pytest.mark.parametrize(
    ("name", "arguments", "named", "made", "event_id"), SAME, ids=[case[0] for case in SAME]
)
def test_our_v1_requests_are_those_of_the_official_client(
    name: str, arguments: tuple[Any, ...], named: dict[str, Any], made: Call, event_id: str | None
) -> None:
    official = customerio.CustomerIO(SITE_ID, API_KEY, host="127.0.0.1")
    wire = Wire()
    official.send_request = wire.send_request
    getattr(official, name)(*arguments, **named)
    operation: Operation = orjson.loads(encoded(made, event_id))
    ours = v1_request(operation)
    assert isinstance(ours, HttpRequest)
    assert [(ours.method, ours.path, orjson.loads(ours.body or b"null"))] == wire.sent


@pytest.mark.parametrize(
    ("name", "arguments", "made"),
    [
        ("delete", ("42",), call(CallKind.DESTROY, "42")),
        ("delete_device", ("42", "t/1"), call(CallKind.DELETE_DEVICE, "42", device={"token": "t/1"})),
    ],
)
def test_the_official_client_sends_an_empty_object_with_a_delete_and_we_nothing(
    name: str, arguments: tuple[str, ...], made: Call
) -> None:
    official = customerio.CustomerIO(SITE_ID, API_KEY, host="127.0.0.1")
    wire = Wire()
    official.send_request = wire.send_request
    getattr(official, name)(*arguments)
    ours = v1_request(orjson.loads(encoded(made)))
    assert isinstance(ours, HttpRequest)
    assert ours.body is None
    assert wire.sent == [(ours.method, ours.path, {})]
