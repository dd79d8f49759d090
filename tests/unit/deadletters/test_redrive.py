"""A retry: exactly the calls that failed, in order, resolved when they are confirmed and not before."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from pipeline.calls import CallKind, CallSource, Reason
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.ledger import FileSink, Ledger
from pipeline.deadletters.plan import plan
from pipeline.deadletters.redrive import MAX_RECORDS_TAKEN_IN, Progress, Redrive
from pipeline.deadletters.unresolved import take_inventory
from pipeline.decode import decode_json
from pipeline.delivery.batch import CONFIRMED, Batch, Failed, Outcome
from pipeline.delivery.flight import Flight
from pipeline.delivery.lanes import Lanes
from pipeline.errors import RemoteRefusedError
from pipeline.mapping import load_rules
from pipeline.records import Record
from pipeline.translation import Translation, Translator
from tests.fakes.clock import FakeClock
from tests.fakes.sender import FakeSender, confirm_all, never
from tests.unit.deadletters.letters_made import ORDER, inventory, letter, lines, record, write

ORDERED = {"name": "order", "track": {"name": "ordered", "attributes": {"total": "${total}"}}}
PROFILE = {"name": "profile", "identify": {"attributes": {"plan": "${plan}"}}}
ITEMS = {
    "name": "items",
    "for_each": "items",
    "key": "${item().sku}",
    "track": {"name": "bought", "attributes": {"sku": "${item().sku}", "total": "${item().qty}"}},
}
GONE = {"name": "gone", "destroy": {}}


class Desk:
    """Dead letters in a file, a current mapping, and a sender to send them with."""

    def __init__(self, folder: Path, *rules: dict[str, Any], max_items: int = 10) -> None:
        self.path = folder / "dead.jsonl"
        self.path.touch()
        self.clock = FakeClock(1_773_480_500.0)
        self.sender = FakeSender(self.clock)
        self.translated = 0
        self._folder = folder
        self._max_items = max_items
        self.map(*rules)

    def map(self, *rules: dict[str, Any]) -> None:
        mapping = self._folder / "mapping.yaml"
        mapping.write_text(
            yaml.safe_dump({"version": 1, "defaults": {"id": "${user}"}, "rules": list(rules)})
        )
        self._translator = Translator(load_rules([mapping]), self.clock.now, decode=decode_json)

    def translate(self, original: Record) -> Translation:
        self.translated += 1
        found = self._translator.translate(original)
        assert isinstance(found, Translation)
        return found

    def retry(
        self,
        *,
        stop: Callable[[], bool] = lambda: False,
        look: Callable[[Progress], None] = lambda _progress: None,
        allow_irreversible: bool = False,
        erased: Sequence[str] = (),
        max_open_calls: int = 1_000,
    ) -> Progress:
        with closing(Archive([self.path])) as archive, closing(Ledger([FileSink(self.path)])) as ledger:
            letters = take_inventory(archive).unresolved
            records = plan(
                letters,
                archive,
                self.translate,
                allow_irreversible=allow_irreversible,
                is_erased=lambda _, call: call.identity is not None and call.identity.value in erased,
            )
            lanes = Lanes(max_bytes=475_000, max_items=self._max_items, linger_s=1.0)
            redrive = Redrive(
                Flight(lanes, self.sender),
                self.sender,
                ledger,
                self.clock,
                Progress(),
                drain_deadline_s=5.0,
                max_open_calls=max_open_calls,
            )
            redrive.run(records, stop, look)
            return redrive.progress

    @property
    def sent(self) -> list[CallSource]:
        return [operation.source for batch in self.sender.sent for operation in batch.operations]

    @property
    def left(self) -> list[tuple[int, CallSource | None]]:
        return [(each.position.offset, each.source) for each in inventory(self.path).unresolved]

    def add(self, *entries: DeadLetter) -> None:
        write(self.path, *entries)


def refuse(*names: str | None, field: str | None = None) -> Callable[[Batch], Sequence[Outcome]]:
    """Refuse events with these names."""
    failed = Failed(Reason.REJECTED, "refused", field=field, status=207, answer="no", attempts=2)
    return lambda batch: [failed if op.source.name in names else CONFIRMED for op in batch.operations]


def event(offset: int = 41, user: str = "u1", **fields: Any) -> Record:
    return record(offset, value={"user": user, **fields})


def test_only_the_call_that_failed_is_sent_and_it_is_resolved(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PROFILE, ORDERED)
    desk.add(letter(event(total=3)))
    progress = desk.retry()
    assert desk.sent == [ORDER]
    assert desk.left == []
    assert (progress.delivered, progress.calls, progress.left) == (1, 1, 0)
    assert desk.retry().done == 0
    assert desk.sent == [ORDER]


def test_its_event_id_is_that_of_the_live_pipeline(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ORDERED)
    original = event(total=3)
    desk.add(letter(original))
    desk.retry()
    (live,) = desk.translate(original).calls
    assert [op.payload for batch in desk.sender.sent for op in batch.operations] == [live.payload]


def test_a_dead_letter_about_a_record_sends_every_call_of_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PROFILE, ORDERED)
    desk.add(letter(event(total=3), None, reason=Reason.UNDECODABLE))
    assert desk.retry().delivered == 1
    assert [source.kind for source in desk.sent] == [CallKind.IDENTIFY, CallKind.TRACK]
    assert desk.left == []


@pytest.mark.parametrize("field", ["when", "for_each"])
def test_a_rule_that_could_not_be_decided_sends_all_its_calls_and_no_others(
    tmp_path: Path, field: str
) -> None:
    desk = Desk(tmp_path, PROFILE, ITEMS)
    undecided = CallSource("items", CallKind.TRACK)
    desk.add(letter(event(items=[{"sku": "a"}, {"sku": "b"}]), undecided, field=field))
    desk.retry()
    assert [source.element for source in desk.sent] == ["a", "b"]
    assert desk.left == []


def test_one_element_of_a_fan_out_is_sent_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ITEMS)
    desk.add(
        letter(
            event(items=[{"sku": "a"}, {"sku": "b"}]), CallSource("items", CallKind.TRACK, "bought", 0, "b")
        )
    )
    desk.retry()
    assert [source.element for source in desk.sent] == ["b"]


def test_an_event_whose_name_was_refused_is_found_under_its_new_name(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"name": "order", "track": {"name": "${kind}", "attributes": {}}})
    desk.add(letter(event(kind="good"), ORDER._replace(name="bad"), reason=Reason.INVALID_NAME, field="name"))
    assert desk.retry().delivered == 1
    assert [source.name for source in desk.sent] == ["good"]
    assert desk.left == []


def test_what_the_current_mapping_does_not_make_stays(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PROFILE)
    desk.add(letter(event()))
    size = desk.path.stat().st_size
    assert desk.retry().not_made == 1
    assert desk.sent == []
    assert desk.left == [(41, ORDER)]
    assert desk.path.stat().st_size == size


def test_what_fails_in_the_mapping_again_gets_a_new_entry(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path, {**ORDERED, "track": {"name": "ordered", "attributes": {"total": "${upper(total)}"}}}
    )
    desk.add(letter(event(total=3), text="older"))
    assert desk.retry().failed == 1
    (found,) = inventory(desk.path).unresolved
    assert (found.times, found.source, found.field) == (2, ORDER, "attributes.total")
    assert found.text != "older"


@pytest.mark.parametrize("replay", ["lost-hour", None])
def test_what_fails_again_still_says_which_replay_it_comes_from(tmp_path: Path, replay: str | None) -> None:
    total = "${upper(total)}"
    desk = Desk(
        tmp_path,
        {**ORDERED, "track": {"name": "ordered", "attributes": {"total": total}}},
        {"name": "kind", "track": {"name": "${kind}", "attributes": {}}},
    )
    refused = CallSource("kind", CallKind.TRACK, "bad")
    desk.add(letter(event(total=3, kind="bad"), replay=replay))
    desk.add(letter(event(total=3, kind="bad"), refused, replay=replay))
    desk.sender.answer = refuse("bad")
    assert desk.retry().failed == 2
    assert [(each.source, each.times, each.replay) for each in inventory(desk.path).unresolved] == [
        (refused, 2, replay),
        (ORDER, 2, replay),
    ]


def test_what_customer_io_refuses_again_gets_a_new_entry_and_others_go(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"name": "order", "track": {"name": "${kind}", "attributes": {}}})
    for number, kind in enumerate(["good", "bad", "good"]):
        desk.add(letter(event(number, kind=kind), ORDER._replace(name=kind)))
    desk.sender.answer = refuse("bad", field="attributes.total")
    progress = desk.retry()
    assert (progress.delivered, progress.failed) == (2, 1)
    (found,) = inventory(desk.path).unresolved
    assert (found.position.offset, found.status, found.attempts, found.times) == (1, 207, 2, 2)
    assert found.last_seen_ms == int(desk.clock.now() * 1000)


def test_a_record_of_which_one_call_fails_is_replaced_by_that_call(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PROFILE, ORDERED)
    desk.add(letter(event(total=3), None, reason=Reason.UNDECODABLE))
    desk.sender.answer = refuse("ordered")
    assert desk.retry().failed == 1
    assert desk.left == [(41, ORDER)]
    new, resolution = list(lines(desk.path))[1:]
    assert new["call"] == "order/track:ordered"
    assert resolution["settlement"] == "replaced", "the failure is noted before the record is resolved"
    desk.sender.answer = confirm_all
    desk.retry()
    assert [source.kind for source in desk.sent] == [CallKind.IDENTIFY, CallKind.TRACK, CallKind.TRACK]
    assert desk.left == []


def test_an_undecodable_record_that_still_is_stays_one_dead_letter(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ORDERED)
    desk.add(letter(record()._replace(value=b'{"torn'), None, reason=Reason.UNDECODABLE))
    assert desk.retry().failed == 1
    assert desk.retry().failed == 1
    assert desk.left == [(41, None)]


def test_a_call_that_two_dead_letters_mean_is_sent_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PROFILE, ORDERED)
    original = event(total=3)
    desk.add(letter(original), letter(original, None, reason=Reason.TOO_MANY_CALLS))
    assert desk.retry().delivered == 2
    assert [source.kind for source in desk.sent] == [CallKind.IDENTIFY, CallKind.TRACK]
    assert desk.left == []


def test_irreversible_calls_are_sent_only_when_that_is_allowed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, GONE, ORDERED)
    destroy = CallSource("gone", CallKind.DESTROY)
    desk.add(letter(event(1), destroy), letter(event(2, total=1)), letter(event(3), None))
    progress = desk.retry()
    assert (progress.delivered, progress.irreversible) == (1, 2)
    assert desk.sent == [ORDER]
    assert desk.left == [(1, destroy), (3, None)]
    desk.retry(allow_irreversible=True)
    assert [source.kind for source in desk.sent[1:]] == ["destroy", "destroy", "track"]
    assert desk.left == []


def test_what_is_about_people_who_were_erased_stays_and_others_go(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PROFILE, ORDERED)
    desk.add(
        letter(event(1, "ann", total=1)), letter(event(2, "bob", total=2)), letter(event(3, "ann"), None)
    )
    progress = desk.retry(erased=["ann"])
    assert (progress.delivered, progress.erased, progress.left) == (1, 2, 2)
    assert desk.left == [(1, ORDER), (3, None)]
    assert desk.retry().delivered == 2


def test_calls_of_one_person_go_in_the_order_of_kafka_and_never_in_two_requests_at_once(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, ORDERED, max_items=3)
    offsets = [7, 3, 9, 1, 5, 2, 8, 4, 6, 0]
    desk.add(*(letter(event(offset, f"u{offset % 2}", total=offset)) for offset in offsets))
    desk.sender.latency_s = 0.2
    desk.retry()
    per_person: dict[str, list[int]] = {}
    for batch in desk.sender.sent:
        for operation in batch.operations:
            operation_json = orjson.loads(operation.payload)
            person = operation_json["identifiers"]["id"]
            per_person.setdefault(person, []).append(operation_json["attributes"]["total"])
    assert per_person == {"u0": [0, 2, 4, 6, 8], "u1": [1, 3, 5, 7, 9]}


def test_nothing_is_resolved_before_it_is_confirmed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ORDERED)
    desk.add(*(letter(event(offset, f"u{offset}", total=1)) for offset in range(4)))
    desk.sender.answer = never
    started = desk.clock.monotonic()
    desk.retry(stop=lambda: bool(desk.sender.sent))
    assert desk.clock.monotonic() - started >= 5.0, "what is in flight is waited for until the deadline"
    assert len(desk.left) == 4
    assert list(lines(desk.path))[4:] == []


def test_a_stopped_retry_keeps_what_was_confirmed_and_a_repeated_one_sends_the_rest(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ORDERED, max_items=2)
    desk.sender.capacity = 1
    desk.add(*(letter(event(offset, f"u{offset}", total=1)) for offset in range(10)))
    desk.sender.latency_s = 0.01
    progress = desk.retry(stop=lambda: len(desk.sent) >= 4)
    assert progress.delivered == 4
    assert len(desk.left) == 6
    assert desk.retry().delivered == 6
    assert len(desk.sent) == 10
    assert desk.left == []


def test_a_hold_ends_the_retry_with_its_reason(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ORDERED)
    desk.add(letter(event(total=1)))
    desk.sender.answer = never
    desk.sender.held = "the credentials are refused: check them"
    with pytest.raises(
        RemoteRefusedError, match="the retry stopped: the credentials are refused: check them"
    ):
        desk.retry()
    assert len(desk.left) == 1


def test_a_retry_reads_records_only_as_fast_as_they_are_settled(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ORDERED, max_items=2)
    desk.add(*(letter(event(offset, f"u{offset}", total=1)) for offset in range(40)))
    read_ahead = []

    def look(progress: Progress) -> None:
        read_ahead.append(desk.translated - progress.done)

    desk.sender.latency_s = 0.01
    assert desk.retry(look=look, max_open_calls=5).delivered == 40
    assert max(read_ahead) <= 5


def test_a_retry_of_what_fails_again_is_noted_and_can_be_stopped_every_few_hundred_records(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, {"name": "order", "track": {"name": "${kind}", "attributes": {}}})
    source = ORDER._replace(name=None)
    desk.add(*(letter(event(offset), source, field="name") for offset in range(2 * MAX_RECORDS_TAKEN_IN)))
    noted: list[int] = []
    progress = desk.retry(
        stop=lambda: bool(noted),
        look=lambda _progress: noted.append(len(list(lines(desk.path))) - 2 * MAX_RECORDS_TAKEN_IN),
    )
    assert noted[0] == progress.failed == desk.translated == MAX_RECORDS_TAKEN_IN


def test_one_call_whose_rule_cannot_be_decided_now_still_means_that_call_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {**PROFILE, "when": "abs(plan) > `1`"})
    source = CallSource("profile", CallKind.IDENTIFY)
    desk.add(letter(event(plan="x"), source, field="attributes.plan"))
    assert desk.retry().failed == 1
    (found,) = inventory(desk.path).unresolved
    assert (found.source, found.field, found.times) == (source, None, 2)
