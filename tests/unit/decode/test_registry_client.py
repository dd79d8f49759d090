"""The registry's answers, from a server that gives whatever the test wants: which is an outage and which is final."""

import json
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.decode import SchemaPending, Undecodable
from pipeline.decode.schemas import Schema, SchemaKind
from pipeline.errors import ConfigurationError
from pipeline.registry import RegistryClient, SchemaLookup
from pipeline.registry.answers import NoSchema, Trouble
from tests.servers.pipeline import wait_until
from tests.servers.serving import serving

NOT_FOUND = {"error_code": 40403, "message": "Schema not found"}


class RegistryServer(ThreadingHTTPServer):
    """Answers each path with a status and a body; what is not set is not found."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[str] = []
        self.authorization: str | None = None


class RegistryHandler(BaseHTTPRequestHandler):
    server: RegistryServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.authorization = self.headers.get("authorization")
        status, body = self.server.answers.get(self.path, (404, NOT_FOUND))
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with serving(RegistryServer()) as server:
        yield server


def asked(server: RegistryServer, schema_id: int = 1, **options: Any) -> Schema | NoSchema | Trouble:
    with RegistryClient(server.url, **options) as client:
        return client.schema(schema_id)


def test_a_schema_without_a_kind_is_avro(server: RegistryServer) -> None:
    server.answers["/schemas/ids/1"] = (200, {"schema": '"string"'})
    assert asked(server) == Schema(SchemaKind.AVRO, '"string"')


def test_references_come_with_the_deepest_first_and_each_once(server: RegistryServer) -> None:
    def referring(text: str, *subjects: str) -> dict[str, Any]:
        references = [{"name": f"{s}.proto", "subject": f"sub/{s}", "version": 2} for s in subjects]
        return {"schema": text, "schemaType": "PROTOBUF", "references": references}

    server.answers["/schemas/ids/1"] = (200, referring("main", "a", "b"))
    server.answers["/subjects/sub%2Fa/versions/2"] = (200, referring("A", "c"))
    server.answers["/subjects/sub%2Fb/versions/2"] = (200, referring("B", "c", "a"))
    server.answers["/subjects/sub%2Fc/versions/2"] = (200, referring("C", "a"))
    schema = asked(server)
    assert isinstance(schema, Schema)
    assert list(schema.references.items()) == [("c.proto", "C"), ("a.proto", "A"), ("b.proto", "B")]
    assert len(server.asked) == 4


def test_only_the_registrys_own_code_means_that_there_is_no_schema(server: RegistryServer) -> None:
    assert asked(server) == NoSchema("the schema registry has no schema 1")
    server.answers["/schemas/ids/1"] = (404, {"error_code": 404, "message": "no such path"})
    assert isinstance(asked(server), Trouble)
    server.answers["/schemas/ids/1"] = (404, b"404 page not found")
    assert isinstance(asked(server), Trouble)


def test_a_missing_reference_is_final(server: RegistryServer) -> None:
    reference = {"name": "a", "subject": "a", "version": 1}
    server.answers["/schemas/ids/1"] = (200, {"schema": "x", "references": [reference]})
    assert isinstance(asked(server), NoSchema)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {}, "decode.registry.username"),
        (403, {}, "refuses the credentials"),
        (429, {}, "fails"),
        (500, {}, "fails"),
        (200, b"<html>", "check decode.registry.url"),
        (200, [], "check decode.registry.url"),
        (302, {}, "check decode.registry.url"),
    ],
)
def test_everything_else_is_an_outage_that_says_what_to_do(
    server: RegistryServer, status: int, body: Any, words: str
) -> None:
    server.answers["/schemas/ids/1"] = (status, body)
    trouble = asked(server)
    assert isinstance(trouble, Trouble)
    assert words in trouble.text


def test_the_credentials_are_sent_and_read_anew_for_each_request(server: RegistryServer) -> None:
    passwords = iter(["old", "new"])
    with RegistryClient(server.url, auth=lambda: ("me", next(passwords))) as client:
        client.schema(1)
        assert server.authorization == "Basic " + b64encode(b"me:old").decode()
        client.schema(1)
        assert server.authorization == "Basic " + b64encode(b"me:new").decode()


def test_a_password_that_cannot_be_read_is_an_outage(server: RegistryServer) -> None:
    def unreadable() -> tuple[str, str]:
        raise ConfigurationError("/run/password: cannot read the secret")

    assert asked(server, auth=unreadable) == Trouble("/run/password: cannot read the secret")


@pytest.fixture
def lookup(server: RegistryServer) -> Iterator[SchemaLookup]:
    lookup = SchemaLookup(RegistryClient(server.url), monotonic=SystemClock().monotonic)
    yield lookup
    lookup.close()


def test_a_schema_is_asked_for_once_and_asking_never_waits(
    server: RegistryServer, lookup: SchemaLookup
) -> None:
    server.answers["/schemas/ids/1"] = (200, {"schema": '"string"'})
    assert isinstance(lookup.reader(1), SchemaPending)
    wait_until(lambda: callable(lookup.reader(1)), "found")
    read = lookup.reader(1)
    assert callable(read)
    assert read(b"\x06abc") == "abc"
    assert server.asked == ["/schemas/ids/1"]


def test_an_outage_is_waited_out_and_told_with_its_cause(
    server: RegistryServer, lookup: SchemaLookup
) -> None:
    server.answers["/schemas/ids/1"] = (503, {})
    lookup.reader(1)
    trouble = SchemaPending(1, "the schema registry fails (status 503)")
    wait_until(lambda: lookup.reader(1) == trouble, "told")
    server.answers["/schemas/ids/1"] = (200, {"schema": '"string"'})
    wait_until(lambda: callable(lookup.reader(1)), "found after the outage")


def test_one_schema_that_is_refused_does_not_keep_the_others(
    server: RegistryServer, lookup: SchemaLookup
) -> None:
    server.answers["/schemas/ids/1"] = (403, {})
    server.answers["/schemas/ids/2"] = (200, {"schema": '"string"'})
    lookup.reader(1)
    wait_until(lambda: getattr(lookup.reader(1), "trouble", None) is not None, "refused")
    wait_until(lambda: callable(lookup.reader(2)), "the other one found")


def test_a_missing_schema_is_asked_for_again_after_a_while(server: RegistryServer) -> None:
    now = [0.0]
    lookup = SchemaLookup(RegistryClient(server.url), monotonic=lambda: now[0])
    lookup.reader(1)
    wait_until(lambda: isinstance(lookup.reader(1), Undecodable), "missing")
    server.answers["/schemas/ids/1"] = (200, {"schema": '"string"'})
    assert isinstance(lookup.reader(1), Undecodable)
    now[0] = 61.0
    wait_until(lambda: callable(lookup.reader(1)), "found at last")
    lookup.close()


def test_a_schema_that_cannot_be_used_makes_its_records_undecodable(
    server: RegistryServer, lookup: SchemaLookup
) -> None:
    server.answers["/schemas/ids/1"] = (200, {"schema": "nonsense"})
    wait_until(lambda: isinstance(lookup.reader(1), Undecodable), "refused")
