"""Whether the consumer reaches its brokers and its group's coordinator, from what the client reports."""

import orjson
import structlog
from confluent_kafka import KafkaError, ThrottleEvent

from pipeline.errors import RemoteRefusedError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.settings import without_secrets
from pipeline.kafka.statistics import client_status
from pipeline.status import ClientStatus

_log = structlog.get_logger(__name__)

_COORDINATOR = "GroupCoordinator"
_FOUND_IN_US = 5_000_000
"""How long the client may look for the coordinator, by its own clock, before that is trouble."""
_UNGIVEN = "Failed to acquire SASL OAUTHBEARER token"
_CONNECTION_ERRORS = frozenset(
    {KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._ALL_BROKERS_DOWN, KafkaError._SSL}
)


class Connection:
    """The last thing known about the connection.

    `trouble` is a safe sentence for as long as something keeps the consumer from working; `client` is what the client's
    latest statistics tell.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._brokers_down = False
        self._trouble: str | None = None
        self._coordinator_trouble: str | None = None
        self._coordinator_seen_us: int | None = None
        self._was_up = False
        self.client = ClientStatus()

    @property
    def trouble(self) -> str | None:
        """What keeps the consumer from its brokers or from its group; None when nothing does."""
        return self._trouble or self._coordinator_trouble

    def report_error(self, error: KafkaError) -> None:
        """Take the client's report of an error that concerns no partition.

        Raises:
            RemoteRefusedError: the brokers refuse the credentials, and no connection has ever worked.
        """
        code = error.code()
        text = without_secrets(error.str(), self._options.properties)
        if code == KafkaError._AUTHENTICATION and text.startswith(_UNGIVEN):
            # The issuer may be away; the client asks it again after ten seconds.
            self._note(f"no token for Kafka: {text}; check the properties sasl.oauthbearer.*")
        elif code == KafkaError._AUTHENTICATION:
            self._authentication_failed(text)
        elif code == KafkaError._ALL_BROKERS_DOWN:
            self._brokers_down = True
            self._note(self._trouble or f"no broker answers at {self._options.bootstrap_servers}")
        elif code in _CONNECTION_ERRORS and text.startswith(_COORDINATOR):
            self._coordinator_trouble = f"the group's coordinator cannot be reached: {text}"
        elif code in _CONNECTION_ERRORS and (self._brokers_down or not self._was_up):
            self._note(f"no broker can be reached: {text}")
        else:
            _log.debug("kafka_error", code=error.name(), text=text)

    def report_statistics(self, text: str) -> None:
        """Take the client's statistics, a JSON text."""
        statistics = orjson.loads(text)
        self.client = client_status(statistics, self.client)
        if self.client.brokers_up:
            self.works()
        self._look_at_coordinator(statistics.get("cgrp", {}).get("state"), statistics["ts"])

    def _look_at_coordinator(self, state: str | None, now_us: int) -> None:
        # A coordinator that goes away is not always an error, and one that nobody knows any more is none at all.
        if state == "up":
            self._coordinator_trouble = None
        if state == "up" or self._coordinator_seen_us is None:
            self._coordinator_seen_us = now_us
        elif now_us - self._coordinator_seen_us > _FOUND_IN_US:
            self._coordinator_trouble = self._coordinator_trouble or "the group's coordinator cannot be found"

    def report_throttling(self, event: ThrottleEvent) -> None:
        """Take note that a broker makes us wait because of a quota."""
        _log.debug("kafka_throttles", seconds=event.throttle_time)

    def works(self) -> None:
        """Take note that a broker answered."""
        if self._trouble is not None:
            _log.info("kafka_reached", bootstrap_servers=self._options.bootstrap_servers)
        self._trouble, self._brokers_down, self._was_up = None, False, True

    def _authentication_failed(self, text: str) -> None:
        if not self._was_up:
            raise RemoteRefusedError(f"Kafka refuses the credentials: {text}; check kafka.properties")
        self._note(f"a broker refuses the credentials: {text}")

    def _note(self, trouble: str) -> None:
        if self._trouble is None:
            _log.warning("kafka_unreachable", cause=trouble, then="trying again")
        self._trouble = trouble
