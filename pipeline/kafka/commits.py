"""Committing offsets: stored, which the client refuses for a partition that is not ours, then sent and awaited.

A broker checks only the member and the generation, not who owns the partition, so offsets are not committed by naming
them, but for one. The client sends only what is above the offset that it remembers as committed, and it goes on
remembering that when a partition is put elsewhere, as when its topic was made again and begins at 0. So the first
commit behind such a start names what the client has passed over, after the client itself has found that the assignment
is not lost.

A refused commit costs redelivery and never a record.
"""

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.partitions import Partitions, PartitionState
from pipeline.kafka.refusals import refusal
from pipeline.ports import CommitResult
from pipeline.records import TopicPartition

_NOTHING_STORED = frozenset({KafkaError._STATE, KafkaError._UNKNOWN_PARTITION})


def commit(consumer: Consumer, offsets: Mapping[TopicPartition, int], partitions: Partitions) -> CommitResult:
    """Commit these next offsets and wait for the answer.

    Raises:
        RemoteRefusedError: the group may not commit at all.
    """
    ours, foreign = _ours(offsets, partitions)
    if not ours:
        return CommitResult({}, foreign)
    try:
        consumer.store_offsets(offsets=_kafka(ours))
        answers = _commit_stored(consumer)
        passed_over = _put_elsewhere(ours, partitions).keys() - _sent(answers)
        if passed_over:
            named = _kafka({partition: ours[partition] for partition in passed_over})
            answers += consumer.commit(offsets=named, asynchronous=False)
    except KafkaException as exception:
        return _refused(exception.args[0])
    result = _read(answers, ours, foreign)
    for state in _put_elsewhere(result.committed, partitions).values():
        state.put_elsewhere = False
    return result


def _ours(
    offsets: Mapping[TopicPartition, int], partitions: Partitions
) -> tuple[dict[TopicPartition, int], str | None]:
    """Return what may be committed, and why the rest may not."""
    ours, foreign = {}, None
    for partition, offset in offsets.items():
        state = partitions.get(partition)
        if state is None:
            foreign = "a partition is not assigned to this member any more"
        elif state.wants_start:
            # In a topic that was made again they would pass over records that nobody has read.
            foreign = "the offsets that were read are not there any more"
        else:
            ours[partition] = offset
    return ours, foreign


def _commit_stored(consumer: Consumer) -> list[KafkaPartition]:
    try:
        return list(consumer.commit(asynchronous=False))
    except KafkaException as exception:
        if exception.args[0].code() != KafkaError._NO_OFFSET:
            raise
        return []  # what was stored is not above what was committed before


def _put_elsewhere(
    names: Iterable[TopicPartition], partitions: Partitions
) -> dict[TopicPartition, PartitionState]:
    """Return those of which nothing has been committed since they were put where nobody had committed."""
    states = ((name, partitions.get(name)) for name in names)
    return {name: state for name, state in states if state is not None and state.put_elsewhere}


def _sent(answers: Iterable[KafkaPartition]) -> set[TopicPartition]:
    return {TopicPartition(answer.topic, answer.partition) for answer in answers if answer.offset >= 0}


def _refused(error: KafkaError) -> CommitResult:
    final = refusal(error)
    if final is not None:
        raise final
    if error.code() in _NOTHING_STORED:
        return CommitResult({}, "the assignment has changed")
    return CommitResult({}, f"Kafka did not take the commit: {error.str()} ({error.name()})")


def _read(
    answers: Iterable[KafkaPartition], ours: Mapping[TopicPartition, int], foreign: str | None
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


def _kafka(offsets: Mapping[TopicPartition, int]) -> list[KafkaPartition]:
    return [KafkaPartition(p.topic, p.partition, offset) for p, offset in offsets.items()]
