"""Traces, where the settings ask for them: nothing of OpenTelemetry is imported otherwise."""

from collections.abc import Callable
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

from pipeline.config import Settings
from pipeline.customerio.verdicts import Verdict
from pipeline.delivery.sender import Courier
from pipeline.errors import ConfigurationError
from pipeline.ports import Translator

if TYPE_CHECKING:
    from pipeline.operations.tracing import Tracing

Observe = Callable[[Verdict, int, float], None]


class TracingParts:
    """Puts tracing around the parts of a pipeline; without any it hands them back as they are."""

    def __init__(self, tracing: "Tracing | None" = None, now: Callable[[], float] | None = None) -> None:
        self._tracing = tracing
        self._now = now

    def translator(self, translator: Translator) -> Translator:
        """Return what translates and traces."""
        if self._tracing is None:
            return translator
        from pipeline.operations.tracing_parts import TracedTranslator  # noqa: PLC0415 - only when it is on

        return TracedTranslator(translator, self._tracing)

    def courier(self, courier: Courier) -> Courier:
        """Return what delivers and traces."""
        if self._tracing is None:
            return courier
        from pipeline.operations.tracing_parts import TracedCourier  # noqa: PLC0415 - only when it is on

        return TracedCourier(courier, self._tracing)

    def observer(self, observe: Observe) -> Observe:
        """Return what observes requests and traces them."""
        if self._tracing is None or self._now is None:
            return observe
        from pipeline.operations.tracing_parts import traced_requests  # noqa: PLC0415 - only when it is on

        return traced_requests(observe, self._tracing, self._now)


UNTRACED = TracingParts()


def open_tracing(settings: Settings, now: Callable[[], float], closing: ExitStack) -> TracingParts:
    """Build tracing, which exports what is left when `closing` ends; `now` gives Unix time.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    chosen = settings.tracing
    if not chosen.enabled:
        return UNTRACED
    try:
        from pipeline.operations.tracing import Tracing  # noqa: PLC0415 - only when it is on
        from pipeline.operations.tracing_export import otlp_processor  # noqa: PLC0415 - only when it is on
    except ImportError:
        raise ConfigurationError(
            "tracing.enabled: OpenTelemetry is not installed; install 'cio-pipeline[otel]' or set it to false"
        ) from None
    tracing = Tracing(
        otlp_processor(chosen.endpoint),
        group=settings.kafka.group_id,
        sample_share=chosen.sample_share,
        random=Random(),  # noqa: S311 - which records are sampled is no secret
    )
    closing.callback(tracing.close)
    return TracingParts(tracing, now)
