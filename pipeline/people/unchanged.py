"""Identifies that change nothing are left out: a bounded memory of what was last confirmed of each person.

Whatever is in doubt is sent, so a memory that is lost, full or out of date costs requests and nothing else.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from pipeline.calls import COUNTED_KINDS, CallKind
from pipeline.decode import SchemaPending
from pipeline.delivery.batch import Confirmed, Operation, Outcome
from pipeline.kafka.assignment import AssignedPartition
from pipeline.ports import Clock, Translator
from pipeline.records import Record, TopicPartition
from pipeline.translation import Prepared, Translation

_DIGEST_BYTES = 16
_NO_TIME = float("-inf")


@dataclass(frozen=True, slots=True)
class UnchangedOptions:
    """What bounds the memory: entries, and seconds.

    `future_tolerance_s` is how far ahead of our clock a call's time may be.
    """

    max_people: int = 100_000
    max_age_s: float = 86_400.0
    future_tolerance_s: float = 300.0


@dataclass(frozen=True, slots=True)
class _Made:
    """The last write to a person, not confirmed yet. `newest` is the latest time that an identify of them had."""

    payload: bytes
    digest: bytes
    time: float | None
    newest: float


@dataclass(frozen=True, slots=True)
class _Confirmed:
    """What Customer.io has, as far as this pipeline knows. `at` is on the clock's monotonic scale."""

    digest: bytes
    newest: float
    at: float
    partition: AssignedPartition


class UnchangedIdentifies:
    """Leaves out identifies that say what the last confirmed one said, in front of a translator.

    An entry is trusted while the partition that gave it stays ours: another member may write to its people. And it is
    made only of the newest identify there can have been, because Customer.io passes over older ones with a 200.
    """

    def __init__(
        self, translator: Translator, options: UnchangedOptions, clock: Clock, left_out: Counter[str]
    ) -> None:
        self._translator = translator
        self._options = options
        self._clock = clock
        self._left_out = left_out
        self._people: OrderedDict[str, _Made | _Confirmed] = OrderedDict()
        self._forgotten = _NO_TIME  # the latest time among the identifies of people who were forgotten
        self._begun: dict[TopicPartition, tuple[AssignedPartition, float]] = {}

    def translate(self, record: Record) -> Translation | SchemaPending:
        """See `Translator.translate`."""
        translation = self._translator.translate(record)
        if isinstance(translation, SchemaPending) or not translation.calls:
            return translation
        kept = tuple([call for call in translation.calls if not self._is_left_out(call)])
        if len(kept) == len(translation.calls):
            return translation
        self._left_out["unchanged"] += len(translation.calls) - len(kept)
        return translation._replace(calls=kept)

    def settled(self, operation: Operation, outcome: Outcome) -> None:
        """Take note of what became of a call."""
        if operation.source.kind is not CallKind.IDENTIFY or operation.identity is None:
            return
        key = operation.identity.lane_key
        made = self._people.get(key)
        if type(made) is not _Made or made.payload is not operation.payload:
            return  # something was written behind it
        partition = operation.record.partition
        if type(outcome) is Confirmed and partition.alive and self._is_newest(made, partition):
            self._people[key] = _Confirmed(made.digest, made.newest, self._clock.monotonic(), partition)
        else:
            self._forget(key)

    def __len__(self) -> int:
        return len(self._people)

    def _is_left_out(self, call: Prepared) -> bool:
        if call.source.kind is CallKind.IDENTIFY and call.identity is not None:
            return self._is_unchanged(call, call.identity.lane_key)
        if call.source.kind not in COUNTED_KINDS:
            self._invalidate(call)
        return False

    def _is_unchanged(self, call: Prepared, key: str) -> bool:
        digest, time = _content(call.payload)
        known = self._people.get(key)
        newest = max(known.newest if known else _NO_TIME, _NO_TIME if time is None else time)
        if type(known) is _Confirmed and known.digest == digest and self._is_trusted(known):
            self._people[key] = _Confirmed(digest, newest, known.at, known.partition)
            self._people.move_to_end(key)
            return True
        self._people[key] = _Made(call.payload, digest, time, newest)
        self._people.move_to_end(key)
        while len(self._people) > self._options.max_people:
            self._forget(next(iter(self._people)))
        return False

    def _is_trusted(self, known: _Confirmed) -> bool:
        return known.partition.alive and self._clock.monotonic() - known.at < self._options.max_age_s

    def _is_newest(self, made: _Made, partition: AssignedPartition) -> bool:
        """Tell whether no identify that we, or who had the partition before, sent of this person can be newer."""
        if made.time is None:
            return True  # without times Customer.io takes them as they come
        return made.time >= max(made.newest, self._forgotten, self._latest_before(partition))

    def _latest_before(self, partition: AssignedPartition) -> float:
        """Return the latest time that a call of the partition can have had when it became ours, or soon after."""
        name = partition.topic_partition
        begun = self._begun.get(name)
        if begun is None or begun[0] is not partition:
            latest = self._clock.now() + self._options.future_tolerance_s
            begun = self._begun[name] = (partition, latest)
        return begun[1]

    def _invalidate(self, call: Prepared) -> None:
        if call.identity is None:
            for key in list(self._people):
                self._forget(key)
            return
        self._forget(call.identity.lane_key)
        if call.secondary is not None:
            self._forget(call.secondary.lane_key)

    def _forget(self, key: str) -> None:
        known = self._people.pop(key, None)
        if known is not None:
            self._forgotten = max(self._forgotten, known.newest)


def _content(payload: bytes) -> tuple[bytes, float | None]:
    """Return a digest of what an identify says apart from its time, and its time."""
    operation = orjson.loads(payload)
    time = operation.pop("timestamp", None)
    canonical = orjson.dumps(operation, option=orjson.OPT_SORT_KEYS)
    return blake2b(canonical, digest_size=_DIGEST_BYTES).digest(), time
