"""The parts of an engine that know about people, where the settings or a rule ask for them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config import Settings
from pipeline.deadletters.keeper import DeadLetterKeeper
from pipeline.decode.patience import patient
from pipeline.delivery.lanes import Lanes
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.reread import reread
from pipeline.mapping import RuleSet
from pipeline.people.guard import GhostGuard, GuardOptions
from pipeline.people.known import KnownPeople
from pipeline.people.lanes import HoldingLanes, HoldLimits
from pipeline.people.learning import Learner
from pipeline.people.observed import ObservedSender, Observer
from pipeline.people.policies import Policies, own_policies
from pipeline.people.register import Register
from pipeline.people.source import LearningSource
from pipeline.people.unchanged import UnchangedIdentifies, UnchangedOptions
from pipeline.ports import Clock, Sender, Source
from pipeline.ports import Translator as RecordTranslator
from pipeline.records import Record, TopicPartition
from pipeline.tally import Tally
from pipeline.translation import Prepared, Translator
from pipeline.unidentified import Unidentified


@dataclass(frozen=True, slots=True)
class _Guarded:
    """What the guard against ghost profiles consists of."""

    guard: GhostGuard
    people: KnownPeople
    register: Register
    learner: Learner


@dataclass(frozen=True, slots=True)
class PeopleParts:
    """What goes around the parts of an engine; nothing where nobody asked for it."""

    translator: RecordTranslator
    _settings: Settings
    _observers: tuple[Observer, ...]
    _guarded: _Guarded | None

    def source(self, source: Source) -> Source:
        """Return the source that gives records only when it is known who is identified."""
        if self._guarded is None:
            return source
        return LearningSource(source, self._guarded.register, self._guarded.learner)

    def sender(self, sender: Sender) -> Sender:
        """Return the sender that tells what became of calls."""
        return ObservedSender(sender, self._observers) if self._observers else sender

    def lanes(self, dead_letters: DeadLetterKeeper, **limits: Any) -> Lanes:
        """Return the lanes, which hold what is to be held."""
        if self._guarded is None:
            return Lanes(**limits)
        return HoldingLanes(
            self._guarded.guard, self._guarded.people, dead_letters, _hold_limits(self._settings), **limits
        )

    def objection(self, rules: RuleSet) -> str | None:
        """Return why these rules cannot take the place of those in force, None where they can."""
        if self._guarded is None and _has_policies(rules):
            return "a rule has 'unidentified' now, which takes effect only from a start: restart the pipeline"
        return None


def open_people(
    settings: Settings,
    *,
    kafka: KafkaOptions,
    translator: Translator,
    open_translator: Callable[[], Translator],
    tally: Tally,
    clock: Clock,
) -> PeopleParts:
    """Build what the settings and the rules of `translator` ask for. Another translator is opened for what is learned.

    Raises:
        ConfigurationError: the file of known people cannot be used.
    """
    first: RecordTranslator = translator
    observers: list[Observer] = []
    if settings.people.skip_unchanged:
        first = unchanged = UnchangedIdentifies(first, _unchanged_options(settings), clock, tally.left_out)
        observers.append(unchanged.settled)
    guarded = None
    if needs_guard(settings, _rules(translator)):
        guarded = _open_guard(
            settings,
            kafka=kafka,
            inner=first,
            translator=translator,
            open_translator=open_translator,
            tally=tally,
            clock=clock,
        )
        first = guarded.guard
        observers.append(guarded.people.settled)
    return PeopleParts(first, settings, tuple(observers), guarded)


def _open_guard(
    settings: Settings,
    *,
    kafka: KafkaOptions,
    inner: RecordTranslator,
    translator: Translator,
    open_translator: Callable[[], Translator],
    tally: Tally,
    clock: Clock,
) -> _Guarded:
    def open_register() -> Register:
        return Register(settings.people.known_file, settings.people.known_max_people)

    def count_made() -> None:
        tally.profiles_made += 1

    def read(
        partition: TopicPartition, start: int | None, end: int, stop: Callable[[], bool]
    ) -> Iterator[Sequence[Record]]:
        return reread(kafka, partition, start, end, stop)

    again = open_translator()

    def calls_of(record: Record, stop: Callable[[], bool]) -> Iterable[Prepared]:
        again.mapper = translator.mapper  # the rules in force, also after a reload
        return patient(again.translate, stop=stop)(record).calls

    register = open_register()
    people = KnownPeople(register, clock.now, count_made)
    policies = Policies(Unidentified(settings.people.unidentified), lambda: _rules(translator))
    options = GuardOptions(settings.people.identified_by == "email", settings.people.new_profiles_per_day)
    guard = GhostGuard(inner, people, policies, options, tally.left_out)
    return _Guarded(guard, people, register, Learner(read, calls_of, open_register, clock.now))


def _rules(translator: Translator) -> RuleSet:
    assert isinstance(translator.mapper, RuleSet)
    return translator.mapper


def needs_guard(settings: Settings, rules: RuleSet) -> bool:
    """Tell whether the settings or a rule ask for the guard against ghost profiles."""
    people = settings.people
    return people.unidentified != "send" or people.new_profiles_per_day is not None or _has_policies(rules)


def _has_policies(rules: RuleSet) -> bool:
    return any(policy is not Unidentified.SEND for policy in own_policies(rules).values())


def _unchanged_options(settings: Settings) -> UnchangedOptions:
    return UnchangedOptions(
        settings.people.unchanged_max_people,
        settings.people.unchanged_max_age_seconds,
        settings.timestamps.future_tolerance_seconds,
    )


def _hold_limits(settings: Settings) -> HoldLimits:
    """Of what may be open, a quarter may be held, and half of a partition's span: reading goes on beside it."""
    people, delivery = settings.people, settings.delivery
    return HoldLimits(
        people.hold_seconds,
        people.hold_max_calls,
        delivery.max_open_bytes // 4,
        max(1, delivery.max_open_span // 2),
    )
