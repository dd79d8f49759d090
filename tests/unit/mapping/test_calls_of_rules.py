"""What rules make of events, call by call."""

import copy
from typing import Any

import pytest

from pipeline.mapping import MappingLimits
from tests.unit.mapping.mapping_cases import NOW, RECORD_TIME, calls, failures, mapped, record, rules

TRACK = """
rules:
  - name: r
    track: {id: "${id}", name: e, timestamp: "${at}", attributes: {a: "${a}"}}
"""


def track(lines: str = "", call: str = "") -> str:
    return f"rules:\n  - name: r\n    {lines}\n    track: {{id: u, name: e{', ' if call else ''}{call}}}\n"


def one_call(kind: str, body: str) -> str:
    return f"rules:\n  - name: r\n    {kind}: {body}\n"


def test_an_event_without_a_matching_rule_is_unmatched() -> None:
    result = mapped("rules:\n  - {name: r, when: type == 'x', destroy: {id: u}}", {"type": "y"})
    assert (result.calls, result.failures, result.matched) == ((), (), False)


def test_unmatched_events_can_be_dead_lettered() -> None:
    text = "unmatched: dead_letter\nrules:\n  - {name: r, when: type == 'x', destroy: {id: u}}"
    assert failures(text, {}) == [("unmatched", None)]


def test_a_rule_that_stops_without_a_call_drops_the_event() -> None:
    text = "rules:\n  - {name: s, when: bot, on_match: stop}\n  - {name: r, destroy: {id: u}}"
    result = mapped(text, {"bot": True})
    assert (result.calls, result.failures, result.matched) == ((), (), True)
    assert calls(text, {}) == [{"call": "destroy", "id": "u"}]


def test_every_match_makes_calls_in_the_order_of_the_file() -> None:
    text = "rules:\n" + "".join(
        f"  - {{name: r{n}, track: {{id: u, name: e{n}, timestamp: 5}}}}\n" for n in (3, 1, 2)
    )
    assert [call["name"] for call in calls(text, {})] == ["e3", "e1", "e2"]


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"id": "1", "cio_id": "c", "email": "e@x", "phone": "+1", "anonymous_id": "a"}, {"id": "1"}),
        ({"cio_id": "c", "email": "e@x", "phone": "+1", "anonymous_id": "a"}, {"cio_id": "c"}),
        ({"email": "e@x", "phone": "+1", "anonymous_id": "a"}, {"email": "e@x"}),
        ({"phone": "+1", "anonymous_id": "a"}, {"phone": "+1"}),
        ({"anonymous_id": "a"}, {"anonymous_id": "a"}),
        ({"id": 42}, {"id": "42"}),
        ({"id": 42.0}, {"id": "42"}),
    ],
)
def test_the_first_identity_that_is_not_null_names_the_person(
    event: dict[str, Any], named: dict[str, str]
) -> None:
    every = ", ".join(f'{kind}: "${{{kind}}}"' for kind in ("id", "cio_id", "email", "phone", "anonymous_id"))
    made = calls(one_call("track", f"{{name: e, {every}}}"), event)[0]
    assert made == {"call": "track", **named, "name": "e", "timestamp": RECORD_TIME}


def test_a_rule_can_order_the_identities_itself() -> None:
    text = 'rules:\n  - {name: r, identity: [email, id], destroy: {id: "1", email: "${e}", phone: "+1"}}'
    assert calls(text, {"e": "a@b"}) == [{"call": "destroy", "email": "a@b"}]
    assert calls(text, {}) == [{"call": "destroy", "id": "1"}]


def test_a_losing_anonymous_id_becomes_an_attribute_of_an_identify_and_of_nothing_else() -> None:
    both = 'id: u, anonymous_id: "${a}"'
    assert calls(one_call("identify", f"{{{both}}}"), {"a": "v"})[0]["attributes"] == {"anonymous_id": "v"}
    assert "attributes" not in calls(one_call("track", f"{{name: e, {both}}}"), {"a": "v"})[0]
    assert "attributes" not in calls(one_call("identify", f"{{{both}}}"), {})[0]


@pytest.mark.parametrize("value", [True, [], {}, 1.5])
def test_an_identity_that_is_neither_text_nor_whole_number_is_refused(value: Any) -> None:
    assert failures(one_call("destroy", '{id: "${id}"}'), {"id": value}) == [("invalid_identity", "id")]


