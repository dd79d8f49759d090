"""What no single setting can know: settings that are missing, contradict each other or have no effect."""

from collections.abc import Iterator
from typing import Any

from pipeline.config.environment import variable
from pipeline.config.fields import is_loopback
from pipeline.config.settings import Settings
from pipeline.documents import KeyPath

Finding = tuple[KeyPath, str]

_SECRETS = {"site_id": "site id", "api_key": "API key"}


def missing(data: dict[str, Any]) -> Iterator[Finding]:
    """Yield what has no default and was not given."""
    for section, model in ((name, field.annotation) for name, field in Settings.model_fields.items()):
        given = data.get(section)
        if not isinstance(given, dict) or model is None:
            continue
        for name, field in model.model_fields.items():
            if field.is_required() and given.get(name) is None:
                path = (section, name)
                yield path, f"'{section}.{name}' is missing; set it here or as {variable(path)}"
    yield from _missing_secrets(data.get("customerio"))


def _missing_secrets(given: Any) -> Iterator[Finding]:
    if not isinstance(given, dict):
        return
    for name, words in _SECRETS.items():
        ways = [way for way in (name, f"{name}_file") if given.get(way) is not None]
        path = ("customerio", name)
        if not ways:
            yield (
                path,
                (
                    f"the {words} is missing; set {variable(path)}, or name a file that holds it in"
                    f" 'customerio.{name}_file' or {variable(path)}_FILE"
                ),
            )
        if len(ways) == 2:
            yield path, f"'customerio.{name}' and 'customerio.{name}_file' are both set; keep one"


def contradictions(settings: Settings) -> Iterator[Finding]:
    """Yield settings that are right by themselves and wrong together."""
    kafka, delivery = settings.kafka, settings.delivery
    for name, reason in kafka.refused():
        section = "properties" if name in kafka.properties else "property_files"
        yield ("kafka", section, name), f"'{name}' may not be set: {reason}"
    for name in sorted(kafka.properties.keys() & kafka.property_files.keys()):
        yield ("kafka", "property_files", name), f"'{name}' is also in kafka.properties; keep one"
    if delivery.retry.initial_backoff_seconds > delivery.retry.max_backoff_seconds:
        yield (
            ("delivery", "retry", "initial_backoff_seconds"),
            f"'initial_backoff_seconds' may not exceed 'max_backoff_seconds' ({delivery.retry.max_backoff_seconds:g})",
        )
    yield from _dead_letter_topic(settings)
    yield from settings.decode.contradictions()
    yield from _drain_deadline(settings)
    yield from _receipts(settings)
    yield from _people(settings)
    yield from _admin_token(settings)


def _admin_token(settings: Settings) -> Iterator[Finding]:
    """An address that others can reach asks who is there."""
    admin = settings.admin
    path: KeyPath = ("admin", "token")
    if admin.token is not None and admin.token_file is not None:
        yield path, "'admin.token' and 'admin.token_file' are both set; keep one"
    if admin.listen is not None and not is_loopback(admin.listen) and admin.token_secret is None:
        yield (
            ("admin", "listen"),
            (
                f"'admin.listen' is {admin.listen}, which others can reach, so the page needs a token: set"
                f" {variable(path)}, or name a file that holds it in 'admin.token_file' or {variable(path)}_FILE"
            ),
        )


def _dead_letter_topic(settings: Settings) -> Iterator[Finding]:
    """Dead letters that are read would make dead letters, without end."""
    topic = settings.deadletters.topic
    if topic is not None and settings.kafka.reads(topic):
        yield (
            ("deadletters", "topic"),
            f"'topic' is {topic}, which 'kafka.topics' reads; name a topic that no name and no pattern there matches",
        )


def _receipts(settings: Settings) -> Iterator[Finding]:
    """Hashed names need a key, or a list of names undoes them."""
    receipts = settings.receipts
    path: KeyPath = ("receipts", "hash_key")
    if receipts.hash_key is not None and receipts.hash_key_file is not None:
        yield path, "'receipts.hash_key' and 'receipts.hash_key_file' are both set; keep one"
    if receipts.person == "hashed" and not receipts.has_hash_key:
        yield (
            ("receipts", "person"),
            (
                f"'person' is hashed, which needs a key: set {variable(path)}, or name a file that holds it in"
                f" 'receipts.hash_key_file' or {variable(path)}_FILE"
            ),
        )


def _people(settings: Settings) -> Iterator[Finding]:
    """What is held is open, and must leave room for what is not; and a partition that waits for it is not stalled."""
    people = settings.people
    holds = people.unidentified == "hold_until_identified" or "hold_seconds" in people.model_fields_set
    if holds and people.hold_seconds >= settings.kafka.stalled_after_seconds:
        yield (
            ("people", "hold_seconds"),
            (
                "'hold_seconds' must be less than 'kafka.stalled_after_seconds'"
                f" ({settings.kafka.stalled_after_seconds:g})"
            ),
        )
    most = settings.delivery.max_open_records // 2
    if people.unidentified == "hold_until_identified" and people.hold_max_calls > most:
        yield (
            ("people", "hold_max_calls"),
            f"'hold_max_calls' may be at most half of 'delivery.max_open_records' ({most:,})",
        )


def _drain_deadline(settings: Settings) -> Iterator[Finding]:
    """A drain that outlasts the group's patience loses the partitions it wants to commit."""
    path = ("delivery", "drain_deadline_seconds")
    deadline, kafka = settings.delivery.drain_deadline_seconds, settings.kafka
    if deadline > kafka.max_poll_interval_seconds / 4:
        yield (
            path,
            (
                "'drain_deadline_seconds' may be at most a quarter of 'kafka.max_poll_interval_seconds'"
                f" ({kafka.max_poll_interval_seconds:g})"
            ),
        )
    if deadline >= kafka.session_timeout_seconds:
        yield (
            path,
            (
                "'drain_deadline_seconds' must be less than 'kafka.session_timeout_seconds'"
                f" ({kafka.session_timeout_seconds:g})"
            ),
        )


def ineffective(settings: Settings, data: dict[str, Any]) -> Iterator[Finding]:
    """Yield settings that were given and change nothing."""
    if settings.customerio.base_url is not None and "region" in data["customerio"]:
        yield ("customerio", "region"), "'region' has no effect because 'base_url' is set"
    for name in ("unchanged_max_people", "unchanged_max_age_seconds"):
        if name in data["people"] and not settings.people.skip_unchanged:
            yield ("people", name), f"'{name}' has no effect because 'skip_unchanged' is false"
    if settings.receipts.file is None and data["receipts"]:
        yield ("receipts",), "'receipts' has no effect because 'receipts.file' is not set"
    if (
        settings.kafka.properties.get("group.protocol") == "consumer"
        and "session_timeout_seconds" in data["kafka"]
    ):
        yield (
            ("kafka", "session_timeout_seconds"),
            "'session_timeout_seconds' has no effect because with 'group.protocol: consumer' the brokers set it",
        )
