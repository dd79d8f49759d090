"""Customer.io's own host names, led to local servers by a proxy: each region is asked, and no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.entry import run_command_line
from pipeline.customerio.regions import Region, base_url_for
from pipeline.errors import ConfigurationError, ExitStatus
from tests.servers.internet import EU, US, Internet
from tests.servers.sandbox import API_KEY, SITE_ID


@pytest.fixture(params=["us", "eu"])
def account_region(request: pytest.FixtureRequest) -> str:
    """Where the account of the test lives."""
    return str(request.param)


@pytest.fixture
def internet(account_region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """Customer.io's hosts with an account of that region, and an environment that leads to them."""
    with Internet(account_region, tmp_path) as internet:
        for name, value in internet.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__SITE_ID", SITE_ID)
        monkeypatch.setenv("CIO_PIPELINE__CUSTOMERIO__API_KEY", API_KEY)
        yield internet


def test_each_region_has_its_host(internet: Internet) -> None:
    assert run_command_line(["call", "destroy", "--id", "u1", "--region", "us"]) == ExitStatus.DONE
    assert internet.proxy.asked == [US]
    assert run_command_line(["call", "destroy", "--id", "u1", "--region", "eu"]) == ExitStatus.DONE
    assert internet.proxy.asked == [US, EU]
    assert internet.us.counts()["calls"] == internet.eu.counts()["calls"] == {"destroy": 1}


def test_auto_asks_where_the_account_lives_and_goes_there(internet: Internet, account_region: str) -> None:
    assert run_command_line(["call", "destroy", "--id", "u1", "--region", "auto"]) == ExitStatus.DONE
    assert internet.proxy.asked == ([US, US] if account_region == "us" else [US, EU])
    assert internet.home.counts()["calls"] == {"destroy": 1}


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
