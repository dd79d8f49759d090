"""A difference for people: tables in a terminal, and a page to attach to a pull request."""

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Group, RenderableType
from rich.table import Table

from pipeline.replay.diff import Changes, Difference, FieldChanges

_LONGEST = 60
_HEADINGS = ("added", "removed", "changed", "same", "failures_added", "failures_removed")


def diff_tables(difference: Difference) -> RenderableType:
    """Return the whole difference as tables."""
    head = (
        f"{difference.records:,} records, {difference.records_changed:,} of them with other calls"
        if difference.total.any
        else f"{difference.records:,} records, and both make the same calls of each"
    )
    parts: list[RenderableType] = [head, "", _rules(difference)]
    if difference.fields:
        parts += ["", _fields(difference)]
    if difference.reasons:
        parts += [
            "",
            *(f"failures {what}: {reason} {n:,}" for (what, reason), n in sorted(difference.reasons.items())),
        ]
    return Group(*parts)


def diff_page(difference: Difference, old: str, new: str) -> str:
    """Return a page of HTML that needs nothing beside itself."""
    environment = Environment(
        loader=PackageLoader("pipeline.replay", "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("diff.html").render(
        document=difference.as_json(), old=old, new=new, headings=_HEADINGS, shown=_value
    )


def _rules(difference: Difference) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("rule")
    for name in _HEADINGS:
        table.add_column(name.replace("_", " "), justify="right")
    rows: list[tuple[str, Changes]] = [*sorted(difference.rules.items()), ("total", difference.total)]
    for name, changes in rows:
        table.add_row(name, *(f"{getattr(changes, heading):,}" for heading in _HEADINGS))
    return table


def _fields(difference: Difference) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("rule", "field", "changed", "for example at", "old", "new"):
        table.add_column(name, overflow="fold")
    for (rule, name), found in sorted(difference.fields.items()):
        table.add_row(rule, name, f"{found.count:,}", *_first(found))
    return table


def _first(found: FieldChanges) -> tuple[str, str, str]:
    example = found.examples[0]
    return example.position, _value(example.old), _value(example.new)


def _value(value: Any) -> str:
    if value is None:
        return "(not there)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
