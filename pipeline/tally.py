"""What has been counted since the start: one place for metrics, status page and summaries.

The engine's thread writes, others read. A reader takes a copy of a counter, which is atomic in CPython.
"""

from collections import Counter
from dataclasses import dataclass, field

from pipeline.calls import CallKind, Reason
from pipeline.measures import DeliveryMeasures
from pipeline.records import TopicPartition

LEFT_OUT_CAUSES = ("unchanged", "not_identified")
"""Why a call is left out before it is made: an identify that changes nothing, or a person whom nobody identified."""


@dataclass(slots=True)
class Tally:
    """Counters of one process; they only rise."""

    records: Counter[TopicPartition] = field(default_factory=Counter)
    """Records read."""
    passed_over: Counter[TopicPartition] = field(default_factory=Counter)
    """Records that the topic deleted before they were read, or that `kafka.out_of_range` leaves behind."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Records without a call, by why: `unmatched` or `dropped` (a rule said so)."""
    unmatched: Counter[str] = field(default_factory=Counter)
    """Records that no rule matched, by the text that tells events apart; see `unmatched.UnmatchedTypes`."""
    calls: Counter[CallKind] = field(default_factory=Counter)
    """Calls made."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Calls left out before they were made, by cause: see `LEFT_OUT_CAUSES`."""
    profiles_made: int = 0
    """Profiles made by calls that were confirmed, as far as it is looked after; see `people`."""
    delivered: Counter[CallKind] = field(default_factory=Counter)
    """Calls confirmed by Customer.io."""
    dead_letters: Counter[Reason] = field(default_factory=Counter)
    """Entries made for the dead letters."""
    requests: Counter[str] = field(default_factory=Counter)
    """Requests by verdict."""
    retries: Counter[str] = field(default_factory=Counter)
    """Requests that passed without success and are made again, by cause: see `verdicts.RETRY_CAUSES`."""
    request_bytes: int = 0
    """Bytes of request bodies sent."""
    request_seconds: float = 0.0
    """Seconds spent waiting for answers."""
    settled: Counter[TopicPartition] = field(default_factory=Counter)
    """Records settled: skipped, delivered or safely dead-lettered."""
    rebalances: Counter[str] = field(default_factory=Counter)
    """Times that partitions came or went, by kind: `assigned`, `revoked` or `lost`."""
    commits: Counter[str] = field(default_factory=Counter)
    """Commits by result: `committed` or `refused`."""
    reloads: Counter[str] = field(default_factory=Counter)
    """Reloads of the mapping by result: `loaded` or `refused`."""
    clamped_timestamps: int = 0
    """Timestamps of the future that were set to now."""
    measures: DeliveryMeasures = field(default_factory=DeliveryMeasures)
    """Delays, durations and fill."""
