"""Whether a replay begins, goes on or is done: what is kept under its name against what is asked now."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.kafka.replay_progress import KeptReplay, Mark
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import TopicPartition

STALE_AFTER_S = 60.0
"""Without a heartbeat for so long an owner counts as gone; heartbeats come every ten seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a name. `bounds` is None when the bounds were left out, which means those of before."""

    name: str
    bounds: str | None
    options: str
    mapping: str
    restart: bool = False
    take_over: bool = False
    accept_mapping: bool = False


@dataclass(frozen=True, slots=True)
class Begin:
    """Nothing is kept, or it is to be forgotten."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Some of it is done."""

    ranges: Mapping[TopicPartition, ReplayRange]
    positions: Mapping[TopicPartition, int]
    bounds: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All of it is done. `at_ms` is when, in Unix milliseconds."""

    at_ms: int


def decide(
    request: Request, kept: KeptReplay | None, now: float, is_gone: Callable[[str], bool]
) -> Begin | GoOn | Finished:
    """Tell what to do. `now` is Unix time; `is_gone` tells of an owner whether its process is known to have ended.

    Raises:
        ConfigurationError: the name is in use, or what is kept under it is not what is asked for.
    """
    name = request.name
    if kept is None:
        if request.bounds is None:
            raise ConfigurationError(
                f"--from is missing, and nothing is kept under the name {name!r}: no replay of that name has begun,"
                " or the brokers have forgotten it (offsets.retention.minutes, seven days by default)"
            )
        return Begin()
    mark = kept.mark
    age_s = now - mark.heartbeat_ms / 1000
    if mark.owner and age_s < STALE_AFTER_S and not request.take_over and not is_gone(mark.owner):
        raise ConfigurationError(
            f"the replay {name!r} is running: {mark.owner} showed a sign of life {max(0.0, age_s):.0f} s ago;"
            " wait, choose another --name, or end that process and use --take-over"
        )
    if request.restart:
        if request.bounds is None:
            raise ConfigurationError("--restart needs --from: where to begin again")
        return Begin()
    if kept.forgotten:
        raise ConfigurationError(
            f"the brokers have forgotten some of the progress of {name!r} (offsets.retention.minutes):"
            f" {len(kept.ranges)} of {mark.partitions} partitions are left; use --restart"
        )
    _check_same(request, mark)
    if kept.finished:
        return Finished(mark.heartbeat_ms)
    _check_mapping(request, mark)
    return GoOn(kept.ranges, kept.positions, mark.bounds)


def _check_same(request: Request, mark: Mark) -> None:
    """Refuse other bounds or choices also when all is done: `finished` would pass for an answer to what is asked."""
    if request.bounds not in (None, mark.bounds):
        raise ConfigurationError(
            f"the replay {request.name!r} was begun with other bounds; leave --topic, --from, --until and"
            " --partitions out for those, or use --restart or another --name"
        )
    if request.options != mark.options:
        raise ConfigurationError(
            f"the replay {request.name!r} was begun with other choices (--rules, --people, --allow-..., --identify,"
            " --as-...); use the same, or --restart or another --name"
        )


def _check_mapping(request: Request, mark: Mark) -> None:
    if request.mapping != mark.mapping and not request.accept_mapping:
        raise ConfigurationError(
            f"the mapping has changed since the replay {request.name!r} began; --accept-mapping goes on with the new"
            " one from where it stands, --restart begins again"
        )


def this_process() -> str:
    """Return a name of this process that no other process has at the same time."""
    return f"{socket.gethostname()}/{_process_space()}/{os.getpid()}"


def has_ended(owner: str) -> bool:
    """Tell whether an owner was a process of this machine that is no more; of other machines nobody can tell."""
    place, _, number = owner.rpartition("/")
    if place != this_process().rpartition("/")[0] or not number.isdigit():
        return False
    if int(number) == os.getpid():
        return True  # we have only just started
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _process_space() -> str:
    """Return what tells containers with the same host name apart, where the system can say."""
    try:
        return Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return "-"
