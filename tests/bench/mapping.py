"""How fast rules are: ``python -m tests.bench.mapping``.

Every figure is the best of several runs, in microseconds of one core for one event. Ratios mean more than the figures:
they hold on other machines.
"""

import argparse
import gc
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from timeit import Timer
from typing import Any

import jmespath
import orjson

from pipeline.calls import Call, CallKind, CallSource, Identity, IdentityKind, Mapped
from pipeline.customerio.limits import check
from pipeline.documents import parse_document
from pipeline.mapping import RuleSet, load_rules
from pipeline.mapping.expression import compile_expression
from pipeline.mapping.expression.functions.time import epoch
from pipeline.mapping.loading import compile_rules
from pipeline.records import Record

NOW = 1_900_000_000.0
EVENT: dict[str, Any] = {
    "type": "order.completed",
    "id": "evt_01HZX3J9K2M4N6P8Q0R2S4T6V8",
    "occurred_at": "2026-03-14T09:26:53Z",
    "user": {
        "id": "u_1042",
        "email": "Ada.Lovelace@Example.com",
        "name": {"first": "Ada", "last": "Lovelace"},
        "traits": {"plan": "pro", "seats": 12, "beta": True, "country": "GB"},
    },
    "properties": {
        "order_id": "o_99817",
        "total": 129.95,
        "currency": "GBP",
        "coupon": None,
        "items": [
            {"sku": "SKU-1", "name": "Notebook", "qty": 2, "price": 24.95},
            {"sku": "SKU-2", "name": "Fountain pen", "qty": 1, "price": 80.05},
        ],
        "shipping": {
            "method": "express",
            "address": {"city": "London", "postcode": "NW1 6XE", "country": "GB"},
        },
    },
    "context": {"ip": "203.0.113.9", "app": {"name": "web", "version": "4.12.0"}, "locale": "en-GB"},
}
RECORD = Record("orders", 3, 1042, value=orjson.dumps(EVENT), timestamp_ms=1_773_480_413_000)

PREDICATES = (
    "type == 'user.created'",
    "type == 'user.updated' && !(user.is_bot)",
    "type == 'user.deleted'",
    "type == 'page.viewed' && properties.url",
    "type == 'order.completed' && properties.total > `50`",
)
FIELDS = {
    "order_id": "properties.order_id",
    "total": "properties.total",
    "city": "properties.shipping.address.city",
    "email": "lower(user.email)",
    "skus": "properties.items[].sku",
    "plan": "not_null(user.traits.plan, 'free')",
    "version": "context.app.version",
    "at": "epoch(occurred_at)",
}
RULES = "version: 1\nrules:\n" + "".join(
    f"  - name: r{number}\n    when: {json.dumps(predicate)}\n"
    f"    track:\n      id: ${{user.id}}\n      name: n{number}\n      attributes:\n"
    + "".join(f"        {name}: {json.dumps(f'${{{expression}}}')}\n" for name, expression in FIELDS.items())
    for number, predicate in enumerate(PREDICATES)
)


def by_hand(event: Any, record: Record, now: float) -> Mapped:
    """The same five predicates and eight fields as a careful person writes them, with the same checks of the call."""
    if type(event) is not dict:
        return Mapped()
    kind = event.get("type")
    properties = event.get("properties")
    if type(properties) is not dict:
        properties = {}
    user = event.get("user")
    if type(user) is not dict:
        user = {}
    if (
        kind == "user.created"
        or (kind == "user.updated" and not user.get("is_bot"))
        or kind == "user.deleted"
    ):
        return Mapped()
    if kind == "page.viewed" and properties.get("url"):
        return Mapped()
    total: Any = properties.get("total")
    if kind != "order.completed" or not (type(total) in {int, float} and total > 50):
        return Mapped()
    attributes = {
        name: value for name, value in _fields_by_hand(event, properties, user).items() if value is not None
    }
    person = user.get("id")
    if type(person) is not str:
        return Mapped()
    stamp = (record.timestamp_ms or 0) // 1000
    if stamp > now + 300:
        stamp = int(now)
    source = CallSource("r4", CallKind.TRACK, "n4")
    call = Call(source, Identity(IdentityKind.ID, person), attributes, "n4", stamp, None, True)
    failure = check(call)
    return Mapped((call,), (), True) if failure is None else Mapped((), (failure,), True)


def _fields_by_hand(
    event: dict[str, Any], properties: dict[str, Any], user: dict[str, Any]
) -> dict[str, Any]:
    shipping = properties.get("shipping")
    address = shipping.get("address") if type(shipping) is dict else None
    traits = user.get("traits")
    context = event.get("context")
    app = context.get("app") if type(context) is dict else None
    items = properties.get("items")
    email = user.get("email")
    plan = traits.get("plan") if type(traits) is dict else None
    at = event.get("occurred_at")
    return {
        "order_id": properties.get("order_id"),
        "total": properties.get("total"),
        "city": address.get("city") if type(address) is dict else None,
        "email": email.lower() if type(email) is str else None,
        "skus": [item.get("sku") for item in items if type(item) is dict] if type(items) is list else None,
        "plan": plan if plan is not None else "free",
        "version": app.get("version") if type(app) is dict else None,
        "at": epoch(at) if type(at) is str else None,
    }


