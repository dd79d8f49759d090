"""A replay's progress, kept in Kafka under a name: commits of a group of its own, whose metadata says the rest.

Nobody ever joins the group. Kafka forgets the commits of a group without members after `offsets.retention.minutes`,
seven days by default.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson
from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.errors import ConfigurationError, RemoteRefusedError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_client import failure, open_client
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.ports import CommitResult
from pipeline.records import TopicPartition

BEAT_EVERY_S = 10.0
MAX_METADATA_BYTES = 4_096
"""What a broker takes by default (`offset.metadata.max.bytes`)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Who replays what: the same in the metadata of every partition.

    `run` tells one run of a name from the next, `started_ms` and `heartbeat_ms` are Unix milliseconds, `owner` is the
    process at work and empty when nobody is. `bounds`, `options` and `mapping` are digests of what was asked for.
    `partitions` is how many there are, so that one that Kafka has forgotten is missed.
    """

    run: str
    started_ms: int
    owner: str
    heartbeat_ms: int
    bounds: str
    options: str
    mapping: str
    partitions: int


@dataclass(frozen=True, slots=True)
class KeptReplay:
    """What Kafka knows of a replay; partitions of earlier runs of the name are left out."""

    mark: Mark
    ranges: Mapping[TopicPartition, ReplayRange]
    positions: Mapping[TopicPartition, int]

    @property
    def finished(self) -> bool:
        """Whether every range was done to its end."""
        return not self.forgotten and all(
            self.positions[name] >= each.end for name, each in self.ranges.items()
        )

    @property
    def forgotten(self) -> bool:
        """Whether the broker has forgotten some of it."""
        return len(self.ranges) < self.mark.partitions


def group_of(live_group: str, name: str) -> str:
    """Return the group that keeps the progress of a name: beside the live group, so that one right covers both."""
    return f"{live_group}.replay.{name}"


class ProgressStore:
    """Keeps the progress of one name. One thread owns it."""

    def __init__(self, options: KafkaOptions, now: Callable[[], float]) -> None:
        self._options = options
        self._now = now
        self._client = open_client(options)
        self._mark: Mark | None = None
        self._ranges: Mapping[TopicPartition, ReplayRange] = {}
        self._kept: dict[TopicPartition, int] = {}
        self._beat_at = 0.0

    def load(self, partitions: Collection[TopicPartition]) -> KeptReplay | None:
        """Return what is kept of the newest run under the name, None where there is nothing.

        Raises:
            PipelineError: the brokers do not answer.
        """
        asked = [KafkaPartition(*partition) for partition in partitions]
        try:
            answers = self._client.committed(asked, self._options.lookup_timeout_s)
        except KafkaException as exception:
            raise failure("ask for the progress of the replay", self._options, exception) from None
        return read_commits(answers)

    def begin(
        self,
        mark: Mark,
        ranges: Mapping[TopicPartition, ReplayRange],
        positions: Mapping[TopicPartition, int],
    ) -> None:
        """Take the name: from now on `keep` is ours to call.

        Raises:
            PipelineError: the brokers did not take it.
        """
        self._mark, self._ranges = mark, ranges
        try:
            self._write(positions)
        except KafkaException as exception:
            raise failure("keep the progress of the replay", self._options, exception) from None

    def keep(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Keep these next offsets.

        Raises:
            RemoteRefusedError: somebody else has taken the name over, or the user may not commit to the group.
        """
        self._check_ownership()
        try:
            self._write(offsets)
        except KafkaException as exception:
            error = failure("keep the progress of the replay", self._options, exception)
            if isinstance(error, RemoteRefusedError):
                raise error from None
            return CommitResult({}, str(error))
        return CommitResult(dict(offsets))

    def beat(self) -> None:
        """Renew the heartbeat when it is time. A failure is no harm: the next commit tries again."""
        if self._mark is not None and self._now() >= self._beat_at:
            self._beat_at = self._now() + BEAT_EVERY_S
            self.keep(self._kept)

    def release(self) -> None:
        """Let the name go, so that it can be taken up again at once; it is no error when the brokers are away."""
        mark, self._mark = self._mark, None
        # Without an answer the heartbeat lapses by itself.
        with suppress(KafkaException):
            if mark is not None and self._is_ours(mark):
                self._mark = replace(mark, owner="")
                self._write(self._kept)
        self._mark = None

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def _write(self, offsets: Mapping[TopicPartition, int]) -> None:
        assert self._mark is not None
        self._mark = replace(self._mark, heartbeat_ms=int(self._now() * 1000))
        commits = [
            KafkaPartition(name.topic, name.partition, offset, to_metadata(self._mark, self._ranges[name]))
            for name, offset in offsets.items()
        ]
        for answer in self._client.commit(offsets=commits, asynchronous=False):
            if answer.error is not None:
                raise KafkaException(answer.error)
        self._kept.update(offsets)
        self._beat_at = self._now() + BEAT_EVERY_S

    def _check_ownership(self) -> None:
        if self._mark is None:
            raise RuntimeError("progress is kept before the replay has begun")
        try:
            ours = self._is_ours(self._mark)
        except KafkaException:
            return  # the commit that follows says why
        if not ours:
            raise RemoteRefusedError("another process has taken this replay over; this one ends")

    def _is_ours(self, mark: Mark) -> bool:
        asked = [KafkaPartition(*partition) for partition in self._ranges]
        kept = read_commits(self._client.committed(asked, self._options.lookup_timeout_s))
        return kept is None or (kept.mark.run, kept.mark.owner) == (mark.run, mark.owner)


def to_metadata(mark: Mark, each: ReplayRange) -> str:
    """Return what is written beside a commit.

    Raises:
        ConfigurationError: it is longer than brokers take.
    """
    bounds = [each.start, each.end, each.since_ms, each.before_ms]
    text = orjson.dumps({"v": 1, "mark": mark, "range": bounds}).decode()
    if len(text) > MAX_METADATA_BYTES:
        raise ConfigurationError(
            f"the progress of the replay needs {len(text)} bytes of metadata; brokers take {MAX_METADATA_BYTES}"
        )
    return text


def read_commits(commits: Collection[KafkaPartition]) -> KeptReplay | None:
    """Return the newest run that commits tell of; commits of anything else are passed over."""
    found = [
        (TopicPartition(commit.topic, commit.partition), commit.offset, *read)
        for commit in commits
        if commit.offset >= 0 and (read := _from_metadata(commit.metadata)) is not None
    ]
    if not found:
        return None
    newest = max((mark for _, _, mark, _ in found), key=lambda mark: (mark.started_ms, mark.heartbeat_ms))
    ours = [(name, offset, each) for name, offset, mark, each in found if mark.run == newest.run]
    return KeptReplay(
        newest, {name: each for name, _, each in ours}, {name: offset for name, offset, _ in ours}
    )


def _from_metadata(text: str | None) -> tuple[Mark, ReplayRange] | None:
    try:
        document: Any = orjson.loads(text or "")
        return Mark(**document["mark"]), ReplayRange(*document["range"])
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return None
