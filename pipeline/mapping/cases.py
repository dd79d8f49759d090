"""The tests that mapping files carry: an event, and the calls that are expected of it."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from pipeline.calls import COUNTED_KINDS, Call, CallKind, IdentityKind, Mapped
from pipeline.documents import (
    Document,
    DocumentError,
    KeyPath,
    Location,
    Problem,
    read_document,
    validate,
)
from pipeline.mapping.expression.functions import EvaluationError
from pipeline.mapping.expression.functions.time import epoch
from pipeline.mapping.loading import compile_rules, is_test_file, rule_files
from pipeline.mapping.rules import MappingFile, Strict, TestCase
from pipeline.mapping.ruleset import RuleSet
from pipeline.records import Record

_OPTIONAL = ("element", "event_id", "rule")  # compared only where a test names them


class TestFile(Strict):
    """A file of tests for mapping files beside it."""

    __test__ = False  # for pytest, which collects what is called so

    version: int = Field(..., ge=1, le=1)
    mappings: list[str] = Field(
        default=[], description="The files under test; without it, the one of the same name."
    )
    tests: list[TestCase] = Field(..., min_length=1)


@dataclass(frozen=True, slots=True)
class Case:
    """One test with the place where it stands."""

    test: TestCase
    document: Document
    path: KeyPath

    @property
    def location(self) -> Location:
        """Where the test's name stands."""
        return self.document.locate((*self.path, "name"))


