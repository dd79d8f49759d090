"""One replay from the question to the summary: plan, progress, look-ahead, bill, guards, and the run."""

import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace

from rich.console import Console

from pipeline.cli import assembly
from pipeline.cli.people import needs_guard
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_display import moving
from pipeline.cli.replay_engine import run_engine
from pipeline.cli.replay_preflight import Preflight, Work
from pipeline.cli.replay_reading import planned, records_of
from pipeline.cli.replay_request import bounds_digest, choices_of, request_of, rules_of
from pipeline.cli.replay_settings import topic_of
from pipeline.config import Settings
from pipeline.erasures import can_erase
from pipeline.errors import ConfigurationError
from pipeline.kafka.replay_lookup import TopicLookup
from pipeline.kafka.replay_progress import Mark, ProgressStore, group_of
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.kafka.replay_reader import RangeReader
from pipeline.records import Record, TopicPartition
from pipeline.replay.bill import Bill
from pipeline.replay.choices import mapping_digest
from pipeline.replay.guards import check_campaigns
from pipeline.replay.outlets import UnkeptProgress
from pipeline.replay.plan import ranges_since
from pipeline.replay.resume import Finished, GoOn, decide, has_ended, this_process
from pipeline.replay.sieve import Sieve
from pipeline.replay.summary import Summary
from pipeline.replay.views import Reading, bill_table, plan_table
from pipeline.translation import Translator

AS_NEW_WARNING = (
    "--as-new gives every event another id: Customer.io counts each of them as new, also those that it has had before"
    " from these records. Use it for a workspace that has never seen them, or to count them again on purpose."
)


NO_GUARD_WARNING = (
    "A replay has no guard against ghost profiles (people.unidentified, people.new_profiles_per_day): it sends what the"
    " rules make, and Customer.io makes a profile for whoever it does not know."
)


