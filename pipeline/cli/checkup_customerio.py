"""Customer.io: whether it can be reached, takes the credentials, is the right region, and has our time."""

import asyncio
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from pipeline.cli.checkup_findings import Finding, failed, left_out, passed
from pipeline.config import Settings
from pipeline.customerio.client import Answer, TrackClient
from pipeline.customerio.credentials import Credentials
from pipeline.customerio.regions import Region, base_url_for
from pipeline.customerio.requests import REGION_PATH, HttpRequest
from pipeline.customerio.verdicts import Fatal, Retry, Verdict
from pipeline.errors import PipelineError

MAX_SKEW_S = 30.0
"""A clock that is further off is worth mending: timestamps of events are set by it where they are clamped."""


def customerio_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what asking Customer.io tells; nothing is sent but the question."""
    customerio = settings.customerio
    base_url = base_url_for(Region(customerio.region), customerio.base_url)
    try:
        credentials = Credentials(customerio.site_id_secret.reveal(), customerio.api_key_secret.reveal())
    except PipelineError as error:
        yield failed("customer.io", str(error))
        return
    region, skew_s = asyncio.run(_ask(credentials, base_url, customerio.request_timeout_seconds))
    if isinstance(region, str):
        yield from _answered(region, settings, base_url)
    else:
        yield _refused(region, base_url)
    yield _clock(skew_s)


async def _ask(
    credentials: Credentials, base_url: str, timeout_s: float
) -> tuple[str | Verdict, float | None]:
    client = TrackClient(lambda: credentials, base_url, deadline_s=timeout_s)
    try:
        region = await client.ask_region()
        before = time.time()
        answer = await client.exchange(HttpRequest("GET", REGION_PATH))
        middle = (before + time.time()) / 2
        return region, _skew_s(answer, middle) if isinstance(answer, Answer) else None
    finally:
        await client.aclose()


def _skew_s(answer: Answer, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


def _answered(region: str, settings: Settings, base_url: str) -> Iterator[Finding]:
    yield passed("customer.io", f"{base_url} takes the credentials")
    if settings.customerio.base_url is not None:
        yield passed("region", f"the account lives in {region}; requests go to customerio.base_url")
    elif settings.customerio.region in {region, Region.AUTO}:
        yield passed("region", f"the account lives in {region}")
    else:
        yield failed(
            "region",
            f"the account lives in {region} and the configuration says {settings.customerio.region}",
            f"set customerio.region: {region}",
        )


def _refused(verdict: Verdict, base_url: str) -> Finding:
    match verdict:
        case Fatal():
            return failed("customer.io", f"{base_url}: {verdict.cause}", verdict.advice)
        case Retry():
            return failed(
                "customer.io", f"{base_url}: {verdict.cause}", "check the network, and any proxy in between"
            )
    return failed(
        "customer.io", f"{base_url}: the question for the region was refused", "check any proxy in between"
    )


def _clock(skew_s: float | None) -> Finding:
    if skew_s is None:
        return left_out("clock", "Customer.io did not tell its time")
    if abs(skew_s) <= MAX_SKEW_S:
        return passed("clock", f"within {MAX_SKEW_S:.0f} s of Customer.io's")
    direction = "ahead of" if skew_s > 0 else "behind"
    return failed(
        "clock",
        f"our clock is {abs(skew_s):,.0f} s {direction} Customer.io's",
        "set this machine's clock by NTP",
    )