@dataclass(frozen=True, slots=True)
class Suite:
    """A rule set and the tests of it."""

    file: str
    rules: RuleSet
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a test; without lines it passed."""

    case: Case
    lines: tuple[str, ...]
    hits: frozenset[int]


def load_suites(
    paths: Sequence[Path], *, environment: Mapping[str, str] | None = None, traced: bool = True
) -> list[Suite]:
    """Load mapping files with the tests in them, and files of tests with the mapping files they name.

    Raises:
        DocumentError: with every problem.
    """
    suites: list[Suite] = []
    problems: list[Problem] = []
    for path in _files_with_tests(paths):
        try:
            suites.append(_suite(path, environment, traced=traced))
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(problems)
    return suites


def run_case(rules: RuleSet, case: Case) -> CaseResult:
    """Run one test."""
    test = case.test
    record, now = record_of(test)
    mapped, hits = rules.trace(_event(case), record, now)
    lines = [*_unexpected_calls(test, mapped), *_unexpected_failures(test, mapped)]
    if test.unmatched and mapped.matched:
        lines.append("a rule matched, and none should")
    return CaseResult(case, tuple(lines), hits)


def shown(call: Call) -> dict[str, Any]:
    """Return a call as tests write it."""
    view: dict[str, Any] = {"call": str(call.kind)}
    if call.identity is not None:
        view[str(call.identity.kind)] = call.identity.value
    if call.name is not None:
        view["name"] = call.name
    if call.timestamp is not None:
        view["timestamp"] = call.timestamp
    if call.attributes:
        view["attributes"] = dict(call.attributes)
    if call.secondary is not None:
        view["secondary"] = {str(call.secondary.kind): call.secondary.value}
    view |= call.options
    extra = {"element": call.source.element, "event_id": call.event_id, "rule": call.source.rule}
    return view | {name: value for name, value in extra.items() if value is not None}


def record_of(test: TestCase) -> tuple[Record, float]:
    """Return the record of a test, and its time in Unix seconds."""
    now = epoch(test.now) if isinstance(test.now, str) else test.now
    kafka = test.kafka
    headers = tuple(
        (name, None if value is None else value.encode()) for name, value in kafka.headers.items()
    )
    stamp = int(now * 1000) if kafka.timestamp is None else kafka.timestamp
    value = None if kafka.tombstone else b"{}"
    key = None if kafka.key is None else kafka.key.encode()
    return Record(kafka.topic, kafka.partition, kafka.offset, key, value, headers, stamp), float(now)


def _files_with_tests(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        found += rule_files([path])
        if path.is_dir():
            found += sorted(file for file in path.iterdir() if is_test_file(file))
    return list(dict.fromkeys(found))


def _suite(path: Path, environment: Mapping[str, str] | None, *, traced: bool) -> Suite:
    document = read_document(path)
    if not is_test_file(path):
        rules = compile_rules([document], environment=environment, traced=traced)
        file: MappingFile | TestFile = rules.files[document.file]
    else:
        file = validate(document, TestFile)
        names = file.mappings or [path.name.replace("_test.", ".")]
        under_test = [read_document(path.parent / name) for name in names]
        rules = compile_rules(under_test, environment=environment, traced=traced)
    cases = tuple(Case(test, document, ("tests", index)) for index, test in enumerate(file.tests))
    _refuse_wrong(cases)
    return Suite(str(path), rules, cases)


def suite_in(document: Document, *, environment: Mapping[str, str] | None = None) -> Suite:
    """Return the rules of a mapping document and the tests in it. No file is read: tests with an `event_file` are out.

    Raises:
        DocumentError: with every problem.
    """
    rules = compile_rules([document], environment=environment, traced=True)
    cases = tuple(
        Case(test, document, ("tests", index))
        for index, test in enumerate(rules.files[document.file].tests)
        if test.event_file is None
    )
    _refuse_wrong(cases)
    return Suite(document.file, rules, cases)


def _refuse_wrong(cases: Sequence[Case]) -> None:
    problems = [problem for case in cases for problem in _case_problems(case)]
    if problems:
        raise DocumentError(problems)


def _case_problems(case: Case) -> Iterable[Problem]:
    document = case.document
    allowed = {"call", *map(str, IdentityKind), "name", "timestamp", "attributes", "secondary", "request"}
    allowed |= {"device", "relationships", "action", "order_by", *_OPTIONAL}
    for index, call in enumerate(case.test.expect):
        at = (*case.path, "expect", index)
        for name in call:
            if name not in allowed:
                location = document.locate((*at, name), key=True)
                yield document.problem(location, "unknown-key", f"a call has no '{name}'")
        if call.get("call") not in set(CallKind):
            text = f"'call' must be one of {', '.join(CallKind)}"
            yield document.problem(document.locate((*at, "call")), "wrong-value", text)
    try:
        record_of(case.test)
        _event(case)
    except (EvaluationError, OSError, ValueError) as error:
        wrong = "event_file" if case.test.event_file is not None else "now"
        text = f"'{wrong}' cannot be read: {error.strerror if isinstance(error, OSError) else 'not what it must be'}"
        yield document.problem(document.locate((*case.path, wrong)), "wrong-value", text)


def _event(case: Case) -> Any:
    if case.test.event_file is None:
        return case.test.event
    return orjson.loads((Path(case.document.file).parent / case.test.event_file).read_bytes())


def _unexpected_calls(test: TestCase, mapped: Mapped) -> list[str]:
    wanted = _lines([_written(call, call) for call in test.expect])
    made = _lines(
        [
            _written(shown(call), test.expect[index] if index < len(test.expect) else {})
            for index, call in enumerate(mapped.calls)
        ]
    )
    if wanted == made:  # as JSON, where true is not 1 as it is for Python
        return []
    lines = difflib.ndiff(wanted, made)
    return ["expected (-) and made (+):", *(line.rstrip() for line in lines if not line.startswith("?"))]


def _written(call: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call with numbers and empty parts in one spelling, less what `like` does not ask about."""
    kept = {
        name: _one_spelling(value)
        for name, value in call.items()
        if (name not in _OPTIONAL or name in like) and value not in ({}, None)
    }
    for kind in IdentityKind:
        if type(kept.get(kind)) in {int, float}:
            kept[str(kind)] = str(kept[kind])
    if call.get("call") not in COUNTED_KINDS:
        kept.pop("event_id", None)
    return kept


def _one_spelling(value: Any) -> Any:
    """Return a value with 1 for 1.0 everywhere in it: JSON has one kind of number."""
    if isinstance(value, dict):
        return {name: _one_spelling(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_one_spelling(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _lines(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    text = [json.dumps(call, indent=2, ensure_ascii=False, sort_keys=True) for call in calls]
    return [line for call in text for line in call.splitlines()]


def _unexpected_failures(test: TestCase, mapped: Mapped) -> list[str]:
    reasons = [str(failure.reason) for failure in mapped.failures]
    wanted = test.errors
    if wanted in (reasons, len(reasons)):
        return []
    expected = f"{wanted} failures" if isinstance(wanted, int) else f"the failures {wanted}"
    told = [
        f"  {failure.reason}: {failure.source or 'the event'}: {failure.text}" for failure in mapped.failures
    ]
    return [f"expected {expected}, there are {len(reasons)}:", *told]
