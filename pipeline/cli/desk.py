"""What the admin page asks about dead letters and people, answered in a process of its own.

`python -m pipeline.cli.desk`, started by the admin server and by nobody else: it gets the settings first, then
questions. A large file of dead letters or a retry takes nothing from the pipeline but a share of the machine.
"""

import base64
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

import orjson

from pipeline.cli import assembly, deadletters_view
from pipeline.cli.deadletters_options import secrets_of
from pipeline.cli.deadletters_sending import RETRY, Retry
from pipeline.cli.deadletters_store import Found, open_found
from pipeline.cli.decoding import open_decoder
from pipeline.cli.replay_request import rules_of
from pipeline.cli.signals import StopRequest
from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.deadletters.entry import Resolution, Settlement
from pipeline.deadletters.masking import Mask
from pipeline.deadletters.plan import translated
from pipeline.deadletters.redrive import Progress
from pipeline.deadletters.selection import by_kind
from pipeline.deadletters.unresolved import Unresolved
from pipeline.decode import Undecodable
from pipeline.decode.patience import patient
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.sample import read_sample
from pipeline.mapping import RuleSet
from pipeline.operations.helper_process import say, serve
from pipeline.operations.logs import configure_logs
from pipeline.records import Record
from pipeline.replay.choices import mapping_digest
from pipeline.replay.trace import Tracer

_MOST_LETTERS = 500
_MOST_TRACED = 100