class Session:
    """A replay with its settings. `stop` is asked often; `console` shows what happens.

    `live` translates as the live pipeline does, where the replay has other rules: people whom it erases are left out.

    Raises:
        ConfigurationError: the mapping or an option is wrong.
    """

    def __init__(
        self,
        arguments: ReplayArguments,
        settings: Settings,
        translator: Translator,
        stop: Callable[[], bool],
        console: Console,
        *,
        live: Translator | None = None,
    ) -> None:
        self._arguments, self._settings, self._stop = arguments, settings, stop
        self._console = console
        self._now = time.time()
        self._topic = topic_of(arguments, settings)
        self._translator = translator
        self._rules = rules_of(translator)
        both = (translator,) if live is None else (translator, live)
        self._watching = both if any(can_erase(rules_of(each)) for each in both) else ()
        self._choices = choices_of(arguments, settings, self._rules)
        self._kafka = assembly.kafka_options(settings)
        self.name = arguments.name or self._topic

    def run(self) -> Bill | Summary | Finished | None:
        """Do all of it; None when it was stopped before anything was sent.

        Raises:
            PipelineError: with what is wrong and what to do.
        """
        with ExitStack() as open_things:
            store = None if self._arguments.is_trial else self._store(open_things)
            work = self._work(store)
            if isinstance(work, Finished):
                return work
            self._show(work)
            preflight = Preflight(
                self._arguments,
                self._choices,
                self._settings,
                translator=self._translator,
                watching=self._watching,
                now=self._now,
                read=self._read,
                since=self._since,
            )
            sieve, bill = preflight.look(work, open_things)
            if bill is not None and not self._stop():
                self._console.print(bill_table(bill))
            if self._stop() or self._arguments.dry_run:
                return None if self._stop() else bill
            if bill is not None:
                check_campaigns(bill, self._choices)
            if store is not None:
                self._check_still_free(store, work)
                store.begin(self._mark(work), work.ranges, work.positions)
            return self._send(work, store, sieve)

    def _store(self, open_things: ExitStack) -> ProgressStore:
        group = group_of(self._settings.kafka.group_id, self.name)
        return open_things.enter_context(
            closing(ProgressStore(replace(self._kafka, group_id=group), time.time))
        )

    def _work(self, store: ProgressStore | None) -> Work | Finished:
        arguments = self._arguments
        request = request_of(arguments, self.name, self._topic, self._choices, self._rules)
        with TopicLookup(self._kafka) as lookup:
            names = [TopicPartition(self._topic, number) for number in lookup.partitions(self._topic)]
            watched = [*names, *self._elsewhere(lookup)]
            kept = None if store is None else store.load(names)
            decision = decide(request, kept, self._now, has_ended)
            if isinstance(decision, Finished):
                return decision
            if isinstance(decision, GoOn):
                held = {name: lookup.watermarks(name) for name in names}
                return Work(decision.ranges, decision.positions, held, watched, decision.bounds, kept)
            plan = planned(arguments, self._topic, lookup, self._now)
        starts = {name: each.start for name, each in plan.ranges.items()}
        return Work(plan.ranges, starts, plan.held, watched, bounds_digest(arguments, self._topic), kept)

    def _elsewhere(self, lookup: TopicLookup) -> list[TopicPartition]:
        """Return the partitions of the other topics that the live pipeline reads: deletions may come through them."""
        return [
            TopicPartition(topic, number)
            for topic, numbers in sorted(lookup.topics().items())
            if topic != self._topic and self._settings.kafka.reads(topic)
            for number in numbers
        ]

    def _check_still_free(self, store: ProgressStore, work: Work) -> None:
        """Looking ahead may take long: let nobody be overtaken who has begun with the name meanwhile."""
        if not self._arguments.take_over and store.load(tuple(work.held)) != work.kept:
            raise ConfigurationError(
                f"another process has begun to work on the replay {self.name!r} meanwhile; nothing was sent"
            )

    def _show(self, work: Work) -> None:
        self._console.print(
            f"Replay of {self._topic}{self._told_name(work)}", highlight=False, soft_wrap=True
        )
        self._console.print(plan_table(work.ranges, work.positions))
        if self._arguments.as_new is not None:
            self._console.print(AS_NEW_WARNING, style="yellow", highlight=False)
        if needs_guard(self._settings, self._rules):
            self._console.print(NO_GUARD_WARNING, style="yellow", highlight=False)

    def _told_name(self, work: Work) -> str:
        if self._arguments.is_trial:
            return ""
        if work.kept is None:
            return f"; nothing is kept under the name {self.name!r}, so it begins"
        goes_on = not self._arguments.restart
        return f"; {self.name!r} {'goes on where it was' if goes_on else 'begins again'}"

    def _read(
        self, what: str, ranges: Mapping[TopicPartition, ReplayRange], note: Callable[[list[Record]], None]
    ) -> None:
        reading = Reading(what, ranges)
        with moving(self._console, reading.line):
            for records in records_of(self._settings, ranges, self._stop):
                note(records)
                reading.add(records)

    def _since(
        self, partitions: Collection[TopicPartition], unix_ms: int
    ) -> Mapping[TopicPartition, ReplayRange]:
        with TopicLookup(self._kafka) as lookup:
            return ranges_since(lookup, partitions, unix_ms)

    def _send(self, work: Work, store: ProgressStore | None, sieve: Sieve) -> Summary:
        return run_engine(
            arguments=self._arguments,
            settings=self._settings,
            reader=RangeReader(
                self._kafka,
                work.ranges,
                work.positions,
                give_up_s=self._settings.replay.give_up_seconds,
            ),
            progress=UnkeptProgress() if store is None else store,
            sieve=sieve,
            stop=self._stop,
            console=self._console,
            name=None if store is None else self.name,
        )

    def _mark(self, work: Work) -> Mark:
        now_ms = int(time.time() * 1000)
        return Mark(
            run=uuid.uuid4().hex,
            started_ms=now_ms,
            owner=this_process(),
            heartbeat_ms=now_ms,
            bounds=work.bounds,
            options=self._choices.digest,
            mapping=mapping_digest(self._rules),
            partitions=len(work.ranges),
        )
