"""Customer.io's own host names, led to local servers by a proxy: each region is asked, and no other."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from pipeline.cli.entry import run_command_line
from pipeline.customerio.regions import Region, base_url_for
from pipeline.errors import ConfigurationError, ExitStatus
from pipeline.sandbox.server import TlsFiles
from tests.servers.connect_proxy import ConnectProxy
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

US, EU = "track.customer.io:443", "track-eu.customer.io:443"


@dataclass(frozen=True, slots=True)
class Internet:
    """Two local servers that stand for Customer.io's hosts, and the way to them."""

    us: SandboxThread
    eu: SandboxThread
    proxy: ConnectProxy


@pytest.fixture(params=["us", "eu"])
def account_region(request: pytest.FixtureRequest) -> str:
    """Where the account of the test lives."""
    return str(request.param)


@pytest.fixture
def internet(account_region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    authority = trustme.CA()
    certificate = authority.issue_cert("track.customer.io", "track-eu.customer.io", "127.0.0.1")
    files = TlsFiles(tmp_path / "chain.pem", tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(files.certificate)
    certificate.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with ExitStack() as stack:
        us, eu = (
            stack.enter_context(SandboxThread(verify=context, region=account_region, tls=files)) for _ in "ab"
        )
        routes = {US: ("127.0.0.1", _port(us)), EU: ("127.0.0.1", _port(eu))}
        proxy = stack.enter_context(ConnectProxy(routes))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.base_url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__SITE_ID", SITE_ID)
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__API_KEY", API_KEY)
        yield Internet(us, eu, proxy)


def _port(sandbox: SandboxThread) -> int:
    return int(sandbox.base_url.rpartition(":")[2])


def test_each_region_has_its_host(internet: Internet) -> None:
    assert run_command_line(["call", "destroy", "--id", "u1", "--region", "us"]) == ExitStatus.DONE
    assert internet.proxy.asked == [US]
    assert run_command_line(["call", "destroy", "--id", "u1", "--region", "eu"]) == ExitStatus.DONE
    assert internet.proxy.asked == [US, EU]
    assert internet.us.counts()["calls"] == internet.eu.counts()["calls"] == {"destroy": 1}


def test_auto_asks_where_the_account_lives_and_goes_there(internet: Internet, account_region: str) -> None:
    assert run_command_line(["call", "destroy", "--id", "u1", "--region", "auto"]) == ExitStatus.DONE
    assert internet.proxy.asked == ([US, US] if account_region == "us" else [US, EU])
    home = internet.us if account_region == "us" else internet.eu
    assert home.counts()["calls"] == {"destroy": 1}


def test_auto_with_wrong_credentials_sends_nothing(internet: Internet) -> None:
    arguments = ["call", "destroy", "--id", "u1", "--region", "auto", "--api-key", "wrong"]
    assert run_command_line(arguments) == ExitStatus.REFUSED
    assert internet.us.counts()["calls"] == internet.eu.counts()["calls"] == {}


def test_a_base_url_goes_before_the_region() -> None:
    assert base_url_for(Region.EU, "http://127.0.0.1:8080/") == "http://127.0.0.1:8080"
    assert base_url_for(Region.EU) == "https://track-eu.customer.io"


@pytest.mark.parametrize(
    "address", ["", "track.customer.io", "ftp://x", "http://", "http://u:p@x", "http://x?y", "http://x#y"]
)
def test_a_base_url_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        base_url_for(Region.US, address)
