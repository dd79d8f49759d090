"""`cio-pipeline call raw`: each input of the connector's raw request, on the wire."""

from pathlib import Path

import pytest

from pipeline.cli.entry import run_command_line
from pipeline.errors import ExitStatus
from tests.servers.hostile import HostileServer, Recorder, answer, answering
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

PREFIX = "CIO_PIPELINE__CUSTOMERIO__"


def call(*arguments: str) -> int:
    return run_command_line(["call", *arguments])


class TestRawRequest:
    """Each input of the connector's raw request, on the wire."""

    def send(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> bytes:
        recorder = Recorder()
        with HostileServer(recorder) as server:
            self.connect(monkeypatch, server.base_url)
            assert call("raw", *arguments) == ExitStatus.DONE
        (request,) = recorder.requests
        return request

    def connect(self, monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
        monkeypatch.setenv(f"{PREFIX}SITE_ID", SITE_ID)
        monkeypatch.setenv(f"{PREFIX}API_KEY", API_KEY)
        monkeypatch.setenv(f"{PREFIX}BASE_URL", base_url)

    def test_method_and_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        request = self.send(monkeypatch, "DELETE", "/v1/customers/a%2Fb%2E")
        assert request.startswith(b"DELETE /api/v1/customers/a%2Fb%2E HTTP/1.1\r\n")
        assert b"\r\nauthorization: basic " in request.lower()

    def test_data(self, monkeypatch: pytest.MonkeyPatch) -> None:
        request = self.send(monkeypatch, "POST", "/v1/x", "--data", '{"a": [1, "é"]}')
        assert request.endswith('\r\n\r\n{"a":[1,"é"]}'.encode())
        assert b"application/json" in request

    def test_form_data(self, monkeypatch: pytest.MonkeyPatch) -> None:
        request = self.send(monkeypatch, "POST", "/v1/x", "--form", "a=1", "--form", "a=2=3")
        assert b"multipart/form-data; boundary=" in request
        assert b'name="a"\r\n\r\n1\r\n' in request
        assert b'name="a"\r\n\r\n2=3\r\n' in request

    def test_file_data_and_its_names(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "people.csv"
        file.write_bytes(b"id\r\n\x00\xff")
        request = self.send(
            monkeypatch,
            "POST",
            "/v1/x",
            "--file",
            f"one={file}",
            "--file",
            f"two={file}",
            "--file-name",
            "two=b.csv",
        )
        assert b'name="one"; filename="people.csv"' in request
        assert b'name="two"; filename="b.csv"' in request
        assert request.count(b"id\r\n\x00\xff") == 2

    def test_query_parameters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        request = self.send(monkeypatch, "GET", "/v1/x", "--query", "id_type=email", "--query", "q=a b&c/é")
        assert request.split(b" ")[1] == b"/api/v1/x?id_type=email&q=a+b%26c%2F%C3%A9"

    def test_headers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        request = self.send(monkeypatch, "GET", "/v1/x", "--header", "X-One: 1", "--header", "X-Two:two: 2")
        assert b"\r\nx-one: 1\r\n" in request.lower()
        assert b"\r\nx-two: two: 2\r\n" in request.lower()

    @pytest.mark.parametrize(
        ("response_type", "body", "shown"),
        [
            ("json", b'{"a":1}', '{\n  "a": 1\n}\n'),
            ("json", b"plain", '"plain"\n'),
            ("text", b'{"a":1}', '{"a":1}\n'),
            ("binary", b"abc", "abc"),
        ],
    )
    def test_response_type(
        self,
        response_type: str,
        body: bytes,
        shown: str,
        monkeypatch: pytest.MonkeyPatch,
        capsysbinary: pytest.CaptureFixture[bytes],
    ) -> None:
        with HostileServer(answering(answer(body))) as server:
            self.connect(monkeypatch, server.base_url)
            assert call("raw", "GET", "/v1/x", "--response-type", response_type) == ExitStatus.DONE
        assert capsysbinary.readouterr().out == shown.encode()

    def test_timeout(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        with SandboxThread() as sandbox:
            sandbox.set_fault("latency", seconds=30)
            self.connect(monkeypatch, sandbox.base_url)
            assert call("raw", "GET", "/v1/accounts/region", "--timeout", "0.1") == ExitStatus.FAILED
        assert "did not answer in time" in capsys.readouterr().err

    def test_debug_leaves_secrets_and_values_out(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.send(
            monkeypatch,
            *(
                "POST",
                "/v1/x",
                "--debug",
                "--data",
                '"payload"',
                "--query",
                "k=secret",
                "--header",
                "X-Token: secret",
            ),
        )
        error = capsys.readouterr().err
        assert '"method":"POST"' in error
        for hidden in ("payload", "secret", API_KEY, "Basic"):
            assert hidden not in error

    def test_retries_of_an_outage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with SandboxThread() as sandbox:
            sandbox.set_fault("status", status=503, times=2)
            self.connect(monkeypatch, sandbox.base_url)
            region = ("raw", "GET", "/v1/accounts/region")
            assert call(*region, "--max-retry-count", "1", "--retry-delay-ms", "1") == ExitStatus.FAILED
            assert [fault["struck"] for fault in sandbox.faults()] == [2]
            sandbox.clear_faults()
            sandbox.set_fault("status", status=503, times=2)
            assert call(*region, "--max-retry-count", "2", "--exponential-backoff") == ExitStatus.DONE

    def test_a_refusal_is_retried_only_on_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with SandboxThread() as sandbox:
            self.connect(monkeypatch, sandbox.base_url)
            sandbox.set_fault("status", status=400, times=1)
            region = ("raw", "GET", "/v1/accounts/region", "--max-retry-count", "1")
            assert call(*region) == ExitStatus.REFUSED
            sandbox.clear_faults()
            sandbox.set_fault("status", status=400, times=1)
            assert call(*region, "--retry-on-all-errors") == ExitStatus.DONE

    def test_a_foreign_host_is_never_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with HostileServer(Recorder()) as elsewhere:
            self.connect(monkeypatch, "http://127.0.0.1:1")
            address = elsewhere.base_url
            for path in (
                f"{address}/x",
                f"//{address.removeprefix('http://')}/x",
                f"/@{address}",
                "/\\\\evil",
            ):
                assert call("raw", "GET", path) == ExitStatus.USAGE
            assert elsewhere.connections == 0
