"""What a replay finds out before it sends anything: who was erased, what folds together, and the bill."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from pipeline.cli.receipting import receipted_erasures
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_request import sample_of
from pipeline.config import Settings
from pipeline.decode.patience import patient
from pipeline.erasures import Erasures
from pipeline.kafka.replay_progress import KeptReplay
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.bill import Bill, Survey
from pipeline.replay.choices import Choices
from pipeline.replay.fold import Fold
from pipeline.replay.look_ahead import LookAhead, Read, Since
from pipeline.replay.requests import RequestEstimate
from pipeline.replay.sieve import Sieve
from pipeline.translation import Translator


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done: ranges, where each stands, and what all partitions of the topic hold now.

    `watched` are the partitions in which people of the ranges may be erased, also those of other topics. `bounds` is a
    digest of what was asked for, `kept` what is kept under the name.
    """

    ranges: Mapping[TopicPartition, ReplayRange]
    positions: Mapping[TopicPartition, int]
    held: Mapping[TopicPartition, tuple[int, int]]
    watched: Sequence[TopicPartition]
    bounds: str
    kept: KeptReplay | None = None

    @property
    def left(self) -> dict[TopicPartition, ReplayRange]:
        """The ranges from where they stand."""
        return {name: replace(each, start=self.positions[name]) for name, each in self.ranges.items()}

    @property
    def left_and_behind(self) -> dict[TopicPartition, ReplayRange]:
        """Everything from where the ranges stand to the ends of their partitions."""
        return {
            name: ReplayRange(self.positions[name], max(each.end, self.held[name][1]))
            for name, each in self.ranges.items()
        }


class Preflight:
    """Looks at the records of a replay as often as the choices need it, and not once more.

    `watching` are the translators that can tell of an erasure: the replay's own, and the live pipeline's.
    """

    def __init__(
        self,
        arguments: ReplayArguments,
        choices: Choices,
        settings: Settings,
        *,
        translator: Translator,
        watching: Sequence[Translator],
        now: float,
        read: Read,
        since: Since,
    ) -> None:
        self._arguments, self._choices, self._settings = arguments, choices, settings
        self._translator, self._watching, self._now = translator, watching, now
        self._read, self._since = read, since

    def look(self, work: Work, open_things: ExitStack) -> tuple[Sieve, Bill | None]:
        """Return the sieve to send through, and the bill where it was asked for or a guard must know it.

        Raises:
            PipelineError: the records cannot be read.
        """
        erasures = self._look_ahead(work)
        fold = self._fold(work, erasures, open_things)
        return self._sieve(erasures, fold), self._bill(work, erasures, fold)

    def _look_ahead(self, work: Work) -> Erasures | None:
        """Find out who is erased later: from the receipts, and from the records where any rule erases."""
        choices = self._choices
        if choices.include_erased:
            return None
        erasures = receipted_erasures(self._settings)
        if not self._watching:
            return erasures
        starts = {name: each.start for name, each in work.ranges.items()}
        whole = replace(work, positions=starts) if choices.fold_identifies else work
        # Only a call that erases asks who came back, and without leave none is sent.
        LookAhead(self._read, self._since, [each.translate for each in self._watching], erasures).find(
            whole.left, whole.left_and_behind, work.watched, signs_of_life=choices.allow_irreversible
        )
        return erasures

    def _sieve(self, erasures: Erasures | None, fold: Fold | None = None) -> Sieve:
        return Sieve(self._translator.translate, self._choices, self._now, erasures, fold)

    def _fold(self, work: Work, erasures: Erasures | None, open_things: ExitStack) -> Fold | None:
        """Put identifies together, of the whole range: what was sent before an interruption carries the rest too."""
        if not self._choices.fold_identifies:
            return None
        fold = open_things.enter_context(Fold(by_time=not self._choices.identify_as_of_now))
        sieve = self._sieve(erasures)
        translate = patient(self._translator.translate)

        def note(records: list[Record]) -> None:
            for record in records:
                fold.note(record, translate(record), lambda record, call: sieve.reason(record, call) is None)

        self._read("putting identifies together", work.ranges, note)
        fold.seal()
        return fold

    def _bill(self, work: Work, erasures: Erasures | None, fold: Fold | None) -> Bill | None:
        """Count what would be sent, where it was asked for or a guard must know."""
        choices, arguments = self._choices, self._arguments
        decided = choices.allow_campaigns or choices.drop_recent or arguments.is_trial
        if decided and not arguments.dry_run:
            return None
        delivery = self._settings.delivery
        rate = delivery.rate
        survey = Survey(
            self._sieve(erasures, fold),
            RequestEstimate(
                max_bytes=delivery.batch_max_bytes,
                max_items=delivery.batch_max_items,
                max_in_flight=delivery.max_in_flight_requests,
                identify_barrier=delivery.identify_barrier,
            ),
            now=self._now,
            window_s=choices.campaign_window_s,
            rate_per_s=rate.requests_per_second * rate.share,
            sample=sample_of(arguments.sample),
        )
        self._read("counting", work.left, survey.note)
        return survey.bill()
