"""`cio-pipeline call`: every row of the connector's table, and what a person's mistakes are answered with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.cli.entry import run_command_line
from pipeline.errors import ExitStatus
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

PREFIX = "CIO_PIPELINE__CUSTOMERIO__"


@pytest.fixture(params=["us", "eu"])
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    """A local Customer.io of either region, and an environment that leads to it."""
    with SandboxThread(region=request.param) as server:
        monkeypatch.setenv(f"{PREFIX}SITE_ID", SITE_ID)
        monkeypatch.setenv(f"{PREFIX}API_KEY", API_KEY)
        monkeypatch.setenv(f"{PREFIX}BASE_URL", server.base_url)
        monkeypatch.setenv(f"{PREFIX}REGION", request.param)
        yield server


def call(*arguments: str) -> int:
    return run_command_line(["call", *arguments])


def only_call(sandbox: SandboxThread) -> dict[str, Any]:
    (arrival,) = sandbox.arrivals()
    return arrival


def test_the_connection_is_proved_by_asking_for_the_region(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("raw", "GET", "/v1/accounts/region") == ExitStatus.DONE
    assert orjson.loads(capsys.readouterr().out)["region"] in {"us", "eu"}


def test_wrong_credentials_end_in_status_4_and_say_what_to_check(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("destroy", "--id", "u1", "--api-key", "wrong-secret") == ExitStatus.REFUSED
    error = capsys.readouterr().err
    assert "Site ID" in error
    assert "wrong-secret" not in error


def test_identify_creates_and_updates_a_customer(sandbox: SandboxThread, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"plan": "free", "tags": ["a", "b"], "address": {"city": "Bonn"}}')
    status = call("identify", "--id", "U1", "--data", f"@{file}", "--data", "plan=pro", "--data", "age=42")
    assert status == ExitStatus.DONE
    (person,) = sandbox.people()
    assert person["id"] == "U1"
    assert person["attributes"] == {"plan": "pro", "age": 42, "tags": ["a", "b"], "address": {"city": "Bonn"}}
    assert call("identify", "--id", "U1", "--data", "email=a@b.co") == ExitStatus.DONE
    (person,) = sandbox.people()
    assert person["email"] == "a@b.co"
    assert person["attributes"]["plan"] == "pro"


def test_track_carries_a_name_and_data(sandbox: SandboxThread) -> None:
    status = call(
        "track",
        "--id",
        "U1",
        "--name",
        "purchase",
        "--data",
        "price=23.45",
        "--data",
        "sku=007",
        "--timestamp",
        "5",
    )
    assert status == ExitStatus.DONE
    arrival = only_call(sandbox)
    assert (arrival["kind"], arrival["name"], arrival["timestamp"]) == ("track", "purchase", 5)
    assert arrival["data"] == {"price": 23.45, "sku": "007"}


def test_an_event_that_is_sent_again_with_its_id_is_counted_once(sandbox: SandboxThread) -> None:
    for _ in range(2):
        status = call("track", "--id", "U1", "--name", "n", "--event-id", "01HB4HBDKTFWYZCK01DMRSWRFD")
        assert status == ExitStatus.DONE
    assert sandbox.counts()["events_counted"] == 1


@pytest.mark.parametrize("url", ["https://example.com/pricing?x=1", "*"])
def test_a_page_view_names_the_page_or_any(sandbox: SandboxThread, url: str) -> None:
    assert call("page", "--id", "U1", "--url", url) == ExitStatus.DONE
    arrival = only_call(sandbox)
    assert (arrival["kind"], arrival["name"]) == ("page", url)


def test_destroy_deletes_a_customer(sandbox: SandboxThread) -> None:
    call("identify", "--id", "U1", "--data", "a=1")
    assert call("destroy", "--id", "U1") == ExitStatus.DONE
    assert sandbox.people() == []


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_every_other_call_arrives_by_either_version(sandbox: SandboxThread, api: str) -> None:
    for arguments in (
        ["screen", "--id", "U1", "--name", "Home"],
        ["add-device", "--id", "U1", "--token", "t/1", "--platform", "ios", "--data", "app=1"],
        ["delete-device", "--id", "U1", "--token", "t/1"],
        ["relate", "--id", "U1", "--object-type-id", "1", "--object-id", "acme", "--data", "role=admin"],
        ["relate", "--id", "U1", "--object-type-id", "1", "--object-id", "acme", "--delete"],
        ["identify", "--email", "x@y.zz"],
        ["merge", "--id", "U1", "--secondary-email", "x@y.zz"],
        ["suppress", "--id", "U1"],
        ["unsuppress", "--id", "U1"],
    ):
        assert call(*arguments, "--api", api) == ExitStatus.DONE, arguments
    kinds = [
        "screen",
        "add_device",
        "delete_device",
        "relate",
        "relate",
        "identify",
        "merge",
        "suppress",
        "unsuppress",
    ]
    arrived = [(arrival["kind"], arrival["outcome"]) for arrival in sandbox.arrivals()]
    seen = [kind for kind, outcome in arrived if outcome == "applied"]
    assert [kind for kind in seen if kind in kinds] == kinds


def test_a_raw_request_with_its_inputs_arrives_after_its_retry(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.set_fault("status", status=400, path="/api/v1/customers", times=1)
    request = ("raw", "PUT", "/v1/customers/u1", "--data", '{"plan": "pro"}', "--query", "source=test")
    retries = (
        "--max-retry-count",
        "1",
        "--retry-delay-ms",
        "1",
        "--retry-on-all-errors",
        "--exponential-backoff",
    )
    shown = ("--header", "X-Source: test", "--response-type", "text", "--timeout", "20", "--debug")
    assert call(*request, *retries, *shown) == ExitStatus.DONE
    (person,) = sandbox.people()
    assert (person["id"], person["attributes"]) == ("u1", {"plan": "pro"})
    told = capsys.readouterr()
    assert told.out.strip() == "{}"
    assert '"path":"/v1/customers/u1"' in told.err


def test_json_is_one_object_also_for_a_raw_request_that_is_refused(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("raw", "GET", "/v1/nothing", "--json") == ExitStatus.REFUSED
    shown = orjson.loads(capsys.readouterr().out)
    assert (shown["outcome"], shown["status"]) == ("refused", 404)
    assert call("raw", "GET", "/v1/accounts/region", "--json") == ExitStatus.DONE
    shown = orjson.loads(capsys.readouterr().out)
    assert (shown["outcome"], shown["body"]["region"] in {"us", "eu"}) == ("delivered", True)


def test_what_is_no_request_is_said_plainly(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("raw", "POST", "/v1/x", "--data", '{"a": NaN}') == ExitStatus.USAGE
    assert "the value: JSON has no NaN" in capsys.readouterr().err
    assert list(sandbox.arrivals()) == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_not_sent_as_a_text(
    sandbox: SandboxThread, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    event = ("track", "--id", "U1", "--name", "n")
    assert call(*event, "--data", f"price={number}") == ExitStatus.USAGE
    assert f"price: JSON has no {number}; leave price out, or quote it" in capsys.readouterr().err
    file = tmp_path / "data.json"
    file.write_text(f'{{"price": {number}}}')
    assert call(*event, "--data", f"@{file}") == ExitStatus.USAGE
    assert f"data.json: JSON has no {number}" in capsys.readouterr().err
    assert list(sandbox.arrivals()) == []
    assert call(*event, "--data", f'price="{number}"') == ExitStatus.DONE


def test_a_multipart_request_reaches_the_api_which_takes_json_only(
    sandbox: SandboxThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id")
    fields = ("--form", "email=a@b.c", "--file", f"people={file}", "--file-name", "people=b.csv")
    assert call("raw", "POST", "/v1/forms/f1/submit", *fields) == ExitStatus.REFUSED
    assert "refused" in capsys.readouterr().err


def test_a_refusal_shows_the_servers_words(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.set_fault("items", indexes=[0])
    assert call("track", "--id", "U1", "--name", "n") == ExitStatus.REFUSED
    assert "refused by a fault of the sandbox" in capsys.readouterr().err


def test_an_outage_is_worth_another_try(sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.set_fault("status", status=503)
    assert call("track", "--id", "U1", "--name", "n") == ExitStatus.FAILED
    assert "try again" in capsys.readouterr().err


def test_a_dry_run_shows_the_request_and_sends_nothing(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        call("track", "--id", "a/b", "--name", "n", "--api", "v1", "--dry-run", "--json") == ExitStatus.DONE
    )
    out = capsys.readouterr().out
    shown = orjson.loads(out)
    assert shown["method"] == "POST"
    assert shown["url"].endswith("/api/v1/customers/a%2Fb/events")
    assert shown["body"]["name"] == "n"
    assert API_KEY not in out
    assert sandbox.counts()["requests"] == 0


def test_json_says_the_outcome_and_the_event_id(
    sandbox: SandboxThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("track", "--id", "U1", "--name", "n", "--json") == ExitStatus.DONE
    shown = orjson.loads(capsys.readouterr().out)
    assert shown["outcome"] == "delivered"
    assert list(sandbox.event_ids()) == [shown["event_id"]]


def test_a_configuration_file_gives_the_connection(
    sandbox: SandboxThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SITE_ID", "API_KEY", "BASE_URL", "REGION"):
        monkeypatch.delenv(f"{PREFIX}{name}")
    key = tmp_path / "key"
    key.write_text(f"{API_KEY}\n")
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        "kafka: {bootstrap_servers: '127.0.0.1:1', group_id: g, topics: [t]}\n"
        f"customerio: {{site_id: {SITE_ID}, api_key_file: key, base_url: '{sandbox.base_url}'}}\n"
    )
    assert call("destroy", "--id", "U1", "--config", str(config)) == ExitStatus.DONE
    assert sandbox.counts()["calls"] == {"destroy": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["track", "--id", "u"], "--name"),
        (["track", "--name", "n"], "exactly one of --id"),
        (["track", "--id", "u", "--email", "a@b.c", "--name", "n"], "exactly one of --id"),
        (["track", "--id", "", "--name", "n"], "id is empty"),
        (["track", "--id", "u", "--name", "x" * 101], "101 bytes"),
        (["track", "--id", "u", "--name", "n", "--data", "novalue"], "KEY=VALUE"),
        (["track", "--id", "u", "--name", "n", "--data", "@missing.json"], "cannot read missing.json"),
        (["track", "--id", "u", "--name", "n", "--event-id", "42"], "not a ULID"),
        (["track", "--id", "u", "--name", "n", "--region", "mars"], "mars"),
        (["page", "--id", "a@b.c", "--url", "*", "--api", "v1"], "--api v2"),
        (["merge", "--id", "u", "--secondary-id", "u"], "same person"),
        (["raw", "GET", "v1/accounts/region"], "start with one slash"),
        (["raw", "GET", "//evil.example/v1"], "must not name a host"),
        (["raw", "GET", "/v1/../../x"], "dot segments"),
        (["raw", "GET", "/v1/%2e%2E/x"], "dot segments"),
        (["raw", "GET", "/v1", "--header", "Authorization: Basic x"], "Authorization"),
        (["raw", "BREW", "/v1"], "GET"),
        (["raw", "POST", "/v1", "--data", "{not json"], "not valid JSON"),
        (["raw", "POST", "/v1", "--data", "{}", "--form", "a=b"], "excludes form"),
        (["trak", "--id", "u"], "trak"),
    ],
)
def test_a_mistake_is_one_clear_sentence_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}SITE_ID", SITE_ID)
    monkeypatch.setenv(f"{PREFIX}API_KEY", API_KEY)
    assert call(*arguments) == ExitStatus.USAGE
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_missing_credentials_say_how_to_give_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SITE_ID", "API_KEY", "SITE_ID_FILE", "API_KEY_FILE"):
        monkeypatch.delenv(f"{PREFIX}{name}", raising=False)
    assert call("destroy", "--id", "u") == ExitStatus.USAGE
    assert f"{PREFIX}API_KEY" in capsys.readouterr().err
