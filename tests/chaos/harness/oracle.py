"""The oracle: from what was written, what arrived and what was committed it tells what went wrong.

Proved by tests/chaos/test_oracle.py: it fails on each of a set of planted bugs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Any, NamedTuple, Protocol

import orjson

from pipeline.calls import Reason
from pipeline.decode import decode_json
from pipeline.mapping import load_rules
from pipeline.presets_folder import presets_folder
from pipeline.records import Record
from pipeline.sandbox.workspace import Workspace
from pipeline.translation import Translation, Translator
from tests.chaos.accounting import PersonCall, calls_by_place
from tests.servers.shop_topic import call_key, expectations

Place = tuple[int, int]
"""Partition and offset."""


class Receiver(Protocol):
    """A sandbox that tells what it has seen."""

    def counts(self) -> dict[str, Any]:
        """How many calls arrived and what became of them."""
        ...

    def event_ids(self) -> dict[str, int]:
        """Every event id with how often it arrived."""
        ...

    def people(self) -> list[dict[str, Any]]:
        """Everybody."""
        ...

    def arrivals(self, first: int = 0) -> Iterator[dict[str, Any]]:
        """Every arrival in order, duplicates too."""
        ...


class Look(NamedTuple):
    """A moment in the middle: the group's next offset by partition, and how many calls had arrived just after."""

    committed: Mapping[int, int]
    arrivals: int


