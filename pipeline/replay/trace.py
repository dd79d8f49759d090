"""What became of the records of one person, or of one record: rules, calls, failures and answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from pipeline.calls import Identity, IdentityKind
from pipeline.deadletters.masking import Mask
from pipeline.deadletters.unresolved import Unresolved
from pipeline.records import Position, Record
from pipeline.replay.choices import named_identity, people_of
from pipeline.replay.sieve import people_in
from pipeline.translation import Prepared, Translation


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One call: what made it, what it says (as it may be shown), and what the receiver made of it, where known."""

    source: str
    payload: Mapping[str, Any]
    event_id: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Traced:
    """One record. `why` says how it concerns whom was asked for; `outcome` says in words what the rules made of it."""

    position: str
    time: str | None
    why: str
    outcome: str
    rules: Sequence[str]
    calls: Sequence[TracedCall]
    failures: Sequence[str]
    dead_letters: Sequence[str]


class Answers:
    """What a receiver says about the calls that it has had: by event id, else by kind and time."""

    def __init__(self, arrivals: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_id: dict[str, str] = {}
        self._by_content: dict[tuple[str, Any], str] = {}
        self.known = False
        for arrival in arrivals:
            self.known = True
            text = str(arrival["outcome"]) + (f" ({arrival['detail']})" if arrival.get("detail") else "")
            if arrival.get("event_id"):
                self._by_id.setdefault(str(arrival["event_id"]), text)
            else:
                self._by_content.setdefault((str(arrival["kind"]), arrival.get("timestamp")), text)

    def about(self, call: Prepared, operation: Mapping[str, Any]) -> str | None:
        """Return what became of a call; None when nothing is known."""
        event_id = operation.get("id")
        if event_id is not None:
            return self._by_id.get(str(event_id))
        return self._by_content.get((str(call.source.kind), operation.get("timestamp")))


class Tracer:
    """Picks out the records that concern a person, or all it is shown when `person` is None.

    A record concerns a person when a call of it does, when its key is the person's name, or when that name stands in
    it as a text: what matched no rule must be found too.
    """

    def __init__(
        self,
        person: str | None,
        *,
        dead_letters: Iterable[Unresolved] = (),
        answers: Answers | None = None,
        mask: Mask,
    ) -> None:
        self._people = frozenset() if person is None else people_of([person])
        self._name = None if person is None else _plain_name(person)
        self._answers = answers or Answers()
        self._mask = mask
        self._dead_letters: dict[Position, list[Unresolved]] = {}
        for letter in dead_letters:
            self._dead_letters.setdefault(letter.position, []).append(letter)

    def trace(self, record: Record, translation: Translation) -> Traced | None:
        """Return what became of a record, None when it does not concern the person."""
        calls = [call for call in translation.calls if self._concerns(call)]
        why = self._why(record, bool(calls))
        if why is None:
            return None
        sources = [call.source for call in calls] + [
            each.source for each in translation.failures if each.source
        ]
        return Traced(
            position=str(record.position),
            time=_time(record),
            why=why,
            outcome=_outcome(translation, len(calls)),
            rules=list(dict.fromkeys(source.rule for source in sources)),
            calls=[self._call(call) for call in calls],
            failures=[
                f"{each.source or 'the record'}: {each.reason}: {each.text}" for each in translation.failures
            ],
            dead_letters=[_letter(each) for each in self._dead_letters.get(record.position, ())],
        )

    def _concerns(self, call: Prepared) -> bool:
        return self._name is None or not self._people.isdisjoint(people_in(call))

    def _why(self, record: Record, has_calls: bool) -> str | None:
        if self._name is None:
            return "it is the record that was asked for"
        if has_calls:
            return "a call is about the person"
        name = self._name.encode()
        if record.key == name:
            return "its key is the person's name"
        if record.value is not None and orjson.dumps(self._name) in record.value:
            return "the name stands in it"
        return None

    def _call(self, call: Prepared) -> TracedCall:
        operation = orjson.loads(call.payload)
        return TracedCall(
            source=str(self._mask.source(call.source)),
            payload=self._mask.payload(call.payload, call.source.kind),
            event_id=operation.get("id"),
            answer=self._answers.about(call, operation),
        )


def person_key(person: str) -> Identity:
    """Return the identity that a name means first: an id, unless it says otherwise."""
    return named_identity(person) or Identity(IdentityKind.ID, person)


def _plain_name(person: str) -> str:
    return person_key(person).value


def _outcome(translation: Translation, calls: int) -> str:
    if translation.failures:
        return f"{len(translation.failures)} failed, {calls} calls"
    if calls:
        return f"{calls} calls"
    if translation.calls:
        return "calls about others only"
    return "dropped by a rule" if translation.matched else "no rule matches"


def _letter(letter: Unresolved) -> str:
    status = "" if letter.status is None else f", status {letter.status}"
    field = "" if letter.field is None else f", because of {letter.field}"
    replay = "" if letter.replay is None else f", in the replay {letter.replay!r}"
    return f"{letter.reason}: {letter.text}{field}{status}, {letter.attempts} requests{replay}"


def _time(record: Record) -> str | None:
    if record.timestamp_ms is None:
        return None
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
