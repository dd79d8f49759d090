"""Who gets in at the admin address, over real sockets: tokens, sessions, foreign pages, rebound names."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from pipeline.cli.admin_page import access_of
from pipeline.config import Settings, load_settings
from pipeline.documents import DocumentError
from pipeline.errors import ConfigurationError
from pipeline.operations.admin import AdminServer, PipelineMonitor
from pipeline.operations.admin_access import Access, AdminToken
from pipeline.operations.admin_application import admin_application
from pipeline.status import EngineStatus
from pipeline.tally import Tally

TOKEN = "a-token-that-is-long-enough"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PROTECTED = ("/", "/api/status", "/api/history", "/api/session", "/api/nothing")
Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts admin servers; each answer is a client of one."""
    servers: list[AdminServer] = []
    clients: list[httpx.Client] = []

    def start(**rules: object) -> httpx.Client:
        access = Access(**rules)  # type: ignore[arg-type]
        monitor = PipelineMonitor(Tally(), lambda: EngineStatus(ready=True))
        server = AdminServer("127.0.0.1:0", admin_application(monitor, access))
        server.start()
        servers.append(server)
        clients.append(httpx.Client(base_url=f"http://{server.address}", trust_env=False, timeout=10))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


@pytest.fixture
def guarded(serve: Serve) -> httpx.Client:
    return serve(token=AdminToken(lambda: TOKEN))


def log_in(client: httpx.Client, token: str = TOKEN) -> httpx.Response:
    origin = str(client.base_url).rstrip("/")
    return client.post("/login", data={"token": token}, headers={"Origin": origin})


@pytest.mark.parametrize("path", PROTECTED)
def test_without_the_token_there_is_nothing_to_see(guarded: httpx.Client, path: str) -> None:
    answer = guarded.get(path)
    assert answer.status_code in {303, 401}
    assert "version" not in answer.text


@pytest.mark.parametrize(
    "given", ["Bearer wrong-token-of-some-length", f"Basic {TOKEN}", "Bearer", "Bearer é"]
)
def test_another_token_opens_nothing(guarded: httpx.Client, given: str) -> None:
    answer = guarded.get("/api/status", headers={b"authorization": given.encode()})
    assert answer.status_code == 401
    assert answer.json()["error"] == "token"


def test_a_script_shows_the_token_in_a_header(guarded: httpx.Client) -> None:
    assert guarded.get("/api/status", headers=BEARER).json()["ready"] is True


def test_a_token_in_the_address_is_no_token(guarded: httpx.Client) -> None:
    assert guarded.get(f"/api/status?token={TOKEN}").status_code == 401


def test_probes_and_metrics_need_no_token_by_any_name(guarded: httpx.Client) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert guarded.get(path, headers={"Host": "pipeline:9464"}).status_code == 200


def test_metrics_can_be_closed_and_probes_cannot(serve: Serve) -> None:
    client = serve(token=AdminToken(lambda: TOKEN), open_metrics=False)
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=BEARER).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_the_form_opens_a_session_in_a_cookie_that_no_script_and_no_other_site_gets(
    guarded: httpx.Client,
) -> None:
    answer = log_in(guarded)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/api/status").status_code == 200


def test_a_wrong_token_in_the_form_is_told_and_opens_nothing(guarded: httpx.Client) -> None:
    answer = log_in(guarded, "wrong")
    assert answer.status_code == 403
    assert "not the token" in answer.text
    assert "set-cookie" not in answer.headers


def test_whoever_has_a_wrong_token_is_logged_by_address_and_what_was_given_is_not(
    guarded: httpx.Client,
) -> None:
    with capture_logs() as lines:
        guarded.get("/api/status", headers={"Authorization": "Bearer a-wrong-token"})
        log_in(guarded, "a-wrong-token")
        guarded.get("/api/status")  # nobody in particular: a session that ended, a bookmark
    assert lines == [{"event": "wrong_token", "address": "127.0.0.1", "log_level": "warning"}] * 2


@pytest.mark.parametrize("cookie", ["", "x", "9999999999.x", "9999999999.", ".", "é.é"])
def test_a_session_cannot_be_made_up(guarded: httpx.Client, cookie: str) -> None:
    header = f"cio_pipeline_session={cookie}".encode()
    assert guarded.get("/api/status", headers={b"cookie": header}).status_code == 401


def test_a_session_ends_by_itself(serve: Serve) -> None:
    times = [1_000.0]
    client = serve(token=AdminToken(lambda: TOKEN), now=lambda: times[0])
    log_in(client)
    assert client.get("/api/status").status_code == 200
    times[0] += 13 * 3_600
    assert client.get("/api/status").status_code == 401


