"""What a user may do at the brokers, asked without changing anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_client import failure, open_client
from pipeline.kafka.settings import without_secrets

ASK_TIMEOUT_S = 10.0
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why the brokers cannot be asked. `refused` tells that it was the credentials."""

    text: str
    refused: bool = False


class Inspection:
    """Asks the brokers as the pipeline's consumer would.

    Raises:
        ConfigurationError: the client refuses a setting.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._errors: list[KafkaError] = []
        self._consumer = open_client(options, error_cb=self._errors.append)
        self._admin = AdminClient(
            {**options.properties, "bootstrap.servers": options.bootstrap_servers, "log_level": 0}
        )

    def topics(self) -> Mapping[str, int] | Unreachable:
        """Return the topics that the user may see, each with its number of partitions."""
        try:
            known = self._consumer.list_topics(timeout=ASK_TIMEOUT_S).topics
        except KafkaException as error:
            self._consumer.poll(_POLL_S)  # lets the client tell by its callback what lies behind the time-out
            return self._unreachable(error.args[0])
        return {name: len(topic.partitions) for name, topic in known.items() if topic.error is None}

    @property
    def authenticates(self) -> bool:
        """Whether the settings name a way to say who we are."""
        protocol = str(self._options.properties.get("security.protocol", "plaintext")).lower()
        return protocol.startswith("sasl") or "ssl.certificate.location" in self._options.properties

    def may_on_topic(self, topic: str, operation: str) -> bool | None:
        """Tell whether the user may do `read` or `write` on a topic, None where the broker does not say."""
        asked = self._admin.describe_topics(
            TopicCollection([topic]), include_authorized_operations=True, request_timeout=ASK_TIMEOUT_S
        )
        return _allowed(asked, operation)

    def may_commit(self) -> bool | None:
        """Tell whether the user may commit offsets of the group, None where the broker does not say."""
        try:
            asked = self._admin.describe_consumer_groups(
                [self._options.group_id], include_authorized_operations=True, request_timeout=ASK_TIMEOUT_S
            )
        except KafkaException:
            return None
        return _allowed(asked, "read")

    def committed(self, topic: str) -> str | None:
        """Ask for the group's offset in a topic; return why that is refused, None when it is not."""
        try:
            [answer] = self._consumer.committed([KafkaPartition(topic, 0)], timeout=ASK_TIMEOUT_S)
        except KafkaException as error:
            return str(failure("read the group's offsets", self._options, error))
        return None if answer.error is None else answer.error.str()

    def close(self) -> None:
        """Let the brokers go."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unreachable(self, error: KafkaError) -> Unreachable:
        known = next((e for e in self._errors if e.code() == KafkaError._AUTHENTICATION), None)
        cause = known or next((e for e in self._errors if e.code() != KafkaError._ALL_BROKERS_DOWN), error)
        return Unreachable(without_secrets(cause.str(), self._options.properties), refused=known is not None)


def _allowed(asked: Mapping[str, Any], operation: str) -> bool | None:
    for answer in asked.values():
        try:
            operations = answer.result(ASK_TIMEOUT_S + 1).authorized_operations
        except (KafkaException, TimeoutError):
            return None
        return None if operations is None else AclOperation[operation.upper()] in operations
    return None
