"""Spans of a record's way: they continue the trace of its headers, and a batch is linked to its records."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from pipeline.calls import CallFailure, CallKind, CallSource, Reason
from pipeline.customerio.verdicts import DELIVERED, Retry, Verdict
from pipeline.decode import SchemaPending
from pipeline.delivery.admission import Admission
from pipeline.delivery.batch import ABANDONED, CONFIRMED, Batch, BatchResult, Failed, Operation, Outcome
from pipeline.delivery.hold import Hold
from pipeline.delivery.open_record import OpenRecord
from pipeline.operations.tracing import MOST_OPEN, Tracing
from pipeline.operations.tracing_parts import TracedCourier, TracedTranslator, traced_requests
from pipeline.records import Record
from pipeline.translation import Prepared, Translation
from tests.fakes.api import unlimited
from tests.operations_made import PARTITION

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = b"ada@example.com"
NOW = 1_773_480_413.0


def record(offset: int = 0, *, flags: str = "01", context: str | None = None) -> Record:
    header = f"00-{TRACE}-{PARENT}-{flags}" if context is None else context
    headers = (("x", SECRET), ("traceparent", header.encode()))
    return Record("shop", 0, offset, key=SECRET, value=SECRET, headers=headers)


def source(kind: CallKind = CallKind.TRACK) -> CallSource:
    return CallSource("welcome", kind, "Signed up")


class Made:
    """Translates every record in one way."""

    def __init__(self, made: Translation | SchemaPending) -> None:
        self.made = made

    def translate(self, _record: Record) -> Translation | SchemaPending:
        return self.made


def calls(count: int) -> Translation:
    return Translation(tuple(Prepared(source(), None, SECRET, (0,)) for _ in range(count)), matched=True)


class Stage:
    """One process with tracing, its receiver in memory."""

    def __init__(self, sample_share: float = 0.0, made: Translation | SchemaPending | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(
            SimpleSpanProcessor(self.exporter), group="g", sample_share=sample_share, random=Random(1)
        )
        self.made = Made(calls(1) if made is None else made)
        self.translator = TracedTranslator(self.made, self.tracing)
        self.verdicts: Sequence[Verdict] = (DELIVERED,)

    def read(self, *records: Record) -> None:
        for each in records:
            self.translator.translate(each)

    def deliver(self, outcomes: Sequence[Outcome], *records: Record) -> None:
        operations = tuple(
            Operation(
                source(), None, SECRET, OpenRecord(each, PARTITION, calls=1, weight=0), (0,), number, 0.0
            )
            for number, each in enumerate(records)
        )
        courier = TracedCourier(Answering(self, outcomes), self.tracing)
        assert asyncio.run(courier.deliver(Batch(1, operations))).outcomes == outcomes

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """The finished spans by name; of several with one name the last."""
        return {span.name: span for span in self.exporter.get_finished_spans()}


class Answering:
    """Makes the requests of a stage, then ends the batch."""

    def __init__(self, stage: Stage, outcomes: Sequence[Outcome]) -> None:
        self.hold = Hold()
        self.admission: Admission = unlimited()
        self._outcomes = outcomes
        self._verdicts = stage.verdicts
        self._observe = traced_requests(lambda *_: None, stage.tracing, lambda: NOW)

    async def deliver(self, batch: Batch) -> BatchResult:
        for verdict in self._verdicts:
            self._observe(verdict, 900, 0.25)
        return BatchResult(batch, self._outcomes)


def identity(span: ReadableSpan) -> tuple[str, str]:
    assert span.context is not None
    return format_trace_id(span.context.trace_id), format_span_id(span.context.span_id)


def test_a_record_continues_the_trace_of_its_headers_from_reading_to_settling() -> None:
    stage = Stage()
    stage.read(record(7))
    stage.deliver([CONFIRMED], record(7))
    process, mapping, call = (stage.spans[name] for name in ("process shop", "map", "deliver track"))
    assert process.parent is not None
    assert (identity(process)[0], format_span_id(process.parent.span_id)) == (TRACE, PARENT)
    assert process.kind is SpanKind.CONSUMER
    assert dict(process.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "shop",
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": "g",
        "messaging.kafka.offset": 7,
        "messaging.kafka.message.tombstone": False,
        "cio_pipeline.outcome": "settled",
    }
    assert mapping.parent == call.parent == process.context
    assert call.attributes is not None
    assert call.attributes["cio_pipeline.rule"] == "welcome"


def test_a_batch_is_a_trace_of_its_own_linked_to_its_records_both_ways() -> None:
    stage = Stage()
    stage.read(record(1), record(2))
    stage.deliver([CONFIRMED, CONFIRMED], record(1), record(2))
    batch = stage.spans["deliver batch"]
    assert batch.parent is None
    assert {format_trace_id(link.context.trace_id) for link in batch.links} == {TRACE}
    assert len(batch.links) == 2
    (back,) = stage.spans["deliver track"].links
    assert back.context == batch.context
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 2


def test_each_request_of_a_batch_is_a_span_with_its_verdict_and_its_time() -> None:
    stage = Stage()
    stage.verdicts = (Retry("Customer.io answered with status 503"), DELIVERED)
    stage.read(record(1))
    stage.deliver([CONFIRMED], record(1))
    requests = [span for span in stage.exporter.get_finished_spans() if span.name == "POST"]
    assert [dict(span.attributes or {})["cio_pipeline.verdict"] for span in requests] == [
        "retry",
        "delivered",
    ]
    assert [span.status.is_ok for span in requests] == [False, True]
    for span in requests:
        assert span.parent == stage.spans["deliver batch"].context
        assert span.start_time is not None
        assert span.end_time is not None
        assert (span.end_time - span.start_time) / 1e9 == pytest.approx(0.25)


def test_a_failed_call_is_an_error_of_its_record_named_by_the_reason_alone() -> None:
    stage = Stage()
    stage.read(record(1))
    stage.deliver([Failed(Reason.REJECTED, "no", answer="ada@example.com")], record(1))
    for name in ("process shop", "deliver track"):
        assert stage.spans[name].status.description == "rejected"


def test_a_record_with_several_calls_ends_with_the_last_of_them() -> None:
    stage = Stage(made=calls(2))
    stage.read(record(1))
    stage.deliver([CONFIRMED], record(1))
    assert "process shop" not in stage.spans
    stage.deliver([CONFIRMED], record(1))
    assert "process shop" in stage.spans


def test_an_abandoned_call_leaves_its_record_open_until_it_is_sent_again() -> None:
    stage = Stage()
    stage.read(record(1))
    stage.deliver([ABANDONED], record(1))
    assert "process shop" not in stage.spans
    stage.deliver([CONFIRMED], record(1))
    assert "process shop" in stage.spans


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (Translation(), "unmatched"),
        (Translation(matched=True), "dropped"),
        (Translation(failures=(CallFailure(None, Reason.UNDECODABLE, "no"),), matched=True), "dead_letter"),
    ],
)
def test_a_record_without_calls_ends_when_it_is_mapped(made: Translation, outcome: str) -> None:
    stage = Stage(made=made)
    stage.read(record(1))
    attributes = stage.spans["process shop"].attributes
    assert attributes is not None
    assert attributes["cio_pipeline.outcome"] == outcome


def test_a_record_that_waits_for_its_schema_is_one_span_until_it_is_settled() -> None:
    stage = Stage(made=SchemaPending(5, None))
    stage.read(record(1), record(1))
    stage.made.made = calls(1)
    stage.read(record(1))
    stage.deliver([CONFIRMED], record(1))
    assert [span.name for span in stage.exporter.get_finished_spans()].count("process shop") == 1


@pytest.mark.parametrize(
    "each",
    [
        record(flags="00"),
        record(context="nonsense"),
        record(context="00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        record(context="\xff" * 200),
        Record("shop", 0, 0, headers=(("traceparent", None),)),
        Record("shop", 0, 0),
    ],
    ids=["not sampled", "nonsense", "no trace", "bytes", "null", "no header"],
)
def test_what_is_not_sampled_makes_no_span_at_all(each: Record) -> None:
    stage = Stage()
    stage.read(each)
    stage.deliver([CONFIRMED], each)
    stage.tracing.close()
    assert stage.exporter.get_finished_spans() == ()


def test_a_trace_can_be_begun_here_for_a_share_of_the_records() -> None:
    stage = Stage(sample_share=0.5)
    without = [Record("shop", 0, offset) for offset in range(200)]
    stage.read(*without)
    stage.deliver([CONFIRMED] * 200, *without)
    begun = [span for span in stage.exporter.get_finished_spans() if span.name == "process shop"]
    assert 60 < len(begun) < 140
    assert all(span.parent is None for span in begun)


def test_only_so_many_records_are_followed_at_once() -> None:
    stage = Stage()
    stage.read(*(record(offset) for offset in range(MOST_OPEN + 3)))
    let_go = [span for span in stage.exporter.get_finished_spans() if span.name == "process shop"]
    assert [dict(span.attributes or {})["cio_pipeline.outcome"] for span in let_go] == ["let_go"] * 3


def test_no_span_holds_a_key_a_value_a_header_or_an_answer() -> None:
    stage = Stage()
    stage.read(record(1), record(2))
    stage.deliver([CONFIRMED, Failed(Reason.REJECTED, "no", answer=SECRET.decode())], record(1), record(2))
    stage.tracing.close()
    for span in stage.exporter.get_finished_spans():
        assert SECRET.decode() not in span.to_json()
        assert "Signed up" not in span.to_json()
