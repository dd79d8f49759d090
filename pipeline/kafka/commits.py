"""Committing offsets: stored, which the client refuses for a partition that is not ours, then sent and awaited.

A broker checks only the member and the generation, not who owns the partition, so offsets are never
committed by naming them. A refused commit costs redelivery and never a record.
"""

from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.refusals import refusal
from pipeline.ports import CommitResult
from pipeline.records import TopicPartition

_NOTHING_STORED = frozenset({KafkaError._STATE, KafkaError._UNKNOWN_PARTITION})


def commit(
    consumer: Consumer, offsets: Mapping[TopicPartition, int], assigned: Collection[TopicPartition]
) -> CommitResult:
    """Commit these next offsets and wait for the answer.

    Raises:
        RemoteRefusedError: the group may not commit at all.
    """
    ours = {partition: offset for partition, offset in offsets.items() if partition in assigned}
    foreign = None if len(ours) == len(offsets) else "a partition is not assigned to this member any more"
    if not ours:
        return CommitResult({}, foreign)
    try:
        consumer.store_offsets(offsets=[KafkaPartition(p.topic, p.partition, o) for p, o in ours.items()])
        answers = consumer.commit(asynchronous=False)
    except KafkaException as exception:
        return _refused(exception.args[0], ours, foreign)
    return _read(answers, ours, foreign)


def _refused(error: KafkaError, ours: Mapping[TopicPartition, int], foreign: str | None) -> CommitResult:
    if error.code() == KafkaError._NO_OFFSET:
        # What was stored is not above what was committed before.
        return CommitResult(dict(ours), foreign)
    final = refusal(error)
    if final is not None:
        raise final
    if error.code() in _NOTHING_STORED:
        return CommitResult({}, "the assignment has changed")
    return CommitResult({}, f"Kafka did not take the commit: {error.str()} ({error.name()})")


def _read(
    answers: Collection[KafkaPartition], ours: Mapping[TopicPartition, int], foreign: str | None
) -> CommitResult:
    committed = dict(ours)
    refused = foreign
    for answer in answers:
        if answer.error is not None:
            final = refusal(answer.error)
            if final is not None:
                raise final
            partition = TopicPartition(answer.topic, answer.partition)
            committed.pop(partition, None)
            refused = f"{partition}: {answer.error.str()} ({answer.error.name()})"
    return CommitResult(committed, refused)
