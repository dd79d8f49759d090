"""How the tests of the mapping say what they need: rules as text, events as values."""

from typing import Any

from pipeline.calls import Mapped
from pipeline.documents import DocumentError, parse_document
from pipeline.mapping import MappingLimits, RuleSet
from pipeline.mapping.cases import shown
from pipeline.mapping.loading import compile_rules
from pipeline.records import Record

NOW = 1_900_000_000.0
RECORD_TIME = 1_773_480_413


def rules(text: str, **options: Any) -> RuleSet:
    """A rule set of one file, `version` and all."""
    return compile_rules([parse_document(f"version: 1\n{text}", "m.yaml")], **options)


def record(**facts: Any) -> Record:
    """A record that has a value and a time unless told otherwise."""
    return Record(
        **{
            "topic": "t",
            "partition": 0,
            "offset": 7,
            "value": b"{}",
            "timestamp_ms": RECORD_TIME * 1000,
            **facts,
        }
    )


def mapped(text: str, event: Any, limits: MappingLimits | None = None, **facts: Any) -> Mapped:
    """What rules make of an event."""
    return rules(text, limits=limits).map(event, record(**facts), NOW)


def calls(text: str, event: Any, **facts: Any) -> list[dict[str, Any]]:
    """The calls that rules make of an event, as tests in mapping files write them."""
    result = mapped(text, event, **facts)
    assert result.failures == ()
    return [{name: part for name, part in shown(call).items() if name != "rule"} for call in result.calls]


def failures(
    text: str, event: Any, limits: MappingLimits | None = None, **facts: Any
) -> list[tuple[str, str | None]]:
    """Reason and field of each failure, where no call was made."""
    result = mapped(text, event, limits, **facts)
    assert result.calls == ()
    return [(str(failure.reason), failure.field) for failure in result.failures]


def problems(text: str, **options: Any) -> list[str]:
    """What loading these rules reports."""
    try:
        rules(text, **options)
    except DocumentError as error:
        return [f"{problem.location}: {problem.code}: {problem.text}" for problem in error.problems]
    return []