@pytest.mark.parametrize(
    ("value", "reason"), [("", "invalid_identity"), ("x" * 151, "invalid_identity"), (None, "no_identity")]
)
def test_an_identity_outside_of_the_limits_is_never_a_silent_drop(value: Any, reason: str) -> None:
    assert [name for name, _ in failures(one_call("destroy", '{id: "${id}"}'), {"id": value})] == [reason]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (1773480413, 1773480413),
        (1773480413999, 1773480413),
        ("2026-03-14T09:26:53Z", 1773480413),
        ("1773480413", 1773480413),
    ],
)
def test_a_timestamp_is_what_epoch_takes(given: Any, seconds: int) -> None:
    assert calls(TRACK, {"id": "u", "at": given})[0]["timestamp"] == seconds


@pytest.mark.parametrize("given", [None, "yesterday", [], True, 0, -5])
def test_a_bad_timestamp_is_an_error_and_never_now(given: Any) -> None:
    assert failures(TRACK, {"id": "u", "at": given}) == [("invalid_timestamp", "timestamp")]


def test_without_a_timestamp_of_the_rule_the_record_gives_it() -> None:
    assert calls(track(), {})[0]["timestamp"] == RECORD_TIME
    assert failures(track(), {}, timestamp_ms=None) == [("no_timestamp", "timestamp")]
    assert "timestamp" not in calls(one_call("destroy", "{id: u}"), {}, timestamp_ms=None)[0]


def test_a_clock_that_is_a_little_ahead_is_taken_as_it_is() -> None:
    result = mapped(TRACK, {"id": "u", "at": int(NOW) + 299})
    assert (result.calls[0].timestamp, result.clamped) == (int(NOW) + 299, 0)


def test_a_timestamp_of_the_future_is_set_to_now_and_counted() -> None:
    result = mapped(TRACK, {"id": "u", "at": "2099-01-01"})
    assert (result.calls[0].timestamp, result.clamped) == (int(NOW), 1)
    late = mapped(track(), {}, timestamp_ms=int(NOW + 1000) * 1000)
    assert (late.calls[0].timestamp, late.clamped) == (int(NOW), 1)


def test_a_timestamp_of_the_future_can_be_dead_lettered_instead() -> None:
    limits = MappingLimits(clamp_future=False)
    assert failures(TRACK, {"id": "u", "at": "2099-01-01"}, limits) == [("future_timestamp", "timestamp")]


def test_defaults_hold_for_every_call_that_does_not_say_otherwise() -> None:
    rule = "{name: r, identify: {}, track: {name: e, id: v, timestamp: 8}}"
    text = f'defaults: {{id: "${{u}}", timestamp: 7}}\nrules:\n  - {rule}'
    assert calls(text, {"u": "1"}) == [
        {"call": "identify", "id": "1", "timestamp": 7},
        {"call": "track", "id": "v", "name": "e", "timestamp": 8},
    ]


def test_attributes_that_are_null_are_left_out_unless_they_are_asked_for() -> None:
    assert "attributes" not in calls(track(call="attributes: {a: '${a}'}"), {})[0]
    assert calls(track(call="keep_nulls: true, attributes: {a: '${a}'}"), {})[0]["attributes"] == {"a": None}


def test_nulls_inside_of_attributes_are_treated_alike_and_a_raw_body_keeps_them() -> None:
    deep = 'attributes: {a: {x: "${x}", y: [{z: "${x}"}]}}'
    assert calls(track(call=deep), {})[0]["attributes"] == {"a": {"y": [{}]}}
    assert calls(track(call=f"keep_nulls: true, {deep}"), {})[0]["attributes"] == {
        "a": {"x": None, "y": [{"z": None}]}
    }
    raw = one_call("raw", '{path: /v1/x, body: {x: "${x}", n: null}}')
    assert calls(raw, {})[0]["request"]["body"] == {"x": None, "n": None}


def test_attributes_start_from_an_object_less_what_is_omitted_and_the_named_ones_win() -> None:
    text = track(call='from: "${u}", omit: [x], attributes: {b: "${n}", c: "${v}"}')
    event = {"u": {"a": 1, "b": 2, "c": 3, "x": 4, "n": None}, "v": 9}
    assert calls(text, event)[0]["attributes"] == {"a": 1, "c": 9}
    assert "attributes" not in calls(text, {})[0]
    assert failures(text, {"u": []}) == [("invalid_attribute", "from")]


