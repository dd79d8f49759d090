"""The reference of the rule language as Markdown, from what the program itself knows: ``python -m`` this writes it."""

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from pipeline.mapping import rules
from pipeline.mapping.codes import CODES
from pipeline.mapping.expression import REGISTRY, Function

_GROUPS = ("Choice", "Context", "Text", "Numbers", "Values", "Time", "Arrays", "Objects", "Hashes")
_CALLS = (
    ("identify", rules.Identify),
    ("track, page, screen", rules.Event),
    ("destroy, suppress, unsuppress", rules.Person),
    ("merge", rules.Merge),
    ("add_device, delete_device", rules.Device),
    ("relate", rules.Relate),
    ("raw", rules.Raw),
)


def reference() -> str:
    """Return the whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Mapping reference"
    yield ""
    yield "This page is generated from the program (`make docs`); `mapping-guide.md` is the one to read first."
    yield ""
    yield "## A mapping file"
    yield from _fields(rules.MappingFile, described_by="The file as a whole.")
    yield "## A rule"
    yield from _fields(rules.Rule, without=rules.Calls)
    yield "## Calls"
    yield ""
    yield "What every call takes to name its person:"
    yield from _fields(rules.Person)
    for names, model in _CALLS:
        yield f"### {names}"
        yield from _fields(model, without=rules.Person)
    yield "## A test"
    yield from _fields(rules.TestCase)
    yield "### The record of a test"
    yield from _fields(rules.Kafka)
    yield "## Functions"
    yield ""
    yield (
        "A function that is given null gives null, unless it says otherwise. Names in **bold** are part of the "
        "JMESPath standard."
    )
    yield from _functions()
    yield "## Codes"
    yield ""
    yield "What `cio-pipeline mapping lint` and loading can report."
    yield ""
    yield "| code | meaning |"
    yield "|---|---|"
    yield from (f"| `{code}` | {text} |" for code, text in CODES.items())


def _fields(
    model: type[BaseModel], *, without: type[BaseModel] | None = None, described_by: str = ""
) -> Iterator[str]:
    hidden = set(without.model_fields) if without else set()
    shown = [(name, field) for name, field in model.model_fields.items() if name not in hidden]
    yield ""
    yield described_by or (model.__doc__ or "").partition("\n")[0]
    yield ""
    if not shown:
        yield "It takes nothing more."
        yield ""
        return
    yield "| key | what it is |"
    yield "|---|---|"
    for name, field in shown:
        required = "Required. " if field.is_required() else ""
        yield f"| `{field.alias or name}` | {required}{field.description or _WITHOUT_DESCRIPTION[name]} |"
    yield ""


_WITHOUT_DESCRIPTION = {
    "version": "1.",
    "defaults": "What every call has that does not say otherwise: who, `timestamp`, `keep_nulls`, "
    "`convert_timestamps`, `long_names`.",
    "rules": "The rules, in the order in which they are tried.",
    "tests": "Events, and the calls that are expected of them.",
    "name": "Its name.",
    "event": "The event.",
    "kafka": "The record that the event comes in.",
    "topic": "The topic.",
    "partition": "The partition.",
    "offset": "The offset.",
    "key": "The key as text.",
    "headers": "The headers by name.",
    "tombstone": "Whether the record has no value.",
    "action": "`add` or `delete`.",
    "method": "The method.",
}


def _functions() -> Iterator[str]:
    functions = [function for name, function in REGISTRY.items() if name == function.name]
    ordered = sorted(functions, key=lambda function: (_GROUPS.index(function.group), function.name))
    for group, members in groupby(ordered, key=lambda function: function.group):
        yield ""
        yield f"### {group}"
        yield ""
        yield "| function | what it gives | example |"
        yield "|---|---|---|"
        yield from map(_row, members)
    yield ""


def _row(function: Function) -> str:
    name = f"**`{function.signature}`**" if function.standard else f"`{function.signature}`"
    examples = "<br>".join(
        f"`{_cell(example.expression)}` on `{_cell(_json(example.event))}` = `{_cell(_json(example.result))}`"
        if example.event is not None
        else f"`{_cell(example.expression)}` = `{_cell(_json(example.result))}`"
        for example in function.examples
    )
    return f"| {name} | {_cell(function.doc)} | {examples} |"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    """Return text that a table's cell can hold; a backtick ends inline code, so literals are shown with quotes."""
    return text.replace("|", "\\|").replace("`", "'")


if __name__ == "__main__":
    sys.stdout.write(reference())
