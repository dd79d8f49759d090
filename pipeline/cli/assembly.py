"""The composition root: settings become objects, and objects become an engine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.backpressure import OpenLimits
from pipeline.cli.admin_page import admin_page
from pipeline.cli.decoding import open_decoder
from pipeline.cli.measuring import with_ages
from pipeline.cli.people import PeopleParts, open_people
from pipeline.cli.sending import open_sender
from pipeline.cli.tracing import open_tracing
from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.customerio.credentials import Credentials, CredentialSource
from pipeline.deadletters.file import FileDeadLetters
from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.delivery.lanes import Lanes
from pipeline.delivery.lease import Lease
from pipeline.engine import STARTING, Engine, EngineOptions
from pipeline.errors import ConfigurationError
from pipeline.kafka.dead_letter_topic import DeadLetterTopicOptions, KafkaDeadLetters
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.source import KafkaSource
from pipeline.mapping import MappingLimits, RuleSet, load_rules
from pipeline.mapping.reload import load_tested_rules
from pipeline.operations.admin import AdminServer, PipelineMonitor
from pipeline.operations.mapping_state import MappingState
from pipeline.ports import DeadLetterStore, Sender
from pipeline.status import EngineStatus
from pipeline.tally import Tally
from pipeline.translation import Translator
from pipeline.unmatched import UnmatchedTypes


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One consumer, from Kafka to Customer.io."""

    engine: Engine
    tally: Tally
    translator: Translator
    dead_letters: DeadLetterKeeper
    mapping: MappingState
    people: PeopleParts
    admin_address: str | None

    def use_rules(self, rules: RuleSet) -> None:
        """Map with other rules from the next record on; what failed under the old ones is forgotten."""
        self.translator.mapper = rules
        self.dead_letters.start_afresh()
        self.mapping.loaded(len(rules.rules))


@contextmanager
def open_pipeline(settings: Settings) -> Iterator[Pipeline]:
    """Build a pipeline, with its admin server for as long as the block lasts. `engine.run` releases the rest.

    Raises:
        ConfigurationError: with what is wrong and what to do.
    """
    tally, clock, lease = Tally(), SystemClock(), _lease(settings)
    rules = load_tested_rules(settings.mapping.files, limits=mapping_limits(settings))
    translator, mapping = _translator(settings, rules, clock), MappingState(len(rules.rules))
    credentials = credentials_of(settings)
    credentials()  # an unreadable secret shows now and not at the first request
    engine: list[Engine] = []
    with ExitStack() as closing:
        monitor = PipelineMonitor(tally, _status(settings, engine, clock, closing), mapping)
        admin = _start_admin(settings, monitor, closing)
        store = dead_letter_store(settings)
        dead_letters = DeadLetterKeeper(store, failure_limits(settings), clock, tally)
        kafka = kafka_options(settings)
        people = open_people(
            settings,
            kafka=kafka,
            translator=translator,
            open_translator=lambda: _translator(settings, rules, clock),
            tally=tally,
            clock=clock,
        )
        tracing = open_tracing(settings, clock.now, closing)
        engine.append(
            Engine(
                source=people.source(KafkaSource(kafka, passed_over=tally.passed_over)),
                sender=people.sender(
                    open_sender(
                        settings,
                        credentials,
                        tally,
                        clock,
                        lambda: lease.holds(clock.monotonic()),
                        tracing=tracing,
                    )
                ),
                dead_letters=dead_letters,
                translator=tracing.translator(people.translator),
                lanes=people.lanes(dead_letters, **_lane_limits(settings)),
                lease=lease,
                clock=clock,
                tally=tally,
                options=engine_options(settings),
                note_unmatched=UnmatchedTypes(tally, translator.decode, lambda: translator.mapper).note,
            )
        )
        yield Pipeline(engine[0], tally, translator, dead_letters, mapping, people, admin)


@contextmanager
def open_redelivery(settings: Settings, *, max_items: int) -> Iterator[tuple[Lanes, Sender]]:
    """Build what sends calls without a consumer: no partitions, no lease. At most `max_items` calls share a request.

    Raises:
        ConfigurationError: with what is wrong and what to do.
    """
    credentials = credentials_of(settings)
    credentials()
    sender = open_sender(settings, credentials, Tally(), SystemClock(), lambda: True)
    try:
        yield Lanes(**_lane_limits(settings, max_items)), sender
    finally:
        sender.close()


@contextmanager
def open_translator(settings: Settings) -> Iterator[Translator]:
    """Build what makes calls of records as a pipeline that starts now would.

    Raises:
        ConfigurationError: a mapping file cannot be used.
    """
    rules = load_rules(settings.mapping.files, limits=mapping_limits(settings))
    yield _translator(settings, rules, SystemClock())


