"""The ranges that were asked for, and all records of them."""

import time
from collections.abc import Callable, Iterator

from pipeline.cli import assembly
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_request import partitions_of
from pipeline.cli.replay_settings import topic_of
from pipeline.config import Settings
from pipeline.kafka.replay_lookup import TopicLookup
from pipeline.kafka.replay_reader import Ranges, read_ranges
from pipeline.records import Record
from pipeline.replay.bounds import parse_bounds, parse_duration_s
from pipeline.replay.plan import Plan, make_plan


def plan_of(arguments: ReplayArguments, settings: Settings) -> Plan:
    """Ask the brokers for the ranges that were asked for.

    Raises:
        PipelineError: there is nothing to read, or the brokers do not answer.
    """
    with TopicLookup(assembly.kafka_options(settings)) as lookup:
        return planned(arguments, topic_of(arguments, settings), lookup, time.time())


def planned(arguments: ReplayArguments, topic: str, lookup: TopicLookup, now: float) -> Plan:
    """See `plan_of`; what is a time ago is so long before `now`, in Unix seconds."""
    slack = arguments.slack
    return make_plan(
        lookup,
        topic,
        parse_bounds("--from", arguments.begin, now),
        parse_bounds("--until", arguments.until, now),
        partitions_of(arguments.partitions),
        slack_ms=None if slack is None else int(parse_duration_s(slack) * 1000),
    )


def records_of(settings: Settings, ranges: Ranges, stop: Callable[[], bool]) -> Iterator[list[Record]]:
    """Yield all records of the ranges, some at a time, until `stop` says so.

    Raises:
        PipelineError: the brokers cannot be reached for as long as the settings say, or refuse.
    """
    options = assembly.kafka_options(settings)
    return read_ranges(options, ranges, stop=stop, give_up_s=settings.replay.give_up_seconds)
