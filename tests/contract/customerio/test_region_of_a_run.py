"""`customerio.region: auto` of a run: asked at the start, and until it is known nothing is sent."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.internet import EU, US, Internet
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.shop_topic import write_shop

pytestmark = pytest.mark.full

EVENTS = 40
_topics = count(1)


@pytest.fixture(params=["us", "eu"])
def internet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Internet]:
    """Customer.io's hosts with an account of that region."""
    with Internet(request.param, tmp_path) as internet:
        yield internet


def start(
    broker: EmbeddedBrokerProcess, internet: Internet, folder: Path, **customerio: object
) -> PipelineProcess:
    topic = f"region-{next(_topics)}"
    broker.create_topic(topic, 2)
    write_shop(broker.bootstrap_servers, topic, EVENTS, people=10, partitions=2)
    configuration = write_configuration(
        folder,
        bootstrap_servers=broker.bootstrap_servers,
        topic=topic,
        base_url="",
        customerio={"region": "auto", "base_url": None, **customerio},
        delivery={"retry": {"initial_backoff_seconds": 0.1, "max_backoff_seconds": 0.5}},
    )
    return PipelineProcess(configuration, **internet.environment, NO_PROXY="", no_proxy="")


def calls(internet: Internet) -> int:
    return sum(internet.home.counts()["calls"].values())


def test_auto_delivers_where_the_account_lives(
    embedded_broker: EmbeddedBrokerProcess, internet: Internet, tmp_path: Path
) -> None:
    with start(embedded_broker, internet, tmp_path) as pipeline:
        pipeline.wait_until(lambda: calls(internet) > 0, "calls delivered in the account's region")
        pipeline.wait_until(pipeline.is_ready, "ready")
        pipeline.stop()
    away = internet.eu if internet.home is internet.us else internet.us
    assert away.counts()["calls"] == {}
    assert internet.proxy.asked[0] == US, "the US host tells the region of every account"
    assert set(internet.proxy.asked[1:]) <= {US if internet.home is internet.us else EU}


@pytest.mark.parametrize("internet", ["eu"], indirect=True)
def test_auto_waits_with_readiness_red_until_the_region_can_be_asked(
    embedded_broker: EmbeddedBrokerProcess, internet: Internet, tmp_path: Path
) -> None:
    internet.us.set_fault("status", status=503)
    with start(embedded_broker, internet, tmp_path) as pipeline:
        pipeline.wait_until(lambda: pipeline.logged("delivery_holds"), "the trouble noticed")
        pipeline.wait_until(
            lambda: "region cannot be asked for" in pipeline.get("/readyz").text,
            "readiness red for that reason",
        )
        assert not pipeline.is_ready()
        assert calls(internet) == 0
        internet.us.clear_faults()
        pipeline.wait_until(lambda: calls(internet) > 0, "begun by itself")
        pipeline.wait_until(pipeline.is_ready, "ready")


@pytest.mark.parametrize("internet", ["us"], indirect=True)
def test_auto_with_wrong_credentials_holds_and_says_what_to_check(
    embedded_broker: EmbeddedBrokerProcess, internet: Internet, tmp_path: Path
) -> None:
    with start(embedded_broker, internet, tmp_path, api_key="wrong-secret") as pipeline:
        pipeline.wait_until(lambda: pipeline.logged("delivery_holds"), "refused")
        (line,) = (line for line in pipeline.logs if line["event"] == "delivery_holds")
        assert "refuses the credentials" in line["cause"]
        assert "Track API key" in line["advice"]
        assert not pipeline.is_ready()
        assert "wrong-secret" not in pipeline.output
        assert pipeline.stop() == 143
    assert calls(internet) == 0
