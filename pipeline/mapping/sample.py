"""A first mapping file from a sample of events: guesses, each with its reason beside it."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.documents import parse_document
from pipeline.mapping.cases import record_of, shown
from pipeline.mapping.expression.functions import EvaluationError
from pipeline.mapping.expression.functions.time import epoch
from pipeline.mapping.loading import compile_rules
from pipeline.mapping.rules import TestCase
from pipeline.mapping.ruleset import RuleSet

_TYPE_NAMES = ("type", "event_type", "eventType", "event", "event_name", "name", "kind", "action")
_ID_NAMES = ("user_id", "userId", "customer_id", "customerId", "account_id", "uid", "id")
_PERSON_NAMES = ("user", "customer", "person", "account", "profile", "contact", "data")
_TIME_NAMES = (
    "timestamp",
    "occurred_at",
    "occurredAt",
    "time",
    "ts",
    "created_at",
    "createdAt",
    "sent_at",
    "sentAt",
)
_MOST_TYPES = 40
_MOST_VALUES = 200
_MOST_ATTRIBUTES = 40
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_IDENTIFY = re.compile(r"(sign|regist|creat|updat|identif|profile|chang).*", re.IGNORECASE)
_DESTROY = re.compile(
    r"(user|customer|account|person|profile|contact).*(delet|eras|remov|destroy)", re.IGNORECASE
)

Path = tuple[str, ...]


class Sample:
    """What a sample of events has in common."""

    def __init__(self, events: Sequence[Any]) -> None:
        self.events = [event for event in events if isinstance(event, dict)]
        self.paths: Counter[Path] = Counter()
        for event in self.events:
            self.paths.update({path for path, _ in leaves(event)})

    def type_path(self) -> Path | None:
        """Return the path that most likely tells kinds of events apart: few texts, in most events."""
        return self._best(
            _TYPE_NAMES, lambda values: 0 < len(set(values)) <= max(1, min(_MOST_TYPES, len(values)))
        )

    def time_path(self) -> Path | None:
        """Return the path that most likely tells when an event happened."""
        return self._best(_TIME_NAMES, lambda values: all(_is_time(value) for value in values))

    def email_path(self) -> Path | None:
        """Return the path whose texts are e-mails."""
        return self._best(("email",), lambda values: all(_EMAIL.fullmatch(str(value)) for value in values))

    def id_path(self) -> Path | None:
        """Return the path that most likely names the person."""
        candidates = [path for path in self.paths if path[-1] in _ID_NAMES and self._is_persons(path)]
        ranked = sorted(
            candidates, key=lambda path: (-self.paths[path], len(path), _ID_NAMES.index(path[-1]))
        )
        return ranked[0] if ranked else None

    def _is_persons(self, path: Path) -> bool:
        return path[-1] != "id" or (len(path) > 1 and path[-2] in _PERSON_NAMES)

    def _best(self, names: Sequence[str], fits: Any) -> Path | None:
        found = []
        for path, count in self.paths.items():
            values = [value for event in self.events if (value := value_at(event, path)) is not None][
                :_MOST_VALUES
            ]
            if path[-1] in names and values and fits(values):
                found.append((-count, len(path), names.index(path[-1]), path))
        return min(found)[-1] if found else None


def first_mapping(events: Sequence[Any], origin: str) -> str:
    """Return a mapping file with tests for events like these; `origin` says where they came from.

    The tests expect what the rules make of the first event of each kind: they hold until someone changes a rule.
    """
    text = _Text(Sample(events), origin)
    rules = "\n".join(text.lines()) + "\n"
    return rules + "\n".join(text.tests(compile_rules([parse_document(rules, origin)]))) + "\n"


class _Text:
    def __init__(self, sample: Sample, origin: str) -> None:
        self._sample, self._origin = sample, origin
        self._type, self._id = sample.type_path(), sample.id_path()
        self._time, self._email = sample.time_path(), sample.email_path()

    def lines(self) -> Iterator[str]:
        count = len(self._sample.events)
        yield f"# A first mapping, guessed from {count} events of {self._origin}. Read it before you use it."
        yield "version: 1"
        yield ""
        yield "defaults:"
        yield from self._identity()
        if self._time:
            yield f"  timestamp: ${{{written(self._time)}}} # {self._seen(self._time)}, and reads as a time"
        yield ""
        yield "rules:"
        kinds = self._kinds()
        for kind, count in kinds:
            yield from self._rule(kind, count)

    def _identity(self) -> Iterator[str]:
        if self._id:
            yield f"  id: ${{{written(self._id)}}} # {self._seen(self._id)}"
        if self._email:
            yield f"  email: ${{lower({written(self._email)})}} # {self._seen(self._email)}; names people without an id"
        if not self._id and not self._email:
            yield "  id: ${user.id} # nothing looked like a person's id or e-mail: put the right path here"

    def _seen(self, path: Path) -> str:
        return f"in {self._sample.paths[path]} of {len(self._sample.events)} events"

    def _kinds(self) -> list[tuple[str | None, int]]:
        if self._type is None:
            return [(None, len(self._sample.events))]
        values = [value_at(event, self._type) for event in self._sample.events]
        kinds = Counter(value for value in values if isinstance(value, str) and value.strip())
        return list(kinds.most_common(_MOST_TYPES))

    def _rule(self, kind: str | None, count: int) -> Iterator[str]:
        name = kind or "everything"
        yield f"  - name: {_quoted(name)} # {count} of {len(self._sample.events)} events"
        if kind is not None and self._type is not None:
            yield f"    when: {_quoted(f'{written(self._type)} == {_raw(kind)}')}"
        if _DESTROY.search(name):
            yield "    destroy: {} # the name says that the person is gone; this cannot be undone"
            yield ""
            return
        attributes = self._attributes(kind)
        if _IDENTIFY.search(name):
            yield "    identify: # the name says that the person changed"
            yield from self._written_attributes(attributes)
        yield "    track:"
        yield f"      name: {_quoted(name)}"
        yield from self._written_attributes(attributes)
        yield ""

    def _written_attributes(self, attributes: dict[str, Path]) -> Iterator[str]:
        if not attributes:
            return
        yield "      attributes:"
        for name, path in attributes.items():
            yield f"        {_quoted(name)}: {_quoted(f'${{{written(path)}}}')}"

    def _attributes(self, kind: str | None) -> dict[str, Path]:
        """Name each leaf of the events of a kind by its last part, or by its whole path where that is taken."""
        events = self._events(kind)
        paths = Counter(path for event in events for path, _ in leaves(event))
        used = {self._type, self._id, self._time}
        found: dict[str, Path] = {}
        for path in sorted(path for path in paths if path not in used)[:_MOST_ATTRIBUTES]:
            found["_".join(path) if path[-1] in found or path[-1] == "id" else path[-1]] = path
        return found

    def _events(self, kind: str | None) -> list[Any]:
        if kind is None or self._type is None:
            return self._sample.events
        return [event for event in self._sample.events if value_at(event, self._type) == kind]

    def tests(self, rules: RuleSet) -> Iterator[str]:
        """Yield a test for each kind of event."""
        kinds = self._kinds()
        if kinds:
            yield "tests:"
        for kind, _ in kinds:
            event = self._events(kind)[0]
            test = TestCase.model_validate(
                {"name": f"an event of {kind}" if kind else "an event", "expect": []}
            )
            mapped = rules.map(event, *record_of(test))
            yield f"  - name: {_quoted(test.name)}"
            yield f"    event: {json.dumps(event, ensure_ascii=False)}"
            yield f"    expect: {'' if mapped.calls else '[]'}".rstrip()
            for call in mapped.calls:
                view = {name: part for name, part in shown(call).items() if name != "rule"}
                yield f"      - {json.dumps(view, ensure_ascii=False)}"
            if mapped.failures:
                yield f"    errors: {json.dumps([str(failure.reason) for failure in mapped.failures])}"


def leaves(event: dict[str, Any], prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the paths of an event's values that are not objects, as deep as four names."""
    for name, value in event.items():
        if isinstance(value, dict) and len(prefix) < 3:
            yield from leaves(value, (*prefix, name))
        elif value is not None and name:
            yield (*prefix, name), value


def value_at(event: Any, path: Path) -> Any:
    """Return what stands at a path, None if nothing does."""
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    return event


def written(path: Path) -> str:
    """Return a path as an expression."""
    return ".".join(
        name if _PLAIN.fullmatch(name) and name not in {"true", "false", "null"} else json.dumps(name)
        for name in path
    )


def _is_time(value: Any) -> bool:
    if type(value) not in {str, int, float}:
        return False
    try:
        return bool(epoch(value) > 100_000_000)
    except EvaluationError:
        return False


def _raw(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted(text: str) -> str:
    """Return a text as a YAML scalar, quoted where it must be."""
    plain = re.fullmatch(r"[A-Za-z$][A-Za-z0-9 _./'=${}()-]*", text) and not text.endswith(" ")
    return text if plain and text.lower() not in {"true", "false", "null", "yes", "no"} else json.dumps(text)
