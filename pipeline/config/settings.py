"""Every setting there is. `docs/configuration.md` is generated from these models."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.admin import AdminSettings
from pipeline.config.decode import DecodeSettings
from pipeline.config.fields import (
    Count,
    NotBlank,
    OneOrMorePaths,
    Seconds,
    Section,
    Text,
    Url,
)
from pipeline.config.kafka import KafkaSettings
from pipeline.config.people import PeopleSettings
from pipeline.config.receipts import ReceiptSettings
from pipeline.config.replay import ReplaySettings
from pipeline.config.secrets import Secret
from pipeline.config.tracing import TracingSettings


class CustomerioSettings(Section):
    """Where the calls go."""

    site_id: Annotated[
        NotBlank | None, Field(description="The site id of the workspace's Track API credentials.")
    ] = None
    site_id_file: Annotated[Path | None, Field(description="A file that holds the site id.")] = None
    api_key: Annotated[
        NotBlank | None, Field(description="The API key of the workspace's Track API credentials.")
    ] = None
    api_key_file: Annotated[Path | None, Field(description="A file that holds the API key.")] = None
    region: Annotated[
        Literal["us", "eu", "auto"],
        Field(description="Where the workspace lives; `auto` asks Customer.io at the start."),
    ] = "us"
    base_url: Annotated[
        Url | None,
        Field(description="Another address to send to, such as the sandbox: `http://127.0.0.1:8080`."),
    ] = None
    api: Annotated[
        Literal["v2", "v1"],
        Field(description="`v2` sends many calls in one request, `v1` one call a request."),
    ] = "v2"
    request_timeout_seconds: Annotated[
        Seconds, Field(description="The longest wait for one answer, connecting included.")
    ] = 30.0
    identify_timestamp: Annotated[
        bool,
        Field(
            description="Send the time with each identify, so that one that comes late undoes nothing newer."
        ),
    ] = True

    @property
    def site_id_secret(self) -> Secret:
        """The site id, wherever it is kept."""
        return Secret.of(self.site_id, self.site_id_file)

    @property
    def api_key_secret(self) -> Secret:
        """The API key, wherever it is kept."""
        return Secret.of(self.api_key, self.api_key_file)


class MappingSettings(Section):
    """Which rules make calls of records."""

    files: Annotated[
        OneOrMorePaths,
        Field(
            description="The mapping files: a list, or one path. A folder stands for the mapping files in it."
        ),
    ] = (Path("mapping.yaml"),)
    namespace: Annotated[
        str,
        Field(
            description="Part of every event id. Set it when two pipelines send the same records on purpose;"
            " changing it makes Customer.io count redelivered events again."
        ),
    ] = ""
    unmatched_limit_share: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="When no rule matches more than this part of the last records, nothing more is read or"
            " committed; window and action are those of the dead letters. `null` for no limit.",
        ),
    ] = None


class RetrySettings(Section):
    """How long to wait before a request is tried again: exponential, with full jitter."""

    initial_backoff_seconds: Annotated[Seconds, Field(description="The longest first wait.")] = 0.2
    max_backoff_seconds: Annotated[Seconds, Field(description="The longest wait of all.")] = 60.0
    max_elapsed_seconds: Annotated[
        Seconds | None, Field(description="How long one request is tried; `null` means for ever.")
    ] = None
    on_exhausted: Annotated[
        Literal["hold", "dead_letter"],
        Field(
            description="What happens after `max_elapsed_seconds`: `hold` goes on trying and turns readiness red,"
            " `dead_letter` gives the calls up."
        ),
    ] = "hold"


class RateSettings(Section):
    """How many requests may be made."""

    requests_per_second: Annotated[
        float,
        Field(
            gt=0,
            le=100_000,
            description="For the whole consumer group: each worker uses its share of the partitions. Customer.io"
            " allows a workspace 1,000.",
        ),
    ] = 500.0
    share: Annotated[
        float,
        Field(gt=0, le=1, description="The part of it that this pipeline may use; the rest is for replays."),
    ] = 0.8


class OrderingSettings(Section):
    """Which calls keep their order."""

    key: Annotated[
        Literal["identity", "record_key", "none"],
        Field(
            description="`identity`: calls of one identity stay in order. `record_key`: calls of records with one"
            " Kafka key stay in order, whoever they are about. `none`: no order is kept."
        ),
    ] = "identity"


class DeliverySettings(Section):
    """How calls travel, and how much may be under way."""

    max_in_flight_requests: Annotated[
        Count, Field(le=256, description="Requests that may be under way at once.")
    ] = 8
    linger_milliseconds: Annotated[
        int, Field(ge=0, le=60_000, description="How long a call may wait for others to share its request.")
    ] = 50
    batch_max_bytes: Annotated[
        Count,
        Field(ge=40_000, le=500_000, description="The largest request body. Customer.io allows 500 kB."),
    ] = 475_000
    batch_max_items: Annotated[Count, Field(le=1_000, description="The most calls in one request.")] = 1_000
    identify_barrier: Annotated[
        bool,
        Field(
            description="Let no other call of a person share a request with an earlier identify of that person:"
            " Customer.io promises no order within a request, and a campaign may need the identify first."
        ),
    ] = True
    retry: Annotated[RetrySettings, Field(default_factory=RetrySettings)]
    max_open_bytes: Annotated[
        Count,
        Field(description="Bytes of records and calls that may be unsettled; beyond it reading pauses."),
    ] = 67_108_864
    max_open_records: Annotated[
        Count, Field(description="Records that may be unsettled; beyond it reading pauses.")
    ] = 40_000
    max_open_span: Annotated[
        Count,
        Field(
            description="Offsets of one partition between the oldest unsettled record and the newest one read; beyond"
            " it the partition pauses. It bounds what a crash sends again."
        ),
    ] = 100_000
    poll_max_records: Annotated[
        Count, Field(le=10_000, description="The most records taken from Kafka at once.")
    ] = 1_000
    commit_interval_seconds: Annotated[Seconds, Field(description="How often offsets are committed.")] = 5.0
    drain_deadline_seconds: Annotated[
        Seconds,
        Field(
            le=10,
            description="How long a stop or a rebalance waits for requests under way before it gives them up;"
            " what is given up is sent again by whoever reads the partition next.",
        ),
    ] = 10.0
    rate: Annotated[RateSettings, Field(default_factory=RateSettings)]
    ordering: Annotated[OrderingSettings, Field(default_factory=OrderingSettings)]


class DeadLetterSettings(Section):
    """Where records and calls go that cannot be delivered."""

    topic: Annotated[
        Text | None,
        Field(
            description="A Kafka topic for them, which must exist; each entry is acknowledged by all replicas in sync"
            " before its record is settled. `null` for the file alone."
        ),
    ] = None
    file: Annotated[
        Path,
        Field(
            description="A file of JSON lines; each entry is on disk before its record is settled. With a topic it"
            " takes what is too large for the topic."
        ),
    ] = Path("dead-letters.jsonl")
    limit_share: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="When more than this part of the last records fails, something is wrong with all of them:"
            " nothing more is read or committed. `null` for no limit.",
        ),
    ] = 0.5
    limit_window_records: Annotated[
        Count, Field(ge=20, le=100_000, description="How many records the limit looks back.")
    ] = 1_000
    limit_action: Annotated[
        Literal["hold", "stop"],
        Field(
            description="What to do at the limit: `hold` waits for a person with readiness red, `stop` ends with"
            " status 3."
        ),
    ] = "hold"


class TimestampSettings(Section):
    """What to do about clocks that run ahead."""

    future_tolerance_seconds: Annotated[
        int, Field(ge=0, le=31_536_000, description="How far ahead of our clock a timestamp may be.")
    ] = 300
    future: Annotated[
        Literal["clamp", "dead_letter"],
        Field(description="A timestamp further ahead is set to now (`clamp`), or its call is a dead letter."),
    ] = "clamp"


class LogSettings(Section):
    """What is written to stderr."""

    format: Annotated[
        Literal["auto", "json", "human"],
        Field(description="`auto` is `human` at a terminal and `json` elsewhere."),
    ] = "auto"
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="The lowest level that is written."),
    ] = "info"


class Settings(Section):
    """The whole configuration. Paths are absolute once loaded."""

    kafka: KafkaSettings
    decode: Annotated[DecodeSettings, Field(default_factory=DecodeSettings)]
    customerio: Annotated[CustomerioSettings, Field(default_factory=CustomerioSettings)]
    mapping: Annotated[MappingSettings, Field(default_factory=MappingSettings)]
    delivery: Annotated[DeliverySettings, Field(default_factory=DeliverySettings)]
    deadletters: Annotated[DeadLetterSettings, Field(default_factory=DeadLetterSettings)]
    timestamps: Annotated[TimestampSettings, Field(default_factory=TimestampSettings)]
    people: Annotated[PeopleSettings, Field(default_factory=PeopleSettings)]
    receipts: Annotated[ReceiptSettings, Field(default_factory=ReceiptSettings)]
    replay: Annotated[ReplaySettings, Field(default_factory=ReplaySettings)]
    admin: Annotated[AdminSettings, Field(default_factory=AdminSettings)]
    logs: Annotated[LogSettings, Field(default_factory=LogSettings)]
    tracing: Annotated[TracingSettings, Field(default_factory=TracingSettings)]
