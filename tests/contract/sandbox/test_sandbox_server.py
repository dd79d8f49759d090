"""The sandbox as others use it: a process or a thread that answers, and ends when told."""

import signal

import pytest

from pipeline.cli.entry import run_command_line
from pipeline.customerio.client import TrackClient
from pipeline.customerio.credentials import Credentials
from pipeline.customerio.verdicts import DELIVERED, Fatal, Retry
from pipeline.errors import ConfigurationError, ExitStatus
from pipeline.sandbox import SandboxServer
from tests.customerio_made import EVENT_IDS, run_with_client, track
from tests.servers.sandbox import CREDENTIALS, SandboxProcess, SandboxThread


def test_a_sandbox_process_counts_what_it_gets_and_ends_on_sigterm() -> None:
    with SandboxProcess() as sandbox:
        verdict = run_with_client(
            sandbox.base_url, lambda client: client.send_batch([track("u1"), track("u2")])
        )
        assert verdict == DELIVERED
        assert sandbox.counts()["calls"] == {"track": 2}
        assert sandbox.stop() == ExitStatus.TERMINATED


def test_a_sandbox_process_ends_on_an_interrupt() -> None:
    with SandboxProcess() as sandbox:
        assert sandbox.stop(signal.SIGINT) == ExitStatus.INTERRUPTED


def test_other_credentials_are_refused() -> None:
    async def send(client: TrackClient) -> object:
        return await client.send_batch([track("u1")])

    with SandboxThread() as sandbox:
        verdict = run_with_client(sandbox.base_url, send, Credentials("test-site", "wrong"))
        assert isinstance(verdict, Fatal)
        assert verdict.status == 401
        assert sandbox.counts()["calls"] == {}


def test_a_repeated_event_id_is_counted_once() -> None:
    with SandboxThread() as sandbox:
        repeated = [track("u1", event_id=EVENT_IDS[0]), track("u1", event_id=EVENT_IDS[0])]
        assert run_with_client(sandbox.base_url, lambda client: client.send_batch(repeated)) == DELIVERED
        assert sandbox.event_ids() == {EVENT_IDS[0]: 2}
        assert sandbox.counts()["events_counted"] == 1
        assert [arrival["outcome"] for arrival in sandbox.arrivals()] == ["applied", "duplicate"]


def test_refused_connections_are_taken_again_after_the_time() -> None:
    async def send_until_delivered(client: TrackClient) -> list[object]:
        verdicts: list[object] = []
        while DELIVERED not in verdicts:
            verdicts.append(await client.send_batch([track("u1")]))
        return verdicts

    with SandboxThread() as sandbox:
        sandbox.set_fault("refuse", seconds=0.2)
        verdicts = run_with_client(sandbox.base_url, send_until_delivered)
        assert isinstance(verdicts[0], Retry)
        assert sandbox.counts()["calls"] == {"track": 1}


def test_a_port_in_use_is_one_clear_sentence() -> None:
    with SandboxServer(CREDENTIALS) as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(
            ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"
        ):
            SandboxServer(CREDENTIALS, port=port)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "nowhere"], "HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "HOST:PORT"),
        (["--listen", "203.0.113.1:0"], "cannot listen on 203.0.113.1:0"),
        (["--site-id", "x"], "belong together"),
        (["--region", "mars"], "mars"),
        (["--fault", "{"], "not JSON"),
        (["--fault", '{"kind": "explode"}'], "not a fault"),
        (["--fault", '{"kind": "refuse", "seconds": 1}'], "while the sandbox runs"),
        (["--tls-key", __file__], "belong together"),
        (["--tls-certificate", __file__, "--tls-key", __file__], "cannot use the certificate"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_clear_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CIO_PIPELINE_SANDBOX_API_KEY", raising=False)
    listening = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
    assert run_command_line(["sandbox", *listening, *arguments]) == ExitStatus.USAGE
    assert words in capsys.readouterr().err


def test_a_fault_can_be_in_force_from_the_start() -> None:
    with SandboxProcess("--fault", '{"kind": "status", "status": 503, "times": 1}') as sandbox:
        verdict = run_with_client(sandbox.base_url, lambda client: client.send_batch([track("u1")]))
        assert isinstance(verdict, Retry)