def dead_letter_topic_options(settings: Settings) -> DeadLetterTopicOptions:
    """Return where the dead-letter topic is.

    Raises:
        ConfigurationError: the settings name none, or a secret file cannot be read.
    """
    if settings.deadletters.topic is None:
        raise ConfigurationError("'deadletters.topic' is not set")
    return DeadLetterTopicOptions(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        topic=settings.deadletters.topic,
        properties=settings.kafka.client_properties(),
    )


def dead_letter_topic(settings: Settings) -> KafkaDeadLetters:
    """Open the dead-letter topic; what is too large for it goes to the file.

    Raises:
        ConfigurationError: the topic does not exist, or the client refuses a setting.
    """
    return KafkaDeadLetters(dead_letter_topic_options(settings), FileDeadLetters(settings.deadletters.file))


def dead_letter_store(settings: Settings) -> DeadLetterStore:
    """Open the store of the dead letters."""
    if settings.deadletters.topic is None:
        return FileDeadLetters(settings.deadletters.file)
    return dead_letter_topic(settings)


def _status(
    settings: Settings, engine: Sequence[Engine], clock: SystemClock, closing: ExitStack
) -> Callable[[], EngineStatus]:
    """Return what tells the state of the engine, as soon as there is one; with ages where somebody may ask."""

    def status() -> EngineStatus:
        return engine[0].status if engine else STARTING

    if settings.admin.listen is None:
        return status
    return with_ages(status, kafka_options(settings), clock, closing)


def _start_admin(settings: Settings, monitor: PipelineMonitor, closing: ExitStack) -> str | None:
    if settings.admin.listen is None:
        return None
    server = AdminServer(settings.admin.listen, admin_page(settings, monitor))
    server.start()
    closing.callback(server.stop)
    return server.address


def credentials_of(settings: Settings) -> CredentialSource:
    """Return what gives the credentials of the moment."""
    customerio = settings.customerio
    return lambda: Credentials(customerio.site_id_secret.reveal(), customerio.api_key_secret.reveal())


def _lease(settings: Settings) -> Lease:
    session_s = settings.kafka.session_timeout_seconds
    # A third of the session timeout is the longest that librdkafka lets pass between two heartbeats.
    return Lease(session_s / 2, doubt_s=session_s / 3)


def failure_limits(settings: Settings) -> FailureLimits:
    """Return how many failures are too many."""
    limits = settings.deadletters
    return FailureLimits(
        limits.limit_share,
        settings.mapping.unmatched_limit_share,
        limits.limit_window_records,
        limits.limit_action,
    )


def _translator(settings: Settings, rules: RuleSet, clock: SystemClock) -> Translator:
    return Translator(
        rules,
        clock.now,
        decode=open_decoder(settings),
        namespace=settings.mapping.namespace,
        identify_timestamp=settings.customerio.identify_timestamp,
        order_by=settings.delivery.ordering.key,
        always_single=settings.customerio.api == "v1",
    )


def _lane_limits(settings: Settings, max_items: int = 1_000) -> dict[str, Any]:
    delivery = settings.delivery
    return {
        "max_bytes": delivery.batch_max_bytes,
        "max_items": min(delivery.batch_max_items, max_items),
        "linger_s": delivery.linger_milliseconds / 1000,
        "identify_barrier": delivery.identify_barrier,
    }


def engine_options(settings: Settings) -> EngineOptions:
    """Return what bounds the engine."""
    delivery = settings.delivery
    return EngineOptions(
        poll_max_records=delivery.poll_max_records,
        open_limits=OpenLimits(delivery.max_open_bytes, delivery.max_open_records, delivery.max_open_span),
        commit_interval_s=delivery.commit_interval_seconds,
        drain_deadline_s=delivery.drain_deadline_seconds,
        stalled_after_s=settings.kafka.stalled_after_seconds,
    )


def mapping_limits(settings: Settings) -> MappingLimits:
    """Return what the settings say about timestamps of the future."""
    timestamps = settings.timestamps
    return MappingLimits(
        future_tolerance_seconds=timestamps.future_tolerance_seconds,
        clamp_future=timestamps.future == "clamp",
    )


def kafka_options(settings: Settings) -> KafkaOptions:
    """Return what the consumer is told."""
    kafka = settings.kafka
    return KafkaOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        topics=kafka.topics,
        group_id=kafka.group_id,
        start=kafka.start,
        out_of_range=kafka.out_of_range,
        session_timeout_s=kafka.session_timeout_seconds,
        max_poll_interval_s=kafka.max_poll_interval_seconds,
        queue_max_kilobytes=kafka.queue_max_kilobytes,
        fetch_wait_ms=kafka.fetch_wait_milliseconds,
        properties=kafka.client_properties(),
    )
