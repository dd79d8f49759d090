"""The configuration of librdkafka's consumer: what is ours, what is a default, what may be set by the user."""

import re
from collections.abc import Mapping

from pipeline.errors import ConfigurationError
from pipeline.kafka.options import KafkaOptions, PropertyValue

_SECRET = re.compile(r"password|secret|key|token|jaas|pem|config", re.IGNORECASE)

_DEFAULTS: Mapping[str, PropertyValue] = {
    "client.id": "cio-pipeline",
    # A new partition is seen after this long; the client's own default is five minutes.
    "topic.metadata.refresh.interval.ms": 60_000,
    # What a commit may wait for a broker that is connected and silent; the client's own default is a minute.
    "socket.timeout.ms": 15_000,
    # The queue is bounded in kilobytes, and fetched for again as soon as there is room: with the client's pause of a
    # second reading stalls (140,000 records a second, not 430,000). Small records cost the client more than they weigh:
    # of a million allowed ones the queue took 230 MB, of 10,000 a partition hardly any, at the same speed.
    "queued.min.messages": 10_000,
    "fetch.queue.backoff.ms": 20,
    "log.connection.close": False,
}


def client_configuration(options: KafkaOptions) -> dict[str, PropertyValue]:
    """Return librdkafka's properties.

    Raises:
        ConfigurationError: a property is set that the pipeline must set itself.
    """
    ours = _ours(options)
    refused = sorted(ours.keys() & options.properties.keys() | _without_effect(options))
    if refused:
        raise ConfigurationError(
            f"the Kafka property {refused[0]} may not be set: the pipeline sets it, or cannot work with it"
        )
    return {**_DEFAULTS, **_group_defaults(options), **options.properties, **ours}


def without_secrets(text: str, properties: Mapping[str, PropertyValue]) -> str:
    """Return the client's own words without the values of properties that look secret."""
    for name, value in properties.items():
        if _SECRET.search(name) and str(value):
            text = text.replace(str(value), "***")
    return text


def _ours(options: KafkaOptions) -> dict[str, PropertyValue]:
    return {
        "bootstrap.servers": options.bootstrap_servers,
        "group.id": options.group_id,
        # Only what is settled is committed, and only by us.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # A missing offset is reported, and start.py decides; anything else skips or repeats records in
        # silence.
        "auto.offset.reset": "error",
        # The position passes control records at the end of a partition only with this notice.
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "max.poll.interval.ms": round(options.max_poll_interval_s * 1000),
        "queued.max.messages.kbytes": options.queue_max_kilobytes,
        "fetch.wait.max.ms": options.fetch_wait_ms,
        "statistics.interval.ms": round(options.statistics_interval_s * 1000),
    }


def _group_defaults(options: KafkaOptions) -> dict[str, PropertyValue]:
    """Under the newer group protocol (KIP-848) the brokers hold these, and the client refuses them."""
    if options.next_generation_protocol:
        return {}
    return {
        "session.timeout.ms": round(options.session_timeout_s * 1000),
        # Three missed heartbeats before a member counts as dead, as Kafka advises.
        "heartbeat.interval.ms": round(min(options.session_timeout_s / 3, 3.0) * 1000),
        "partition.assignment.strategy": "cooperative-sticky",
    }


def _without_effect(options: KafkaOptions) -> set[str]:
    return {
        "oauth_cb",
        "error_cb",
        "stats_cb",
        "throttle_cb",
        "on_commit",
        "logger",
    } & options.properties.keys()
