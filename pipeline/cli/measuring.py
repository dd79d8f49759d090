"""What is put around the parts of a pipeline so that they tell how they are doing."""

from collections.abc import Callable
from contextlib import ExitStack

from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.customerio.verdicts import Retry, Verdict, retry_cause, verdict_name
from pipeline.delivery.measured import MeasuredCourier
from pipeline.delivery.sender import Courier
from pipeline.kafka.age_watch import AgeWatch
from pipeline.kafka.ages import RecordAges
from pipeline.kafka.options import KafkaOptions
from pipeline.status import EngineStatus
from pipeline.tally import Tally


def request_counter(tally: Tally, settings: Settings) -> Callable[[Verdict, int, float], None]:
    """Return what counts one request: its verdict, the bytes of its calls, the seconds it took."""
    limit = settings.delivery.batch_max_bytes

    def count(verdict: Verdict, size: int, seconds: float) -> None:
        tally.requests[verdict_name(verdict)] += 1
        tally.request_bytes += size
        tally.request_seconds += seconds
        tally.measures.request_seconds.observe(seconds)
        tally.measures.bytes_fill.observe(size / limit)
        if isinstance(verdict, Retry):
            tally.retries[retry_cause(verdict)] += 1

    return count


def measured(courier: Courier, tally: Tally, settings: Settings, clock: SystemClock) -> MeasuredCourier:
    """Return a courier that measures its batches."""
    return MeasuredCourier(
        courier,
        tally.measures,
        max_items=settings.delivery.batch_max_items,
        monotonic=clock.monotonic,
        now=clock.now,
    )


def with_ages(
    status: Callable[[], EngineStatus], options: KafkaOptions, clock: SystemClock, closing: ExitStack
) -> Callable[[], EngineStatus]:
    """Return a status that tells ages too, which are looked at until `closing` ends.

    Raises:
        ConfigurationError: the Kafka client refuses a setting.
    """
    watch = AgeWatch(RecordAges(options), status)
    watch.start(clock.now)
    closing.callback(watch.stop)
    return lambda: watch.applied(status(), clock.now())
