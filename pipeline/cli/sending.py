"""What sends calls, built from the settings."""

from collections.abc import Awaitable, Callable
from random import Random

from pipeline.cli.measuring import measured, request_counter
from pipeline.cli.receipting import open_receipting
from pipeline.cli.region import RegionalClient, seek_region
from pipeline.cli.tracing import UNTRACED, TracingParts
from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.customerio.client import TrackClient
from pipeline.customerio.credentials import CredentialSource
from pipeline.customerio.regions import Region, base_url_for
from pipeline.delivery.admission import Admission
from pipeline.delivery.concurrency import ConcurrencyLimit
from pipeline.delivery.delivery import Delivery
from pipeline.delivery.rate import RateLimit
from pipeline.delivery.retry import RetryPolicy, WaitByVerdict
from pipeline.delivery.sender import Courier, ThreadedSender
from pipeline.ports import Sender
from pipeline.tally import Tally


def open_sender(
    settings: Settings,
    credentials: CredentialSource,
    tally: Tally,
    clock: SystemClock,
    may_send: Callable[[], bool],
    *,
    tracing: TracingParts = UNTRACED,
) -> Sender:
    """Build what sends calls. `may_send` is asked before each attempt.

    Raises:
        ConfigurationError: the file of receipts cannot be written.
    """
    with_receipts = open_receipting(settings, clock)
    customerio, delivery = settings.customerio, settings.delivery
    region = Region(customerio.region)
    base_url = base_url_for(region, customerio.base_url)
    is_asked = region is Region.AUTO and customerio.base_url is None
    policy = _retry_policy(settings)

    def open_client(base_url: str) -> TrackClient:
        return TrackClient(
            credentials,
            base_url,
            deadline_s=customerio.request_timeout_seconds,
            max_connections=delivery.max_in_flight_requests,
            always_v1=customerio.api == "v1",
        )

    async def open_courier() -> tuple[Courier, Callable[[], Awaitable[None]]]:
        client = RegionalClient(open_client) if is_asked else open_client(base_url)
        random = Random()  # noqa: S311 - jitter, no secret
        courier = Delivery(
            client,
            policy,
            admission=_admission(settings, clock),
            random=random,
            may_send=may_send,
            observe=tracing.observer(request_counter(tally, settings)),
        )
        observed = tracing.courier(measured(courier, tally, settings, clock))
        if isinstance(client, RegionalClient):
            return observed, await seek_region(client, courier.hold, WaitByVerdict(policy, random))
        return observed, client.aclose

    return with_receipts(ThreadedSender(open_courier, max_in_flight=delivery.max_in_flight_requests))


def _retry_policy(settings: Settings) -> RetryPolicy:
    retry = settings.delivery.retry
    return RetryPolicy(
        retry.initial_backoff_seconds,
        retry.max_backoff_seconds,
        retry.max_elapsed_seconds,
        retry.on_exhausted,
    )


def _admission(settings: Settings, clock: SystemClock) -> Admission:
    rate = settings.delivery.rate
    return Admission(
        RateLimit(rate.requests_per_second * rate.share, monotonic=clock.monotonic),
        ConcurrencyLimit(settings.delivery.max_in_flight_requests),
    )
