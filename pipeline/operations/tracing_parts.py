"""What tracing puts around the parts of a pipeline."""

from collections.abc import Callable

from opentelemetry.trace import use_span

from pipeline.customerio.verdicts import Verdict
from pipeline.decode import SchemaPending
from pipeline.delivery.batch import Batch, BatchResult
from pipeline.delivery.sender import Courier
from pipeline.operations.tracing import Tracing
from pipeline.ports import Translator
from pipeline.records import Record
from pipeline.translation import Translation


class TracedTranslator:
    """Translates as `translator` does, and follows the records that are traced."""

    def __init__(self, translator: Translator, tracing: Tracing) -> None:
        self._translator = translator
        self._tracing = tracing

    def translate(self, record: Record) -> Translation | SchemaPending:
        """See `Translator.translate`."""
        made: list[Translation | SchemaPending] = []

        def translate(record: Record) -> Translation | None:
            made.append(self._translator.translate(record))
            return made[0] if isinstance(made[0], Translation) else None

        self._tracing.follow(record, translate)
        return made[0]


class TracedCourier:
    """Delivers as `courier` does, and traces the batches that carry a record which is followed."""

    def __init__(self, courier: Courier, tracing: Tracing) -> None:
        self.hold = courier.hold
        self.admission = courier.admission
        self._courier = courier
        self._tracing = tracing

    async def deliver(self, batch: Batch) -> BatchResult:
        """See `Courier.deliver`."""
        followed = self._tracing.followed(batch)
        if not followed:
            return await self._courier.deliver(batch)
        span = self._tracing.begin_batch(batch, followed)
        calls = self._tracing.begin_calls(batch, followed, span)
        with use_span(span, end_on_exit=True):
            result = await self._courier.deliver(batch)
        for place, call in calls.items():
            self._tracing.end_call(batch.operations[place], call, followed[place], result.outcomes[place])
        return result


def traced_requests(
    observe: Callable[[Verdict, int, float], None], tracing: Tracing, now: Callable[[], float]
) -> Callable[[Verdict, int, float], None]:
    """Return what observes a request as `observe` does and adds its span."""

    def observed(verdict: Verdict, size: int, seconds: float) -> None:
        observe(verdict, size, seconds)
        tracing.note_request(verdict, size, seconds, now())

    return observed