def expressions_by_hand(event: dict[str, Any]) -> Any:
    """The predicates and the fields alone, as a careful person writes them."""
    properties = event.get("properties")
    if type(properties) is not dict:
        properties = {}
    user = event.get("user")
    if type(user) is not dict:
        user = {}
    kind = event.get("type")
    total: Any = properties.get("total")
    predicates = [
        kind == "user.created",
        kind == "user.updated" and not user.get("is_bot"),
        kind == "user.deleted",
        kind == "page.viewed" and properties.get("url"),
        kind == "order.completed" and type(total) in {int, float} and total > 50,
    ]
    return [predicates, _fields_by_hand(event, properties, user)]


def by_interpreter() -> Callable[[Any], Any]:
    """The library's interpreter on the same expressions; the two functions that it does not have are called by hand."""
    predicates = [jmespath.compile(predicate) for predicate in PREDICATES]
    own = {"email": "user.email", "at": "occurred_at"}
    fields = {name: jmespath.compile(own.get(name, text)) for name, text in FIELDS.items()}

    def run(event: Any) -> Any:
        made = {name: field.search(event) for name, field in fields.items()}
        made["email"], made["at"] = made["email"].lower(), epoch(made["at"])
        return [[predicate.search(event) for predicate in predicates], made]

    return run


def compiled_expressions() -> Callable[[Any], Any]:
    """The same in one compiled expression."""
    fields = ", ".join(f"{name}: {text}" for name, text in FIELDS.items())
    return compile_expression(f"[[{', '.join(PREDICATES)}], {{{fields}}}]")


def best(function: Callable[[], Any], repeats: int) -> float:
    """Microseconds of this process in the fastest run; other work on the machine does not count."""
    timer = Timer(function, timer=process_time)
    number = 1
    while timer.timeit(number) < 0.05:
        number *= 4
    gc.collect()
    return min(timer.repeat(repeats, number)) / number * 1e6


def indexed(count: int) -> RuleSet:
    """So many rules, each for another type of event."""
    rules = "".join(
        f"  - {{name: r{n}, when: type == 'type.{n}' && properties.total > 50, track: {{id: '${{user.id}}', name: e,"
        " attributes: {a: '${properties.order_id}', b: '${properties.currency}', c: '${properties.total}'}}}\n"
        for n in range(count)
    )
    return compile_rules([parse_document(f"version: 1\nrules:\n{rules}", "bench.yaml")])


def measure(repeats: int) -> Mapping[str, float]:
    """Return every figure by its name."""
    rules = compile_rules([parse_document(RULES, "bench.yaml")])
    assert rules.map(EVENT, RECORD, NOW) == by_hand(EVENT, RECORD, NOW)
    interpreter, compiled = by_interpreter(), compiled_expressions()
    assert compiled(EVENT) == interpreter(EVENT) == expressions_by_hand(EVENT)
    raw = RECORD.value or b""
    figures = {
        "5 predicates and 8 fields alone": best(lambda: compiled(EVENT), repeats),
        "  by hand": best(lambda: expressions_by_hand(EVENT), repeats),
        "  by the library's interpreter": best(lambda: interpreter(EVENT), repeats),
        "the same as rules, with the call": best(lambda: rules.map(EVENT, RECORD, NOW), repeats),
        "  by hand, with the call": best(lambda: by_hand(EVENT, RECORD, NOW), repeats),
        "  as rules, with orjson.loads": best(lambda: rules.map(orjson.loads(raw), RECORD, NOW), repeats),
        "an event that no rule matches": best(lambda: rules.map({"type": "x"}, RECORD, NOW), repeats),
    }
    for count in (10, 50, 200, 1_000):
        many = indexed(count)
        hit = {**EVENT, "type": f"type.{count // 2}"}
        figures[f"{count} rules, hit"] = best(lambda many=many, hit=hit: many.map(hit, RECORD, NOW), repeats)  # type: ignore[misc]
        figures[f"{count} rules, miss"] = best(lambda many=many: many.map(EVENT, RECORD, NOW), repeats)  # type: ignore[misc]
    orders = load_rules([Path("mappings/examples/orders.yaml")])
    test = orders.files["mappings/examples/orders.yaml"].tests[0]
    figures["the order example, four calls"] = best(lambda: orders.map(test.event, RECORD, NOW), repeats)
    return figures


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    figures = dict(measure(given.repeats))
    alone, whole = figures["5 predicates and 8 fields alone"], figures["the same as rules, with the call"]
    figures["ratio to handwritten code"] = alone / figures["  by hand"]
    figures["ratio to handwritten code, with the call"] = whole / figures["  by hand, with the call"]
    figures["times faster than the interpreter"] = figures["  by the library's interpreter"] / alone
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    for name, figure in figures.items():
        print(f"{figure:10.2f}  {name}")


if __name__ == "__main__":
    main()