def test_dates_become_unix_seconds_where_it_is_asked_for() -> None:
    text = track(call='convert_timestamps: true, from: "${@}"')
    event = {"at": "2026-03-14T09:26:53Z", "day": "2026-03-14", "no": "2026-99-99T00:00", "n": 5}
    assert calls(text, event)[0]["attributes"] == {**event, "at": 1773480413}


def test_text_around_expressions_makes_text_and_null_in_it_makes_null() -> None:
    text = track(call='attributes: {a: "${x}-${y}!", b: "$${x}", c: "costs $5 and $${6}"}')
    assert calls(text, {"x": 1.5, "y": True})[0]["attributes"] == {
        "a": "1.5-true!",
        "b": "${x}",
        "c": "costs $5 and ${6}",
    }
    assert calls(text, {"x": 1})[0]["attributes"] == {"b": "${x}", "c": "costs $5 and ${6}"}


def test_a_lone_expression_keeps_its_type_and_literals_are_as_written() -> None:
    text = track(
        call='attributes: {l: "${l}", deep: {x: "${x}", y: [1, "${x}"]}, no: "no", n: 1.50, t: true}'
    )
    assert calls(text, {"l": [1, {}], "x": 7})[0]["attributes"] == {
        "l": [1, {}],
        "deep": {"x": 7, "y": [1, 7]},
        "no": "no",
        "n": 1.5,
        "t": True,
    }


def test_a_name_is_trimmed_and_must_be_a_text_within_the_limit() -> None:
    text = one_call("page", '{id: u, name: "${n}"}')
    assert calls(text, {"n": " a "})[0]["name"] == "a"
    assert calls(text, {"n": "*"})[0]["name"] == "*"
    for wrong in (None, 5, "", " ", "x" * 101):
        assert failures(text, {"n": wrong}) == [("invalid_name", "name")]


def test_a_long_name_can_be_cut_between_characters() -> None:
    text = one_call("track", '{id: u, name: "${n}", long_names: truncate}')
    assert calls(text, {"n": "é" * 60})[0]["name"] == "é" * 50
    assert calls(text, {"n": "x" * 99 + "é"})[0]["name"] == "x" * 99


def test_an_own_event_id_is_text_and_null_falls_back_to_the_derived_one() -> None:
    text = one_call("track", '{id: u, name: e, event_id: "${m}"}')
    assert calls(text, {"m": 7})[0]["event_id"] == "7"
    assert mapped(text, {}).calls[0].event_id is None
    assert mapped(text, {"m": "x"}).calls[0].sole
    assert failures(text, {"m": []}) == [("invalid_call", "event_id")]


def test_an_array_becomes_a_call_for_each_element() -> None:
    text = """
rules:
  - name: r
    for_each: items[?qty > 0]
    track: {id: u, name: e, attributes: {sku: "${item().sku}", at: "${index()}", all: "${length(items)}"}}
"""
    event = {"items": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 0}, {"sku": "c", "qty": 2}]}
    made = calls(text, event)
    assert [(call["element"], call["attributes"]) for call in made] == [
        (0, {"sku": "a", "at": 0, "all": 3}),
        (1, {"sku": "c", "at": 1, "all": 3}),
    ]
    assert calls(text, {}) == []
    assert failures(text.replace("items[?qty > 0]", "items"), {"items": "x"}) == [
        ("mapping_error", "for_each")
    ]


def test_elements_can_have_a_key_that_names_them() -> None:
    text = 'rules:\n  - {name: r, for_each: i, key: "${item().k}", track: {id: u, name: e}}'
    result = mapped(text, {"i": [{"k": "a"}, {"k": "a"}, {"k": None}, {"k": 5}]})
    assert [call.source.element for call in result.calls] == ["a", 5]
    assert [(str(f.reason), f.field, f.source and f.source.element) for f in result.failures] == [
        ("mapping_error", "key", 1),
        ("mapping_error", "key", 2),
    ]


def test_equal_calls_of_a_rule_are_numbered_also_when_their_names_come_from_the_event() -> None:
    text = """
rules:
  - name: r
    id: old-name
    calls:
      - track: {id: u, name: a}
      - track: {id: u, name: "${n}"}
      - track: {id: u, name: "${n}"}
      - identify: {id: u}
      - identify: {id: v}
"""
    sources = [call.source for call in mapped(text, {"n": "a"}).calls]
    assert [(source.rule, str(source.kind), source.name, source.ordinal) for source in sources] == [
        ("old-name", "track", "a", 0),
        ("old-name", "track", "a", 1),
        ("old-name", "track", "a", 2),
        ("old-name", "identify", None, 0),
        ("old-name", "identify", None, 1),
    ]
    assert [call.source.ordinal for call in mapped(text, {"n": "b"}).calls] == [0, 0, 1, 0, 1]


