"""`--data FILE`: what the sandbox knows outlives its process."""

import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.calls import CallKind
from pipeline.cli.entry import run_command_line
from pipeline.customerio.verdicts import DELIVERED
from pipeline.errors import ExitStatus
from pipeline.sandbox.storage import OperationFile
from pipeline.sandbox.workspace import Workspace
from tests.customerio_made import EVENT_IDS, call, encoded, identify, run_with_client, track
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxProcess


def arrivals(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    """Return what arrived; which request brought it is not kept."""
    return [arrival | {"request": 0} for arrival in sandbox.arrivals()]


def test_a_sandbox_that_is_killed_knows_everything_again(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.db")
    payloads = [identify("u1", plan="pro"), track("u1", event_id=EVENT_IDS[0]), identify("gone")]
    payloads += [encoded(call(CallKind.DESTROY, "gone")), encoded(call(CallKind.SUPPRESS, "never"))]
    with SandboxProcess("--data", file) as sandbox:
        assert run_with_client(sandbox.base_url, lambda client: client.send_batch(payloads)) == DELIVERED
        url = f"{sandbox.base_url}/api/v1/segments/7/add_customers"
        httpx.post(url, json={"ids": ["u1"]}, auth=(SITE_ID, API_KEY), trust_env=False).raise_for_status()
        before = (sandbox.counts(), sandbox.people(), arrivals(sandbox))
        sandbox.stop(signal.SIGKILL)
    with SandboxProcess("--data", file) as sandbox:
        assert (sandbox.people(), arrivals(sandbox)) == before[1:]
        assert sandbox.people()[0]["segments"] == [7]
        assert sandbox.counts()["calls"] == before[0]["calls"]
        again = [track("u1", event_id=EVENT_IDS[0]), track("never")]
        assert run_with_client(sandbox.base_url, lambda client: client.send_batch(again)) == DELIVERED
        assert sandbox.counts()["outcomes"] == {"applied": 5, "duplicate": 1, "suppressed": 1}
        sandbox.reset()
        sandbox.stop()
    with SandboxProcess("--data", file) as sandbox:
        assert list(sandbox.arrivals()) == []


def test_what_was_refused_is_not_kept(tmp_path: Path) -> None:
    file = OperationFile(tmp_path / "sandbox.db")
    workspace = Workspace(file=file)
    assert workspace.take({"type": "person"}, 1.0) is not None
    workspace.commit()
    assert list(file.read()) == []
    file.close()


@pytest.mark.parametrize("content", [None, b"this is no database, and long enough to be read as one" * 30])
def test_a_file_that_cannot_be_used_is_one_clear_sentence(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "missing" / "sandbox.db" if content is None else tmp_path / "sandbox.db"
    if content is not None:
        file.write_bytes(content)
    assert run_command_line(["sandbox", "--listen", "127.0.0.1:0", "--data", str(file)]) == ExitStatus.USAGE
    assert f"{file}: cannot keep the sandbox's data here" in capsys.readouterr().err


def test_a_file_that_another_sandbox_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sandbox.db"
    with SandboxProcess("--data", str(file)):
        assert (
            run_command_line(["sandbox", "--listen", "127.0.0.1:0", "--data", str(file)]) == ExitStatus.USAGE
        )
    assert "locked" in capsys.readouterr().err
