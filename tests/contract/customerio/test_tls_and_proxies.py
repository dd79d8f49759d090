"""Certificates and proxies: verified, and taken from the environment."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from pipeline.customerio.verdicts import DELIVERED, Retry, Verdict
from tests.customerio_made import run_with_client, track
from tests.servers.hostile import HostileServer, Recorder, answer, answering, read_request
from tests.servers.sandbox import CREDENTIALS


@contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[str]:
    """Answer `{}` to one request over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                if read_request(secure):
                    secure.sendall(answer(b"{}", "200 OK", "connection: close"))
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def send_one(base_url: str) -> Verdict:
    return run_with_client(base_url, lambda client: client.send_batch([track("u1")]), deadline_s=5)


def test_a_certificate_that_nobody_vouches_for_is_refused_and_said_so() -> None:
    with tls_server(trustme.CA().issue_cert("localhost")) as base_url:
        verdict = send_one(base_url)
    assert verdict == Retry("the certificate of the server is not trusted")


def test_a_certificate_authority_of_the_environment_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with tls_server(authority.issue_cert("localhost")) as base_url:
        assert send_one(base_url) == DELIVERED


def test_a_certificate_of_another_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with tls_server(authority.issue_cert("elsewhere.example")) as base_url:
        assert send_one(base_url) == Retry("the certificate of the server is not trusted")


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    with HostileServer(recorder) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        monkeypatch.setenv("http_proxy", proxy.base_url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert send_one("http://track.example.invalid") == DELIVERED
    assert recorder.request_lines == ["POST http://track.example.invalid/api/v2/batch HTTP/1.1"]


def test_a_proxy_that_refuses_holds_nothing_back_as_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = answer(b"denied", "403 Forbidden")
    with HostileServer(answering(denied)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        monkeypatch.setenv("https_proxy", proxy.base_url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(send_one("https://track.example.invalid"), Retry)


def test_a_proxy_is_given_its_own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    with HostileServer(recorder) as proxy:
        address = proxy.base_url.replace("http://", "http://user:pass@")
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert send_one("http://track.example.invalid") == DELIVERED
    assert b"\r\nproxy-authorization: basic dxnlcjpwyxnz\r\n" in recorder.requests[0].lower()


def test_a_host_that_needs_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileServer(Recorder()) as proxy, HostileServer(Recorder()) as server:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert send_one(server.base_url) == DELIVERED
        assert proxy.connections == 0


def test_a_netrc_file_is_not_asked_for_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    recorder = Recorder()
    with HostileServer(recorder) as server:
        assert send_one(server.base_url) == DELIVERED
    assert CREDENTIALS.authorization.encode() in recorder.requests[0]