def test_names_that_differ_only_by_blanks_around_them_are_numbered_as_one() -> None:
    text = """
rules:
  - name: r
    calls:
      - track: {id: u, name: "Order"}
      - track: {id: u, name: "Order "}
"""
    sources = [call.source for call in mapped(text, {}).calls]
    assert [(source.name, source.ordinal) for source in sources] == [("Order", 0), ("Order", 1)]


def test_a_call_that_fails_is_named_as_it_would_have_been_had_it_succeeded() -> None:
    text = """
rules:
  - name: r
    calls:
      - track: {id: u, name: "${n}"}
      - track: {id: u, name: "${m}", attributes: {a: "${sum(x)}"}}
"""
    for event in ({"n": "a", "m": "a"}, {"n": "a", "m": "b"}):
        good = mapped(text, {**event, "x": [1]}).calls[1].source
        bad = mapped(text, {**event, "x": "y"}).failures[0].source
        assert good == bad
    alone = 'rules:\n  - {name: r, track: {id: u, name: "${n}", attributes: {a: "${sum(x)}"}}}'
    assert mapped(alone, {"n": "a", "x": 1}).failures[0].source == mapped(alone, {"n": "a"}).calls[0].source


def test_devices_merges_relations_and_raw_requests_are_built() -> None:
    text = """
defaults: {id: u}
rules:
  - name: r
    calls:
      - add_device: {device: {token: "${t}", platform: ios, last_used: 5}}
      - delete_device: {device: {token: "${t}"}}
      - merge: {secondary: {email: "${e}"}}
      - suppress: {}
      - unsuppress:
      - screen: {name: Home}
      - relate: {action: delete, relationships: [{identifiers: {object_type_id: "1", object_id: "${o}"}}]}
      - raw: {method: PUT, path: "/v1/things/${o}", body: {x: "${t}"}, order_by: "${o}"}
"""
    assert calls(text, {"t": "tok", "e": "a@b", "o": "acme"}) == [
        {"call": "add_device", "id": "u", "device": {"token": "tok", "platform": "ios", "last_used": 5}},
        {"call": "delete_device", "id": "u", "device": {"token": "tok"}},
        {"call": "merge", "id": "u", "secondary": {"email": "a@b"}},
        {"call": "suppress", "id": "u"},
        {"call": "unsuppress", "id": "u"},
        {"call": "screen", "id": "u", "name": "Home", "timestamp": RECORD_TIME},
        {
            "call": "relate",
            "id": "u",
            "action": "delete",
            "relationships": [{"identifiers": {"object_type_id": "1", "object_id": "acme"}}],
        },
        {
            "call": "raw",
            "id": "u",
            "request": {"method": "PUT", "path": "/v1/things/acme", "body": {"x": "tok"}},
            "order_by": "acme",
        },
    ]


def test_an_error_in_a_field_costs_only_its_call() -> None:
    text = 'rules:\n  - {name: r, identify: {id: u, attributes: {a: "${sum(x)}"}}, track: {id: u, name: e}}'
    result = mapped(text, {"x": ["secret"]})
    assert [str(call.kind) for call in result.calls] == ["track"]
    failure = result.failures[0]
    assert (str(failure.reason), failure.field) == ("mapping_error", "attributes.a")
    assert str(failure.source) == "r/identify"
    assert failure.text == "attributes.a: sum() takes an array of numbers as argument 1, not an array"
    assert "secret" not in repr(failure)


def test_an_error_can_cost_the_field_or_the_call_alone() -> None:
    bad = 'attributes: {a: "${sum(x)}", b: 1, c: "${c}"}'
    event = {"x": "y", "c": "long" * 300}
    skip_field = one_call("identify", f"{{id: u, {bad}}}").replace(
        "name: r", "name: r\n    on_error: skip_field"
    )
    assert calls(skip_field, event)[0]["attributes"] == {"b": 1}
    assert failures(skip_field.replace("id: u", 'id: "${n}"'), event) == [("no_identity", "identity")]
    skip_call = skip_field.replace("skip_field", "skip_call")
    result = mapped(skip_call, event)
    assert (result.calls, result.failures, result.matched) == ((), (), True)


