"""The accounting when calls were refused: each call is counted once at the receiver or is in the dead letters."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import orjson

from pipeline.calls import CallSource
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.json_lines import from_line
from pipeline.decode import decode_json
from pipeline.mapping import load_rules
from pipeline.presets_folder import presets_folder
from pipeline.records import Record
from pipeline.translation import Translation, Translator
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import CallKey, call_key


class CallPlace(NamedTuple):
    """What names a call for good."""

    partition: int
    offset: int
    source: CallSource | None


class PersonCall(NamedTuple):
    """A call as the receiver sees it."""

    person: str
    key: CallKey


def calls_by_place(records: Iterable[Record]) -> dict[CallPlace, PersonCall]:
    """Return every call that the demo's rules make of these records, in the order of each partition."""
    translator = Translator(load_rules([presets_folder() / "demo.yaml"]), lambda: 4e9, decode=decode_json)
    calls = {}
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        translation = translator.translate(record)
        assert isinstance(translation, Translation)
        for call in translation.calls:
            operation = orjson.loads(call.payload)
            place = CallPlace(record.partition, record.offset, call.source)
            calls[place] = PersonCall(operation["identifiers"]["id"], call_key(call.source.kind, operation))
    return calls


def dead_letters_in(path: Path) -> list[DeadLetter]:
    """Return the entries of a file of dead letters."""
    entries = [from_line(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return [entry for entry in entries if isinstance(entry, DeadLetter)]


def refused_calls(path: Path, calls: dict[CallPlace, PersonCall]) -> set[CallPlace]:
    """Return the calls that are in the dead letters because the receiver refused them."""
    places = [
        CallPlace(entry.record.partition, entry.record.offset, entry.source)
        for entry in dead_letters_in(path)
        if entry.status is not None
    ]
    assert len(places) == len(set(places)), "a call is in the dead letters twice"
    assert calls.keys() >= set(places), "a call is in the dead letters that no rule makes"
    return set(places)


def check_accounting(
    sandbox: SandboxProcess, calls: dict[CallPlace, PersonCall], refused: set[CallPlace]
) -> None:
    """Check that each call is counted once or refused, and that each person's first arrivals are in order.

    A call may be both: its first answer was lost, and sent again it was refused.
    """
    without_id = {"identify", "destroy"}
    counted = set(sandbox.event_ids())
    events = {place: call.key[1] for place, call in calls.items() if place.source.kind not in without_id}  # type: ignore[union-attr]
    assert counted <= set(events.values()), "an event was invented"
    lost = {place for place, event_id in events.items() if event_id not in counted} - refused
    assert not lost, "events were lost"
    assert sandbox.counts()["events_counted"] == len(counted), "an event was counted twice"
    set_aside = {calls[place] for place in refused}
    wanted, arrived = (
        _first_arrivals(calls.values(), set_aside),
        _first_arrivals(_arrivals(sandbox), set_aside),
    )
    for person, keys in wanted.items():
        found = arrived.get(person, [])
        assert found == keys, f"{person}: calls are missing or out of order: {_difference(keys, found)}"


def _difference(wanted: list[CallKey], arrived: list[CallKey]) -> str:
    """Say what never arrived, what nobody wanted, and where the order breaks first."""
    places = {key: place for place, key in enumerate(wanted)}
    order = [places[key] for key in arrived if key in places]
    breaks = next((pair for pair in pairwise(order) if pair[0] > pair[1]), None)
    missing = [key for key in wanted if key not in set(arrived)]
    unwanted = [key for key in arrived if key not in places]
    told = (
        ""
        if breaks is None
        else f"; {wanted[breaks[1]]} (call {breaks[1]}) after {wanted[breaks[0]]} ({breaks[0]})"
    )
    return f"missing {missing}, unwanted {unwanted}, {len(wanted)} wanted{told}"


def _first_arrivals(calls: Iterable[PersonCall], set_aside: set[PersonCall]) -> dict[str, list[CallKey]]:
    first: dict[str, dict[CallKey, None]] = {}
    for call in calls:
        if call not in set_aside:
            first.setdefault(call.person, {})[call.key] = None
    return {person: list(keys) for person, keys in first.items()}


def _arrivals(sandbox: SandboxProcess) -> Iterable[PersonCall]:
    for arrival in sandbox.arrivals():
        operation = {
            "id": arrival["event_id"],
            "timestamp": arrival["timestamp"],
            "attributes": arrival["data"] if arrival["kind"] == "identify" else None,
        }
        yield PersonCall(arrival["person"].removeprefix("id:"), call_key(arrival["kind"], operation))
