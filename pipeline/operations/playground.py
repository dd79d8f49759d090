"""The playground: what rules that are being written make of an event. Nothing is read from disk and nothing is sent."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.calls import CallFailure
from pipeline.decode import decode_json
from pipeline.documents import Document, DocumentError, Problem, parse_document
from pipeline.mapping import MappingLimits, RuleSet
from pipeline.mapping.cases import Suite, run_case, shown, suite_in
from pipeline.mapping.explain import Explainer
from pipeline.mapping.lint import lint
from pipeline.mapping.loading import compile_rules
from pipeline.operations.shown_requests import shown_requests
from pipeline.records import Record
from pipeline.translation import Translation, Translator

HIDDEN = "***"
_MOST_LINES = 400


class HiddenEnvironment(dict[str, str]):
    """An environment in which every variable is set and none says anything: rules that are tried out see no secret."""

    def __init__(self) -> None:
        super().__init__({"": HIDDEN})  # an empty one would count as none

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, _name: str) -> str:
        return HIDDEN


@dataclass(frozen=True, slots=True)
class Ways:
    """What of a pipeline's settings decides how calls travel."""

    namespace: str = ""
    identify_timestamp: bool = True
    always_single: bool = False
    limits: MappingLimits = field(default_factory=MappingLimits)


def try_out(asked: Mapping[str, Any], ways: Ways, now: float | None = None) -> dict[str, Any]:
    """Return everything about mapping files and an event, as plain data for JSON.

    `asked` has `files`, each with `name` and `text`, one rule set together; `event`, the text of a JSON value, or null
    for a tombstone; and `record`, what Kafka would tell: topic, partition, offset, key, timestamp_ms, headers.
    """
    moment = time.time() if now is None else now
    try:
        documents = [parse_document(file["text"], file["name"]) for file in asked["files"]]
        rules = compile_rules(documents, limits=ways.limits, environment=HiddenEnvironment())
        suites = [suite_in(document, environment=HiddenEnvironment()) for document in documents]
    except DocumentError as error:
        return {"problems": [_problem(each) for each in error.problems], "outcome": None, "tests": []}
    warnings = sorted(lint(suites, rules), key=lambda problem: problem.location)
    return {
        "problems": [_problem(each) for each in warnings],
        "tests": [test for suite in suites for test in _tests(suite)],
        "outcome": _outcome(rules, _record(asked, moment), moment, ways) if "event" in asked else None,
    }


def _record(asked: Mapping[str, Any], now: float) -> Record:
    told, event = asked.get("record") or {}, asked["event"]
    key, stamp = told.get("key"), told.get("timestamp_ms")
    headers = told.get("headers") or {}
    return Record(
        str(told.get("topic") or "playground"),
        int(told.get("partition") or 0),
        int(told.get("offset") or 0),
        None if key is None else str(key).encode(),
        None if event is None else str(event).encode(),
        tuple((str(name), None if value is None else str(value).encode()) for name, value in headers.items()),
        int(now * 1000) if stamp is None else int(stamp),
    )


def _outcome(rules: RuleSet, record: Record, now: float, ways: Ways) -> dict[str, Any]:
    translator = Translator(
        rules,
        lambda: now,
        decode=decode_json,
        namespace=ways.namespace,
        identify_timestamp=ways.identify_timestamp,
        always_single=ways.always_single,
    )
    translation = translator.translate(record)
    assert isinstance(translation, Translation)  # JSON never waits for a schema
    failures = [_failure(each) for each in translation.failures]
    event = decode_json(record)
    if any(each.source is None and each.reason == "undecodable" for each in translation.failures):
        return {"rules": [], "calls": [], "requests": [], "failures": failures, "matched": False}
    explainer = Explainer(rules, event, record, now, HiddenEnvironment())
    mapped = rules.map(event, record, now)
    return {
        "rules": [
            {
                "name": each.rule.name,
                **_place(each.rule.document, each.rule.path),
                "verdict": str(each.verdict),
                "why": each.why,
                "details": list(each.details[:_MOST_LINES]),
            }
            for each in explainer.rules()
        ],
        "calls": [shown(call) for call in mapped.calls],
        "requests": list(shown_requests(translation.calls)),
        "failures": failures,
        "matched": translation.matched,
    }


def _tests(suite: Suite) -> Iterator[dict[str, Any]]:
    (file,) = suite.rules.files.values()
    results = {result.case.path: result for result in (run_case(suite.rules, case) for case in suite.cases)}
    (document,) = suite.rules.documents
    for index, test in enumerate(file.tests):
        result = results.get(("tests", index))
        yield {
            "name": test.name,
            **_place(document, ("tests", index)),
            "state": "not run" if result is None else "failed" if result.lines else "passed",
            "lines": ["its event is in another file"] if result is None else list(result.lines[:_MOST_LINES]),
        }


def _place(document: Document, path: Sequence[str | int]) -> dict[str, Any]:
    location = document.locate((*path, "name"))
    return {"file": location.file, "line": location.line}


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        **problem.location._asdict(),
        "level": str(problem.level),
        "code": problem.code,
        "text": problem.text,
    }


def _failure(failure: CallFailure) -> dict[str, Any]:
    source = None if failure.source is None else str(failure.source)
    return {"source": source, "reason": str(failure.reason), "field": failure.field, "text": failure.text}


def ways_document(ways: Ways) -> dict[str, Any]:
    """Return the ways as plain data; `ways_of` reads it."""
    return asdict(ways)


def ways_of(document: Mapping[str, Any]) -> Ways:
    """Return what `ways_document` wrote."""
    return Ways(**{**document, "limits": MappingLimits(**document["limits"])})