class Desk:
    """Answers questions by the name in their `do`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answers: dict[str, Callable[..., Any]] = {
            "groups": self.groups,
            "letters": self.letters,
            "letter": self.letter,
            "preview": self.preview,
            "retry": self.retry,
            "dismiss": self.dismiss,
            "samples": self.samples,
            "person": self.person,
        }

    def __call__(self, question: Mapping[str, Any]) -> Any:
        """Answer one question."""
        asked = dict(question)
        return self._answers[asked.pop("do")](**asked)

    def groups(self) -> dict[str, Any]:
        """Return the dead letters by reason, rule and field, without any data of theirs."""
        if not self._has_letters():
            return {"dead_letters": 0, "groups": []}
        with self._found() as found:
            groups = [asdict(kind) for kind in by_kind(found.chosen)]
            return {"dead_letters": len(found.chosen), "groups": groups}

    def letters(self, group: Sequence[str | None]) -> dict[str, Any]:
        """Return the first dead letters of a group, without their originals."""
        with self._found(group) as found:
            mask = Mask()
            shown = [
                deadletters_view.letter_document(letter, mask) | {"position": str(letter.position)}
                for letter in found.chosen[:_MOST_LETTERS]
            ]
            return {"dead_letters": len(found.chosen), "each": shown}

    def letter(self, position: str, *, reveal: bool) -> dict[str, Any]:
        """Return the dead letters of a record whole; values are hidden unless they are to be revealed."""
        mask = self._mask(reveal=reveal)
        with (
            assembly.open_translator(self._settings) as current,
            self._found(position=position) as found,
        ):
            documents = [
                deadletters_view.record_document(record, translation, letters, found.archive, mask)
                for record, translation, letters in translated(
                    found.chosen, found.archive, patient(current.translate)
                )
            ]
        return {"records": documents}

    def preview(self, *, allow_irreversible: bool, **which: Any) -> dict[str, Any]:
        """Return what a retry would do; `shown` changes with whatever it would send."""
        with self._retry(which, allow_irreversible=allow_irreversible) as (retrying, shown):
            courses, calls = retrying.preview()
            return {
                "dead_letters": len(retrying.found.chosen),
                "courses": {str(course): count for course, count in courses.items()},
                "calls": dict(calls),
                "shown": shown,
            }

    def retry(self, *, allow_irreversible: bool, shown: str, **which: Any) -> dict[str, Any]:
        """Send dead letters again as a preview showed them, telling how far it is; a signal ends it in order.

        Raises:
            PipelineError: it is not what the preview showed, or what `Retry.send` raises.
        """
        stop = StopRequest()
        stop.listen()
        with self._retry(which, allow_irreversible=allow_irreversible, alone=RETRY) as (retrying, now_there):
            if now_there != shown:
                raise PipelineError(
                    "the dead letters or the mapping have changed since they were shown;"
                    " nothing was sent: look again at what a retry would do"
                )
            total = len(retrying.found.chosen)
            told = [-1]

            def look(now: Progress) -> None:
                if now.done != told[0]:
                    told[0] = now.done
                    say({"progress": {"dead_letters": total, **asdict(now)}})

            retrying.send(stop, look)
            return {"dead_letters": total, "stopped": stop(), **asdict(retrying.progress)}

    def dismiss(self, *, count: int, **which: Any) -> dict[str, Any]:
        """Take dead letters off the list, if they are as many as whoever asks believes."""
        with self._found(**which) as found:
            letters, ledger = found.chosen, found.stored.ledger
            if len(letters) != count:
                raise PipelineError(f"there are {len(letters):,} by now and not {count:,}; look again")
            now_ms = int(SystemClock().now() * 1000)
            for letter in letters:
                resolution = Resolution(letter.key, letter.last_seen_ms, now_ms, Settlement.DISMISSED)
                ledger.resolve(letter, resolution)
            ledger.flush()
        return {"dismissed": count}

    def samples(self, topic: str, count: int) -> dict[str, Any]:
        """Return the latest events of a topic, decoded; what is named like a secret is hidden."""
        decode, mask = patient(open_decoder(self._settings)), self._mask(reveal=True)
        records = read_sample(self._kafka(), topic, count)
        return {"records": [_sample(record, decode(record), mask) for record in reversed(records[-count:])]}

    def person(self, whom: str, records: int, *, reveal: bool) -> dict[str, Any]:
        """Return what became of the records about a person among the latest ones of each topic."""
        tracer = Tracer(whom, dead_letters=self._unresolved(), mask=self._mask(reveal=reveal))
        found, read = [], 0
        with assembly.open_translator(self._settings) as translator:
            translate = patient(translator.translate)
            for topic in _topics(self._settings):
                sampled = read_sample(self._kafka(), topic, records)
                read += len(sampled)
                found += [traced for each in sampled if (traced := tracer.trace(each, translate(each)))]
        newest = sorted(found, key=lambda traced: traced.time or "", reverse=True)
        return {
            "read": read,
            "found": len(newest),
            "records": [asdict(each) for each in newest[:_MOST_TRACED]],
        }

    # What the answers share

    def _found(
        self,
        group: Sequence[str | None] | None = None,
        position: str | None = None,
        *,
        alone: str | None = None,
    ) -> AbstractContextManager[Found]:
        """Open the dead letters and choose those of a group, or of a position, or all."""
        return open_found(self._settings, (), lambda letter: _is_chosen(letter, group, position), alone=alone)

    @contextmanager
    def _retry(
        self, which: Mapping[str, Any], *, allow_irreversible: bool, alone: str | None = None
    ) -> Iterator[tuple[Retry, str]]:
        """Compose a retry, and a digest of what it would send."""
        with (
            self._found(**which, alone=alone) as found,
            assembly.open_translator(self._settings) as current,
        ):
            retrying = Retry(
                self._settings,
                found,
                patient(current.translate),
                allow_irreversible=allow_irreversible,
                include_erased=False,
            )
            yield retrying, _digest(found.chosen, rules_of(current))

    def _unresolved(self) -> Sequence[Unresolved]:
        if not self._has_letters():
            return []
        with self._found() as found:
            return found.chosen

    def _has_letters(self) -> bool:
        letters = self._settings.deadletters
        return letters.topic is not None or letters.file.exists()

    def _mask(self, *, reveal: bool) -> Mask:
        return Mask(reveal=reveal, secrets=secrets_of(self._settings))

    def _kafka(self) -> KafkaOptions:
        return assembly.kafka_options(self._settings)


def _is_chosen(letter: Unresolved, group: Sequence[str | None] | None, position: str | None) -> bool:
    if group is not None and [letter.reason, letter.source and letter.source.rule, letter.field] != list(
        group
    ):
        return False
    return position is None or str(letter.position) == position


def _digest(letters: Iterable[Unresolved], rules: RuleSet) -> str:
    """Return a short text that changes with the letters, with their latest entries and with the mapping."""
    digest = blake2b(mapping_digest(rules).encode(), digest_size=16)
    for letter in letters:
        digest.update(repr((letter.key, letter.last_seen_ms)).encode())
    return digest.hexdigest()


def _topics(settings: Settings) -> Sequence[str]:
    """Return the topics that can be told.

    Raises:
        ConfigurationError: there is a pattern among them.
    """
    for topic in settings.kafka.topics:
        if topic.startswith("^"):
            raise ConfigurationError(
                f"the topics of the pattern {topic} cannot be told; use `cio-pipeline trace`"
            )
    return settings.kafka.topics


def _sample(record: Record, event: Any, mask: Mask) -> dict[str, Any]:
    """Return a record for the playground; its event as text, so that no number of it changes in a browser."""
    problem = f"{record.position}: {event.text}" if isinstance(event, Undecodable) else None
    shown = None if problem or event is None else mask.value(event)
    key, headers = (
        mask.octets(record.key),
        [(name, mask.octets(value, name)) for name, value in record.headers],
    )
    return {
        **record.position._asdict(),
        "timestamp_ms": record.timestamp_ms,
        "key": _text(key),
        "headers": {name: _text(value) for name, value in headers},
        "text": None
        if shown is None
        else orjson.dumps(shown, option=orjson.OPT_INDENT_2, default=str).decode(),
        "problem": problem,
    }


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def main() -> None:
    """Read the settings, then answer until nobody asks any more."""
    settings: Settings = pickle.loads(base64.b64decode(sys.stdin.buffer.readline()))  # noqa: S301 - our parent's
    configure_logs("json", "error")
    serve(Desk(settings), sys.stdin.buffer)


if __name__ == "__main__":
    main()
