"""The last records of the topics, decoded and mapped, to see whether rules and keys fit them. Nothing is sent."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from pipeline.cli.checkup_findings import Finding, failed, left_out, passed
from pipeline.decode import SchemaPending, Undecodable
from pipeline.decode.envelopes import Decode
from pipeline.decode.patience import asked_until
from pipeline.mapping import RuleSet
from pipeline.records import Record, TopicPartition

SCHEMA_WAIT_S = 10.0
"""How long the whole sample may wait for schemas."""


def sample_findings(
    records: Sequence[Record], decode: Decode, rules: RuleSet, limit_share: float | None
) -> Iterator[Finding]:
    """Yield the shares that are undecodable, fail and match nothing, and whether people stay in one partition."""
    if not records:
        yield left_out("sample", "the topics are empty")
        return
    ends: Counter[str] = Counter()
    places: defaultdict[tuple[str, str], set[TopicPartition]] = defaultdict(set)
    deadline = time.monotonic() + SCHEMA_WAIT_S
    for record in records:
        event = asked_until(decode, record, deadline)
        if isinstance(event, Undecodable | SchemaPending):
            ends["undecodable" if isinstance(event, Undecodable) else "waiting"] += 1
            continue
        mapped = rules.map(event, record, time.time())
        ends["failed" if mapped.failures else "matched" if mapped.matched else "unmatched"] += 1
        for call in mapped.calls:
            if call.identity is not None:
                places[record.topic, call.identity.lane_key].add(record.topic_partition)
    yield from _shares(ends, len(records), 1.0 if limit_share is None else limit_share)
    yield _spread(places)


def _shares(ends: Counter[str], total: int, limit_share: float) -> Iterator[Finding]:
    def share(end: str) -> str:
        return f"{ends[end]:,} of the last {total:,} records ({100 * ends[end] / total:.0f}%)"

    if ends["undecodable"]:
        yield failed(
            "decoding", f"{share('undecodable')} cannot be decoded", "check decode.format and decode.topics"
        )
    elif ends["waiting"]:
        yield failed("decoding", f"{share('waiting')} wait for their schema", "check decode.registry")
    else:
        yield passed("decoding", f"the last {total:,} records")
    mapped = f"{share('failed')} would go to the dead letters"
    if ends["failed"] > limit_share * total:
        yield failed("mapped", mapped, "try one with `cio-pipeline mapping explain`")
    else:
        yield passed("mapped", mapped)
    unmatched = f"{share('unmatched')} match no rule"
    if ends["unmatched"] == total:
        yield failed("matched", unmatched, "compare the rules' `when` with a record of the topic")
    else:
        yield passed("matched", unmatched)


def _spread(places: defaultdict[tuple[str, str], set[TopicPartition]]) -> Finding:
    if not places:
        return left_out("order", "no record of the sample makes a call about a person")
    spread = sum(len(partitions) > 1 for partitions in places.values())
    if not spread:
        return passed("order", f"each of {len(places):,} people keeps to one partition of a topic")
    return failed(
        "order",
        f"{spread:,} of {len(places):,} people have records in several partitions of a topic: the order of their"
        " calls cannot hold",
        "let the producer use the person's id as the record key",
    )
