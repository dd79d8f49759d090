"""Kafka: whether it can be reached, knows us, has the topics, and lets us do what a pipeline does."""

import re
from collections.abc import Iterator, Mapping

from pipeline.cli.checkup_files import writable
from pipeline.cli.checkup_findings import Finding, failed, left_out, passed
from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.kafka.inspection import Inspection, Unreachable
from pipeline.kafka.progress import group_progress

_NOT_TOLD = "this broker does not tell rights"


def broker_findings(
    inspection: Inspection, settings: Settings, known: Mapping[str, int] | Unreachable
) -> Iterator[Finding]:
    """Yield whether the brokers answer and take the credentials."""
    servers = settings.kafka.bootstrap_servers
    match known:
        case Unreachable(text, refused=True):
            yield passed("broker", f"{servers} answers")
            yield failed("authentication", text, "check sasl.username, its password and sasl.mechanism")
        case Unreachable(text):
            advice = "check kafka.bootstrap_servers, that the brokers run, and security.protocol"
            yield failed("broker", f"no broker answers at {servers}: {text}", advice)
        case _:
            yield passed("broker", f"{servers} answers")
            how = "the credentials are taken" if inspection.authenticates else "none is asked for"
            yield passed("authentication", how)


def topics_read(settings: Settings, known: Mapping[str, int]) -> dict[str, int]:
    """Return the topics that the configuration reads, with their numbers of partitions."""
    return {topic: count for topic, count in known.items() if settings.kafka.reads(topic)}


def topic_findings(settings: Settings, known: Mapping[str, int]) -> Iterator[Finding]:
    """Yield whether there is a topic for each name or pattern."""
    for wanted in settings.kafka.topics:
        if wanted.startswith("^"):
            matching = [topic for topic in known if re.search(wanted, topic)]
            yield (
                passed("topic", f"{wanted} matches {len(matching)}: {', '.join(sorted(matching)[:5])}")
                if matching
                else failed(
                    "topic", f"{wanted} matches none", "check kafka.topics, and the right to DESCRIBE"
                )
            )
        elif wanted in known:
            yield passed("topic", f"{wanted} has {known[wanted]} partitions")
        else:
            advice = "create it, correct kafka.topics, or grant DESCRIBE on it"
            yield failed("topic", f"{wanted} does not exist, or the user may not see it", advice)


def right_findings(
    inspection: Inspection, settings: Settings, topics: Mapping[str, int]
) -> Iterator[Finding]:
    """Yield whether the user may commit for the group, read the topics and write dead letters."""
    may_commit = inspection.may_commit()
    yield _commit(inspection, settings, topics, may_commit)
    if may_commit is not None:
        for topic in topics:
            yield (
                failed("right to read", f"the user may not read {topic}", "grant READ on the topic")
                if inspection.may_on_topic(topic, "read") is False
                else passed("right to read", topic)
            )
    yield writable("dead letters", settings.deadletters.file)
    if settings.deadletters.topic is not None:
        # A broker that does not tell rights on groups tells none on topics, and lets us wait for that.
        yield _dead_letter_topic(inspection, settings.deadletters.topic, told=may_commit is not None)


def group_finding(settings: Settings) -> Finding:
    """Return how far the group is in all its topics, also in those of a regular expression."""
    kafka = settings.kafka
    try:
        partitions = [
            each
            for topic in kafka.topics
            for each in group_progress(
                kafka.bootstrap_servers, kafka.group_id, topic, kafka.client_properties()
            )
        ]
    except PipelineError as error:
        return left_out("group", str(error))
    begun = sum(each.committed is not None for each in partitions)
    waiting = sum(each.lag for each in partitions if each.committed is not None)
    new = len(partitions) - begun
    begins = f"; {new} not begun yet, and to begin at {kafka.start}" if new else ""
    text = (
        f"{kafka.group_id} has begun {begun} of {len(partitions)} partitions, where {waiting:,} records wait"
    )
    return passed("group", f"{text}{begins}")


def _commit(
    inspection: Inspection, settings: Settings, topics: Mapping[str, int], allowed: bool | None
) -> Finding:
    group = settings.kafka.group_id
    refused = next((text for topic in topics if (text := inspection.committed(topic))), None)
    if refused is not None or allowed is False:
        text = refused or f"the user may not commit offsets of the group {group}"
        return failed("right to commit", text, f"grant READ on the group {group}")
    if allowed:
        return passed("right to commit", f"group {group}")
    return left_out("right to commit", f"the offsets of {group} can be read; {_NOT_TOLD}")


def _dead_letter_topic(inspection: Inspection, topic: str, *, told: bool) -> Finding:
    known = inspection.topics()
    if isinstance(known, Unreachable) or topic not in known:
        return failed(
            "dead letters", f"the topic {topic} does not exist, or the user may not see it", "create it"
        )
    if not told:
        return left_out("dead letters", f"the topic {topic} exists; {_NOT_TOLD}")
    if inspection.may_on_topic(topic, "write") is False:
        return failed("dead letters", f"the user may not write {topic}", "grant WRITE on the topic")
    return passed("dead letters", f"the topic {topic} may be written")