def test_a_new_token_ends_every_session(serve: Serve) -> None:
    tokens = [TOKEN]
    client = serve(token=AdminToken(lambda: tokens[0]))
    log_in(client)
    tokens[0] = "another-token-long-enough"
    assert client.get("/api/status").status_code == 401
    assert client.get("/api/status", headers=BEARER).status_code == 401


def test_while_the_tokens_file_is_away_the_last_token_holds(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)

    def read() -> str:
        try:
            return file.read_text()
        except OSError:
            raise ConfigurationError("gone") from None

    token = AdminToken(read)
    file.unlink()
    assert token() == TOKEN
    file.write_text("another-token-long-enough")
    assert token() == "another-token-long-enough"


def test_logging_out_ends_the_session_in_the_browser(guarded: httpx.Client) -> None:
    log_in(guarded)
    guarded.post("/logout", headers={"Origin": str(guarded.base_url).rstrip("/")})
    assert guarded.get("/api/status").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "127.0.0.1.nip.io"]
)
def test_a_rebound_name_sees_nothing(serve: Serve, host: str) -> None:
    client = serve()
    for path in ("/", "/api/status", "/metrics", "/readyz", "/web/app.js", "/login"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code in {400, 403}
        assert "evil" not in answer.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:9464", "LOCALHOST", "[::1]:9464", "10.0.0.7:9464", "pipe.example:1"]
)
def test_addresses_and_names_that_are_ours_are_answered(serve: Serve, host: str) -> None:
    client = serve(hosts=frozenset({"pipe.example"}))
    assert client.get("/api/status", headers={"Host": host}).status_code == 200


def test_every_answer_forbids_frames_foreign_scripts_sniffing_and_keeping(guarded: httpx.Client) -> None:
    for path in ("/", "/login", "/healthz", "/api/status", "/web/app.js", "/web/nothing.js"):
        headers = guarded.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["127.0.0.1/healthz?", "127.0.0.1/web/", "127.0.0.1/login#", "x@127.0.0.1/readyz;"]
)
def test_a_name_that_looks_like_an_open_path_opens_nothing(guarded: httpx.Client, host: str) -> None:
    assert guarded.get("/api/status", headers={"Host": host}).status_code in {400, 401, 403}


@pytest.mark.parametrize(
    "path", ["/web/../admin.py", "/web/%2e%2e/admin.py", "/web/index.html/../../admin.py"]
)
def test_only_the_pages_own_files_are_given(serve: Serve, path: str) -> None:
    assert serve().get(path).status_code == 404


def settings(folder: Path, admin: str) -> Settings:
    file = folder / "pipeline.yaml"
    file.write_text(
        "kafka: {bootstrap_servers: localhost:9092, topics: [t]}\n"
        "customerio: {site_id: s, api_key: k}\n"
        f"admin: {{{admin}}}\n"
    )
    return load_settings(file, {})


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "10.1.2.3:9464", "'[::]:9464'", "pipeline.internal:9464"])
def test_an_address_that_others_reach_is_refused_without_a_token(tmp_path: Path, listen: str) -> None:
    with pytest.raises(
        DocumentError, match=r"pipeline\.yaml:3:9: .*needs a token: set CIO_PIPELINE__ADMIN__TOKEN"
    ):
        settings(tmp_path, f"listen: {listen}")


@pytest.mark.parametrize("listen", ["127.0.0.1:9464", "127.1.2.3:1", "localhost:9464", "'[::1]:9464'", "off"])
def test_a_loopback_address_needs_no_token_and_shows_data(tmp_path: Path, listen: str) -> None:
    access = access_of(settings(tmp_path, f"listen: {listen}"))
    assert access.token is None
    assert access.payloads


def test_elsewhere_data_is_shown_only_when_that_is_allowed(tmp_path: Path) -> None:
    assert not access_of(settings(tmp_path, f"listen: '0.0.0.0:1', token: {TOKEN}")).payloads
    assert access_of(settings(tmp_path, f"listen: '0.0.0.0:1', token: {TOKEN}, show_payloads: true")).payloads


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 16 characters"):
        access_of(settings(tmp_path, "listen: '0.0.0.0:1', token: short"))


def test_a_token_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"'admin\.token_file' are both set"):
        settings(tmp_path, f"token: {TOKEN}, token_file: t")


def test_no_repr_shows_the_token() -> None:
    assert TOKEN not in repr(Access(token=AdminToken(lambda: TOKEN)))
