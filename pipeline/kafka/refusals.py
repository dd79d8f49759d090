"""Kafka's errors that trying again does not mend, in words for the person who can."""

from types import MappingProxyType

from confluent_kafka import KafkaError

from pipeline.errors import RemoteRefusedError

_REFUSED = MappingProxyType(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED: "the user may not read a topic; grant READ and DESCRIBE on it",
        KafkaError.GROUP_AUTHORIZATION_FAILED: "the user may not use the consumer group; grant READ on it",
        KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the user may not use the cluster",
        KafkaError.FENCED_INSTANCE_ID: "another member joined with the same group.instance.id",
        KafkaError.UNRELEASED_INSTANCE_ID: "another member holds the same group.instance.id",
        KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
            "the group's other members share out partitions in another way;"
            " set the same partition.assignment.strategy and group.protocol everywhere"
        ),
        KafkaError.UNSUPPORTED_SASL_MECHANISM: "the broker does not have this sasl.mechanism",
        KafkaError.INVALID_GROUP_ID: "the group id is not valid",
        KafkaError.UNSUPPORTED_VERSION: "the broker is too old for what is asked of it",
    }
)


_FATAL = frozenset({KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID, KafkaError.UNRELEASED_INSTANCE_ID})


class ClientBrokenError(RemoteRefusedError):
    """The client is of no more use: it may neither be polled nor closed, since both can block for ever."""


def refusal(error: KafkaError) -> RemoteRefusedError | None:
    """Return the error to stop with, None when going on makes sense."""
    fatal = error.fatal() or error.code() in _FATAL
    words = _REFUSED.get(error.code())
    if words is None and not fatal:
        return None
    kind = ClientBrokenError if fatal else RemoteRefusedError
    return kind(f"Kafka refuses: {words or error.str()} ({error.name()})")
