"""OpenTelemetry spans of a record's way: read and mapped, delivered with others in a batch, settled.

Only what is traced costs anything, and this file is only imported when traces are on. Names and attributes follow the
semantic conventions for messaging and HTTP; no key, value, header or identity is in a span.
"""

from collections.abc import Callable, Sequence
from random import Random
from threading import Lock

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pipeline import __version__
from pipeline.customerio.verdicts import Delivered, PartlyDelivered, Verdict, verdict_name
from pipeline.delivery.batch import Batch, Confirmed, Failed, Operation, Outcome
from pipeline.records import Position, Record
from pipeline.translation import Translation

MOST_OPEN = 10_000
"""Records that are followed at once; beyond it the oldest is let go."""

_PROPAGATOR = TraceContextTextMapPropagator()
_CONTEXT_HEADERS = frozenset({"traceparent", "tracestate"})


class RecordSpan:
    """The span of one record, open until the last of its calls has its outcome."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.open_calls = 0

    def end(self, outcome: str) -> None:
        """End it with what became of the record."""
        self.span.set_attribute("cio_pipeline.outcome", outcome)
        self.span.end()


class Tracing:
    """The spans of one process. `sample_share` is the part of records without a context that a trace is begun for."""

    def __init__(self, processor: SpanProcessor, *, group: str, sample_share: float, random: Random) -> None:
        ours = Resource({"service.name": "cio-pipeline", "service.version": __version__})
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON),
            resource=ours.merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer: Tracer = self._provider.get_tracer("cio-pipeline", __version__)
        self._group = group
        self._sample_share = sample_share
        self._random = random
        self._open: dict[Position, RecordSpan] = {}
        self._lock = Lock()

    # In the engine's thread

    def follow(self, record: Record, translate: Callable[[Record], Translation | None]) -> None:
        """Begin the span of a record, unless it is not sampled, with what `translate` makes of it in a span of its own.

        `translate` returns None when nothing has become of the record yet.
        """
        with self._lock:
            followed = self._open.pop(record.position, None)
        followed = followed or self._begin(record)
        if followed is None:
            translate(record)
            return
        with self._tracer.start_as_current_span("map", set_span_in_context(followed.span)):
            translation = translate(record)
        if translation is not None and not translation.calls:
            followed.end(_outcome_without_calls(translation))
            return
        followed.open_calls = 0 if translation is None else len(translation.calls)
        self._keep(record.position, followed)

    def _begin(self, record: Record) -> RecordSpan | None:
        context = _context_of(record)
        if context is None and (not self._sample_share or self._random.random() >= self._sample_share):
            return None
        span = self._tracer.start_span(
            f"process {record.topic}",
            context or Context(),
            SpanKind.CONSUMER,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.consumer.group.name": self._group,
                "messaging.kafka.offset": record.offset,
                "messaging.kafka.message.tombstone": record.value is None,
            },
        )
        return RecordSpan(span) if span.is_recording() else None

    def _keep(self, position: Position, followed: RecordSpan) -> None:
        with self._lock:
            self._open[position] = followed
            oldest = self._open.pop(next(iter(self._open))) if len(self._open) > MOST_OPEN else None
        if oldest is not None:
            oldest.end("let_go")

    # In the sender's thread

    def followed(self, batch: Batch) -> dict[int, RecordSpan]:
        """Return the spans of the records of a batch, by the place of the call in it."""
        if not self._open:
            return {}
        with self._lock:
            found = {
                place: self._open.get(operation.record.record.position)
                for place, operation in enumerate(batch.operations)
            }
        return {place: followed for place, followed in found.items() if followed is not None}

    def begin_batch(self, batch: Batch, followed: dict[int, RecordSpan]) -> Span:
        """Begin the span of a batch, a trace of its own that is linked to the records'."""
        contexts = {
            each.span.get_span_context().span_id: each.span.get_span_context() for each in followed.values()
        }
        return self._tracer.start_span(
            "deliver batch",
            Context(),
            SpanKind.INTERNAL,
            {"messaging.batch.message_count": len(batch.operations)},
            [Link(context) for context in contexts.values()],
        )

    def begin_calls(self, batch: Batch, followed: dict[int, RecordSpan], span: Span) -> dict[int, Span]:
        """Begin a span for each call that is followed, in the record's trace and linked to the batch."""
        link = [Link(span.get_span_context())]
        return {
            place: self._begin_call(batch.operations[place], each, link) for place, each in followed.items()
        }

    def _begin_call(self, operation: Operation, followed: RecordSpan, link: Sequence[Link]) -> Span:
        return self._tracer.start_span(
            f"deliver {operation.source.kind}",
            set_span_in_context(followed.span),
            SpanKind.CLIENT,
            {"cio_pipeline.rule": operation.source.rule, "cio_pipeline.call": operation.source.kind.value},
            link,
        )

    def end_call(self, operation: Operation, span: Span, followed: RecordSpan, outcome: Outcome) -> None:
        """End the span of a call, and that of its record when this was the last one."""
        span.set_attribute("cio_pipeline.outcome", _outcome_name(outcome))
        if isinstance(outcome, Failed):
            span.set_attribute("error.type", outcome.reason.value)
            span.set_status(Status(StatusCode.ERROR, outcome.reason.value))
            followed.span.set_status(Status(StatusCode.ERROR, outcome.reason.value))
        span.end()
        if not isinstance(outcome, Confirmed | Failed):
            return  # it is sent again
        followed.open_calls -= 1
        if followed.open_calls <= 0:
            with self._lock:
                self._open.pop(operation.record.record.position, None)
            followed.end("settled")

    def note_request(self, verdict: Verdict, size: int, seconds: float, now_s: float) -> None:
        """Add a span for a request that has just been made, if it was part of a batch that is followed."""
        parent = get_current_span()
        if not parent.is_recording():
            return
        span = self._tracer.start_span(
            "POST",
            set_span_in_context(parent),
            SpanKind.CLIENT,
            {"http.request.body.size": size, "cio_pipeline.verdict": verdict_name(verdict)},
            start_time=round((now_s - seconds) * 1e9),
        )
        if not isinstance(verdict, Delivered | PartlyDelivered):
            span.set_attribute("error.type", verdict_name(verdict))
            span.set_status(Status(StatusCode.ERROR))
        span.end(round(now_s * 1e9))

    def close(self) -> None:
        """End what is still open and export what is left."""
        with self._lock:
            left, self._open = list(self._open.values()), {}
        for followed in left:
            followed.end("let_go")
        self._provider.shutdown()


def _context_of(record: Record) -> Context | None:
    """Return the trace context of a record's headers, None without a valid one."""
    carrier: dict[str, str] = {}
    for name, value in record.headers:
        if name in _CONTEXT_HEADERS and value is not None and name not in carrier:
            carrier[name] = value.decode("latin-1")
    if "traceparent" not in carrier:
        return None
    context = _PROPAGATOR.extract(carrier, Context())
    return context if get_current_span(context).get_span_context().is_valid else None


def _outcome_without_calls(translation: Translation) -> str:
    if translation.failures:
        return "dead_letter"
    return "dropped" if translation.matched else "unmatched"


def _outcome_name(outcome: Outcome) -> str:
    return type(outcome).__name__.lower()