def test_an_error_in_a_condition_is_dead_lettered_and_later_rules_still_run() -> None:
    text = (
        "rules:\n  - {name: a, when: \"lower(x) == 'y'\", destroy: {id: u}}\n  - {name: b, destroy: {id: v}}"
    )
    result = mapped(text, {"x": 5})
    assert [call.identity.value for call in result.calls if call.identity] == ["v"]
    assert [(str(f.reason), f.field, str(f.source)) for f in result.failures] == [
        ("mapping_error", "when", "a/destroy")
    ]
    assert len(calls(text.replace("name: a,", "name: a, on_error: skip_call,"), {"x": 5})) == 1


def test_an_event_that_a_stopping_filter_cannot_judge_does_not_pass_it() -> None:
    text = "rules:\n  - {name: a, when: \"lower(x) == 'y'\", on_match: stop}\n  - {name: b, destroy: {id: v}}"
    assert failures(text, {"x": 5}) == [("mapping_error", "when")]
    assert len(calls(text, {"x": "z"})) == 1


def test_a_fan_out_without_bound_is_one_failure_and_no_call() -> None:
    text = "rules:\n  - {name: r, for_each: i, track: {id: u, name: e}}"
    assert len(mapped(text, {"i": [1] * 10}, MappingLimits(max_calls=10)).calls) == 10
    assert failures(text, {"i": [1] * 11}, MappingLimits(max_calls=10)) == [("too_many_calls", None)]


def test_many_rules_without_a_fan_out_are_bounded_too() -> None:
    text = "rules:\n" + "".join(f"  - {{name: r{n}, destroy: {{id: u}}}}\n" for n in range(5))
    assert failures(text, {}, MappingLimits(max_calls=4)) == [("too_many_calls", None)]
    assert len(mapped(text, {}, MappingLimits(max_calls=5)).calls) == 5


def test_a_fan_out_that_weighs_too_much_is_one_failure_and_no_call() -> None:
    text = 'rules:\n  - {name: r, for_each: i, track: {id: u, name: e, attributes: {b: "${b}"}}}'
    event = {"i": [1] * 20, "b": "x" * 1000}
    assert failures(text, event, MappingLimits(max_bytes=10_000)) == [("too_many_calls", None)]
    assert len(mapped(text, event, MappingLimits(max_bytes=50_000)).calls) == 20


def test_a_tombstone_reaches_only_the_rules_that_ask_for_it() -> None:
    text = """
rules:
  - {name: all, destroy: {id: every}}
  - {name: gone, when: kafka().tombstone, destroy: {id: "${kafka().key}"}}
"""
    assert calls(text, None, value=None, key=b"u1") == [{"call": "destroy", "id": "u1"}]
    assert calls(text, None, value=b"null") == [{"call": "destroy", "id": "every"}]


def test_the_record_is_readable_in_rules() -> None:
    text = track(call='attributes: {t: "${kafka().topic}", o: "${kafka().offset}", k: "${kafka()}"}')
    facts = {"key": b"\xff", "headers": (("h", b"1"), ("h", b"2"), ("x", b"\xff"), ("n", None))}
    assert calls(text, {}, **facts)[0]["attributes"] == {
        "t": "t",
        "o": 7,
        "k": {
            "topic": "t",
            "partition": 0,
            "offset": 7,
            "key": None,
            "timestamp": RECORD_TIME * 1000,
            "headers": {"h": "2", "x": None, "n": None},
            "tombstone": False,
        },
    }


def test_an_environment_variable_is_read_when_the_rules_are_loaded() -> None:
    text = track(call="attributes: {h: \"${hmac_sha256('a', env('KEY'))}\"}")
    made = rules(text, environment={"KEY": "k"}).map({}, record(), NOW)
    assert len(made.calls[0].attributes["h"]) == 64


def test_a_constant_before_and_lets_the_rest_decide() -> None:
    text = "rules:\n  - {name: r, when: '`1` && a', destroy: {id: u}}"
    assert len(calls(text, {"a": True})) == 1
    assert calls(text, {"a": False}) == []


def test_mapping_never_changes_the_event() -> None:
    text = track(call='from: "${@}", attributes: {s: "${sort(l)}", m: "${merge(o, p)}"}')
    event = {"l": [3, 1], "o": {"a": 1}, "p": {"b": 2}, "n": None}
    before = copy.deepcopy(event)
    mapped(text, event)
    assert event == before