@dataclass(frozen=True, slots=True)
class Report:
    """What happened. Only `sent_again`, `late_requests` and `differing_destroyed` may be other than nothing.

    `late_requests`: an older call arrived among newer ones, as when two workers send for one person. A request that was
    on the wire when its sender was killed or frozen can do that, for everybody in it; a worker that sends without right
    does it again and again.
    """

    records: int
    calls: int
    lost: tuple[str, ...]
    invented: tuple[str, ...]
    counted_twice: int
    out_of_order: tuple[str, ...]
    late_requests: tuple[str, ...]
    committed_early: tuple[str, ...]
    differing: tuple[str, ...]
    differing_destroyed: tuple[str, ...]
    sent_again: int
    lag: int

    def problems(self, late_allowed: int = 0) -> list[str]:
        """Return what breaks a promise; nothing when the accounting closes."""
        found = {
            "lost": self.lost,
            "invented": self.invented,
            "out of order": self.out_of_order,
            "committed before it arrived": self.committed_early,
            "people that differ": self.differing,
            "requests that came late": self.late_requests[late_allowed:],
        }
        problems = [f"{what}: {len(those)}, such as {those[:3]}" for what, those in found.items() if those]
        problems += [f"counted twice: {self.counted_twice}"] * bool(self.counted_twice)
        return problems + [f"lag: {self.lag}"] * bool(self.lag)

    def figures(self) -> dict[str, int]:
        """Return every count."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: len(value) if isinstance(value, tuple) else value for name, value in values.items()}


def judge(
    records: Sequence[Record],
    receiver: Receiver,
    dead_letters: Iterable[tuple[Place, Reason]],
    committed: Mapping[int, int],
    looks: Sequence[Look] = (),
) -> Report:
    """Compare what happened with what a naive reader of the records expects. The records have no gaps."""
    expected = expectations(records)
    wanted = {person: list(dict.fromkeys(keys)) for person, keys in expected.calls_of.items()}
    arrivals, requests = [], []
    for arrival in receiver.arrivals():
        arrivals.append(_call(arrival))
        requests.append(arrival["request"])
    first = {call: number for number, call in reversed(list(enumerate(arrivals)))}
    counted, dead = set(receiver.event_ids()), set(dead_letters)
    wanted_dead = set(expected.dead_letters.items())
    every = {PersonCall(person, key) for person, keys in wanted.items() for key in keys}
    differing = _differing_people(records, receiver)
    repeated = {person for person, keys in expected.calls_of.items() if len(set(keys)) < len(keys)}
    return Report(
        records=len(records),
        calls=expected.calls,
        lost=_texts(every - first.keys(), expected.event_ids - counted, wanted_dead - dead),
        invented=_texts(first.keys() - every, counted - expected.event_ids, dead - wanted_dead),
        counted_twice=receiver.counts()["events_counted"] - len(counted),
        out_of_order=_texts(
            person for person, keys in wanted.items() if _is_out_of_order(person, keys, first)
        ),
        late_requests=_texts(
            {
                requests[number]
                for number in _late(wanted, arrivals)
                if arrivals[number].person not in repeated
            }
        ),
        committed_early=tuple(_committed_early(records, first, looks)),
        differing=_texts(differing - expected.destroyed),
        differing_destroyed=_texts(differing & expected.destroyed),
        sent_again=len(arrivals) - expected.calls,
        lag=sum(end - committed.get(partition, 0) for partition, end in _ends(records).items()),
    )


def _call(arrival: Mapping[str, Any]) -> PersonCall:
    operation = {
        "id": arrival["event_id"],
        "timestamp": arrival["timestamp"],
        "attributes": arrival["data"] if arrival["kind"] == "identify" else None,
    }
    return PersonCall(arrival["person"].removeprefix("id:"), call_key(arrival["kind"], operation))


def _texts(*found: Iterable[object]) -> tuple[str, ...]:
    return tuple(sorted(str(each) for some in found for each in some))


def _is_out_of_order(person: str, keys: Sequence[tuple[str, str]], first: Mapping[PersonCall, int]) -> bool:
    numbers = [first[call] for key in keys if (call := PersonCall(person, key)) in first]
    return numbers != sorted(numbers)


def _late(wanted: Mapping[str, Sequence[tuple[str, str]]], arrivals: Sequence[PersonCall]) -> Iterator[int]:
    """Yield the numbers of the arrivals with which another sender seems to have come between.

    One sender may begin again further back, but then it goes on call by call, to the end. Where that breaks, it is the
    one that went back and did not go on that came between, else the one that is ahead.
    """
    place_of = {PersonCall(person, key): n for person, keys in wanted.items() for n, key in enumerate(keys)}
    last: dict[str, tuple[int, int, bool]] = {}  # place, number, whether it went back
    for number, call in enumerate(arrivals):
        place = place_of.get(call, 0)
        before, its_number, went_back = last.get(call.person, (-1, number, False))
        if place > before + 1:
            yield its_number if went_back else number
        last[call.person] = (place, number, place <= before)
    for person, (place, number, _) in last.items():
        if place != len(wanted.get(person, ())) - 1:
            yield number


def _committed_early(
    records: Iterable[Record], first: Mapping[PersonCall, int], looks: Iterable[Look]
) -> Iterator[str]:
    """Yield the commits that were ahead of what had arrived."""
    arrived_at: dict[Place, float] = {}
    for place, call in calls_by_place(records).items():
        where = (place.partition, place.offset)
        arrived_at[where] = max(arrived_at.get(where, -1), first.get(call, inf))
    complete_at = {
        partition: list(accumulate((arrived_at.get((partition, offset), -1) for offset in range(end)), max))
        for partition, end in _ends(records).items()
    }
    for look in looks:
        for partition, offset in look.committed.items():
            if offset and complete_at[partition][offset - 1] >= look.arrivals:
                yield f"partition {partition}: {offset} was committed before everything below had arrived"


def _differing_people(records: Iterable[Record], receiver: Receiver) -> set[str]:
    """Return the people who are not as an uninterrupted run leaves them."""
    wanted = _attributes(person.document() for person in _uninterrupted(records).people)
    found = _attributes(receiver.people())
    return {person for person in wanted.keys() | found.keys() if wanted.get(person) != found.get(person)}


def _uninterrupted(records: Iterable[Record]) -> Workspace:
    translator = Translator(load_rules([presets_folder() / "demo.yaml"]), lambda: 4e9, decode=decode_json)
    workspace = Workspace()
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        translation = translator.translate(record)
        assert isinstance(translation, Translation)
        for call in translation.calls:
            assert workspace.take(orjson.loads(call.payload), 0.0) is None
    return workspace


def _attributes(people: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {person["id"]: person["attributes"] for person in people}


def _ends(records: Iterable[Record]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for record in records:
        ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
    return ends
