"""Where spans go: to an OTLP receiver over HTTP. A receiver that is away costs spans and nothing else."""

import logging
from collections.abc import Sequence

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

_log = structlog.get_logger(__name__)

TIMEOUT_S = 5.0
"""How long one export may take; at a stop one under way and a last one are waited for."""
QUEUE_SPANS = 2_048
"""Spans that may wait; all go in one export, so that a stop waits for no more than that."""


class ReportedExporter(SpanExporter):
    """Exports as `exporter` does, and says once when that fails and once when it works again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            _log.warning("traces_not_exported", then="these spans are dropped; the next are tried again")
        elif self._failing and not failing:
            _log.info("traces_exported")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """See `SpanExporter.shutdown`."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter.force_flush`."""
        return self._exporter.force_flush(timeout_millis)


def otlp_processor(endpoint: str | None) -> SpanProcessor:
    """Return what exports spans in a thread of its own; None leaves the address to OpenTelemetry's environment."""
    # It reports each failure of each export, which is said here once.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    exporter = ReportedExporter(OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S))
    return BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS, max_export_batch_size=QUEUE_SPANS)
