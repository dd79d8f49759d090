"""A client that reads named partitions and belongs to no group's rebalances."""

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException

from pipeline.errors import ConfigurationError, PipelineError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.refusals import refusal
from pipeline.kafka.settings import client_configuration, without_secrets

_NOBODY_THERE = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
)


def open_client(options: KafkaOptions, **callbacks: Callable[..., None]) -> Consumer:
    """Return a consumer that never subscribes; `options.group_id` is only where its commits are kept.

    Raises:
        ConfigurationError: the client refuses a setting.
    """
    try:
        return Consumer({**client_configuration(options), "log_level": 0, **callbacks})
    except (KafkaException, ValueError, TypeError) as error:
        text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        safe = without_secrets(text, options.properties)
        raise ConfigurationError(f"the Kafka client refuses its settings: {safe}") from None


def failure(action: str, options: KafkaOptions, exception: KafkaException) -> PipelineError:
    """Return what to raise when the brokers did not do what they were asked."""
    error = exception.args[0]
    final = refusal(error)
    if final is not None:
        return final
    advice = (
        "; check the address, and that this machine may reach it" if error.code() in _NOBODY_THERE else ""
    )
    return PipelineError(
        f"cannot {action} at {options.bootstrap_servers}: {error.str()} ({error.name()}){advice}"
    )
