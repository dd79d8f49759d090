"""The Kafka section, and the client properties that would break a guarantee."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.fields import BrokerAddresses, Count, OneOrMoreTexts, Seconds, Section, Start, Text
from pipeline.config.secrets import Secret

PropertyValue = str | bool | int | float

_OURS = "the pipeline commits offsets itself, and only when everything up to them is settled"
REFUSED_PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        "enable.auto.commit": _OURS,
        "enable.auto.offset.store": _OURS,
        "auto.commit.interval.ms": f"{_OURS}; set delivery.commit_interval_seconds",
        "auto.commit.enable": _OURS,
        "auto.offset.reset": "set kafka.start for a new group and kafka.out_of_range for an offset that is gone",
        "bootstrap.servers": "set kafka.bootstrap_servers",
        "metadata.broker.list": "set kafka.bootstrap_servers",
        "group.id": "set kafka.group_id",
        "session.timeout.ms": "set kafka.session_timeout_seconds",
        "max.poll.interval.ms": "set kafka.max_poll_interval_seconds",
        "queued.max.messages.kbytes": "set kafka.queue_max_kilobytes",
        "fetch.wait.max.ms": "set kafka.fetch_wait_milliseconds",
        "isolation.level": "records of aborted transactions must not reach Customer.io, so they are never read",
        "allow.auto.create.topics": "a misspelt topic would be created instead of reported",
        "enable.partition.eof": "the pipeline needs its notices, to pass what is no record at the end of a partition",
        "statistics.interval.ms": "the pipeline lives on these statistics: the ends of partitions come with them",
    }
)
"""Properties of the Kafka client that are refused, and why or what to set instead."""


class KafkaSettings(Section):
    """Where the records come from."""

    bootstrap_servers: Annotated[
        BrokerAddresses, Field(description="Addresses of some brokers, `HOST:PORT`, separated by commas.")
    ]
    topics: Annotated[
        OneOrMoreTexts,
        Field(
            description="The topics to read: a list, or one. What begins with `^` is a regular expression."
        ),
    ]
    group_id: Annotated[
        Text, Field(description="The consumer group. Everything with the same group shares the partitions.")
    ] = "cio-pipeline"
    start: Annotated[
        Start,
        Field(
            description="Where a partition without a committed offset is begun: `earliest`, `latest`, or a time"
            " such as `2026-01-31T08:00:00Z`."
        ),
    ] = "earliest"
    out_of_range: Annotated[
        Literal["fail", "earliest", "latest"],
        Field(
            description="What to do when a committed offset no longer exists, for instance because the topic's"
            " retention has deleted unread records: `fail` stops and says so, the others go on and lose records."
        ),
    ] = "fail"
    session_timeout_seconds: Annotated[
        Seconds, Field(description="After this long without a heartbeat the group gives our partitions away.")
    ] = 45.0
    max_poll_interval_seconds: Annotated[
        Seconds, Field(description="After this long without a poll the group gives our partitions away.")
    ] = 300.0
    stalled_after_seconds: Annotated[
        Seconds,
        Field(
            description="A partition that has records waiting and does not move for this long, though nothing fails,"
            " makes readiness red and is logged."
        ),
    ] = 300.0
    queue_max_kilobytes: Annotated[
        Count, Field(description="How much the Kafka client fetches ahead, in kilobytes.")
    ] = 32_768
    fetch_wait_milliseconds: Annotated[
        Count, Field(description="How long a broker may wait for more records before it answers a fetch.")
    ] = 100
    properties: Annotated[
        Mapping[str, PropertyValue],
        Field(
            default_factory=dict,
            repr=False,
            description="Any other property of librdkafka, by its own name, for example `security.protocol`."
            " Properties that would break a guarantee are refused.",
        ),
    ]
    property_files: Annotated[
        Mapping[str, Path],
        Field(
            default_factory=dict,
            description="Files that hold the value of a property, for passwords: `sasl.password: /run/secrets/kafka`.",
        ),
    ]

    def client_properties(self) -> dict[str, PropertyValue]:
        """Return the client properties that were asked for, those from files read now.

        Raises:
            ConfigurationError: a file cannot be read or is empty.
        """
        from_files = {name: Secret(file=file).reveal() for name, file in self.property_files.items()}
        return {**self.properties, **from_files}

    def reads(self, topic: str) -> bool:
        """Tell whether `topics` names this topic, or has a regular expression that matches it."""
        return any(
            wanted == topic or (wanted.startswith("^") and re.search(wanted, topic) is not None)
            for wanted in self.topics
        )

    def refused(self) -> Iterator[tuple[str, str]]:
        """Yield each property that would break a guarantee, and why."""
        for name in (*self.properties, *self.property_files):
            reason = REFUSED_PROPERTIES.get(name)
            if reason is not None:
                yield name, reason
