"""What two rule sets make of the same records, side by side."""

from typing import Any

import orjson

from pipeline.calls import CallFailure, CallKind, CallSource, Identity, IdentityKind, Reason
from pipeline.deadletters.masking import Mask
from pipeline.records import Record
from pipeline.replay.diff import EXAMPLES, Difference
from pipeline.translation import Prepared, Translation

RECORD = Record("orders", 3, 1207)


def call(
    attributes: dict[str, Any] | None = None,
    *,
    rule: str = "order",
    kind: CallKind = CallKind.TRACK,
    **source: Any,
) -> Prepared:
    operation = {"action": str(kind), "name": "ordered", "attributes": attributes or {}}
    return Prepared(
        CallSource(rule, kind, **source), Identity(IdentityKind.ID, "u1"), orjson.dumps(operation), (1,)
    )


def failure(rule: str | None = "order", reason: Reason = Reason.MAPPING_ERROR) -> CallFailure:
    return CallFailure(None if rule is None else CallSource(rule, CallKind.TRACK), reason, "failed")


def compared(
    old: tuple[Prepared | CallFailure, ...], new: tuple[Prepared | CallFailure, ...], *, reveal: bool = True
) -> Difference:
    difference = Difference(Mask(reveal=reveal))
    difference.note(RECORD, _made(old), _made(new))
    return difference


def _made(parts: tuple[Prepared | CallFailure, ...]) -> Translation:
    return Translation(
        tuple(part for part in parts if isinstance(part, Prepared)),
        tuple(part for part in parts if isinstance(part, CallFailure)),
        matched=True,
    )


def test_the_same_calls_are_no_difference() -> None:
    difference = compared((call({"total": 1}),), (call({"total": 1}),))
    assert (difference.records, difference.records_changed, difference.total.same) == (1, 0, 1)
    assert not difference.total.any


def test_a_changed_field_is_named_by_its_path_with_both_values() -> None:
    difference = compared(
        (call({"price": {"net": 1, "tax": 2}}),), (call({"price": {"net": 1, "tax": "2"}}),)
    )
    (found,) = difference.as_json()["fields"]
    assert (found["rule"], found["field"], found["count"]) == ("order", "attributes.price.tax", 1)
    assert found["examples"] == [{"position": "orders/3@1207", "old": 2, "new": "2"}]
    assert difference.rules["order"].changed == difference.records_changed == 1


def test_fields_that_come_and_go_are_told_from_fields_that_are_null() -> None:
    difference = compared((call({"a": 1, "b": None}),), (call({"b": 2, "c": 3}),))
    fields = {each["field"]: each["examples"][0] for each in difference.as_json()["fields"]}
    assert set(fields) == {"attributes.a", "attributes.b", "attributes.c"}
    assert (fields["attributes.a"]["new"], fields["attributes.c"]["old"]) == (None, None)


def test_one_and_true_differ() -> None:
    assert compared((call({"n": 1}),), (call({"n": True}),)).total.changed == 1


def test_a_call_that_only_one_makes_is_added_or_removed_and_shown_whole() -> None:
    difference = compared((call(rule="old"),), (call(rule="new"), call(rule="new", kind=CallKind.IDENTIFY)))
    assert (difference.total.added, difference.total.removed, difference.total.changed) == (2, 1, 0)
    assert [(each["change"], each["rule"], each["kind"]) for each in difference.as_json()["calls"]] == [
        ("added", "new", "identify"),
        ("added", "new", "track"),
        ("removed", "old", "track"),
    ]
    assert difference.as_json()["calls"][2]["examples"][0]["old"]["action"] == "track"


def test_calls_of_a_list_are_compared_element_by_element() -> None:
    first, second = call({"sku": "x"}, element="a"), call({"sku": "y"}, element="b")
    difference = compared((first, second), (second,))
    assert (difference.total.removed, difference.total.same, difference.total.changed) == (1, 1, 0)


def test_several_calls_of_a_rule_are_compared_in_their_order() -> None:
    difference = compared((call({"n": 1}), call({"n": 2})), (call({"n": 1}), call({"n": 3})))
    assert (difference.total.same, difference.total.changed) == (1, 1)


def test_failures_are_counted_by_reason_and_rule_whichever_way_they_change() -> None:
    difference = compared((failure(),), (failure(reason=Reason.TOO_LARGE), failure(None, Reason.UNDECODABLE)))
    assert difference.as_json()["failures"] == [
        {"change": "added", "reason": "too_large", "count": 1},
        {"change": "added", "reason": "undecodable", "count": 1},
        {"change": "removed", "reason": "mapping_error", "count": 1},
    ]
    assert difference.rules["order"].failures_added == difference.rules["order"].failures_removed == 1
    assert difference.records_changed == 1
    assert compared((failure(),), (failure(),)).records_changed == 0


def test_all_are_counted_and_a_few_are_examples() -> None:
    difference = Difference(Mask())
    for offset in range(10):
        record = Record("orders", 0, offset)
        difference.note(record, Translation((call({"n": offset}),)), Translation((call({"n": -1}),)))
    (found,) = difference.as_json()["fields"]
    assert found["count"] == 10
    assert [each["position"] for each in found["examples"]] == [f"orders/0@{n}" for n in range(EXAMPLES)]


def test_the_name_of_a_field_that_may_be_data_is_hidden_too() -> None:
    old, new = call({"ada@example.com": 1}), call({"ada@example.com": 2})
    (hidden,) = compared((old,), (new,), reveal=False).as_json()["fields"]
    assert hidden["field"] == "attributes.(name, 15 characters)"
    (shown,) = compared((old,), (new,)).as_json()["fields"]
    assert shown["field"] == "attributes.ada@example.com"


def test_values_are_hidden_unless_somebody_asks() -> None:
    hidden = orjson.dumps(
        compared(
            (call({"name": "Ada"}), call(rule="gone")), (call({"name": "Grace"}),), reveal=False
        ).as_json()
    )
    assert b"Ada" not in hidden
    assert b"Grace" not in hidden
