"""The engine of a replay: that of the live pipeline, between a source with an end and a sieve."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from rich.console import Console

from pipeline.cli import assembly
from pipeline.cli.garbage import collect_seldom
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.replay_display import moving
from pipeline.cli.replay_sandbox import takes_any_credentials
from pipeline.cli.replay_settings import sent_to
from pipeline.cli.sending import open_sender
from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.customerio.credentials import Credentials
from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.delivery.lanes import Lanes
from pipeline.delivery.lease import Lease
from pipeline.engine import Engine
from pipeline.kafka.replay_reader import RangeReader
from pipeline.kafka.replay_source import Progress, ReplaySource
from pipeline.ports import Sender
from pipeline.replay.lanes import FillingLanes
from pipeline.replay.outlets import CountedDeadLetters, FileSender, MarkedDeadLetters
from pipeline.replay.resume import STALE_AFTER_S
from pipeline.replay.sieve import Sieve
from pipeline.replay.summary import Summary
from pipeline.replay.views import RunView
from pipeline.sandbox import SandboxServer
from pipeline.tally import Tally

SANDBOX_CREDENTIALS = Credentials("replay", "replay")


def run_engine(
    *,
    arguments: ReplayArguments,
    settings: Settings,
    reader: RangeReader,
    progress: Progress,
    sieve: Sieve,
    stop: Callable[[], bool],
    console: Console,
    name: str | None,
) -> Summary:
    """Send everything of the reader's ranges that the sieve lets through, until `stop` says so.

    Raises:
        PipelineError: Kafka or Customer.io refuse for good, or another process has taken the replay over.
    """
    tally, clock, started = Tally(), SystemClock(), time.monotonic()
    source = ReplaySource(reader, progress)
    lease = Lease(STALE_AFTER_S / 2, doubt_s=0.0)  # whoever takes over waits for twice as long

    def is_done() -> bool:
        return source.exhausted and tally.settled.total() >= tally.records.total()

    with ExitStack() as closing:
        receiver = _receiver(arguments, settings, closing)
        engine = Engine(
            source=source,
            sender=_sender(arguments, receiver, tally, lease, clock),
            dead_letters=_dead_letters(settings, name, sieve, tally, clock),
            translator=sieve,
            lanes=_lanes(settings, lambda: source.exhausted),
            lease=lease,
            clock=clock,
            tally=tally,
            options=assembly.engine_options(settings),
        )
        view = RunView(reader.ranges, reader.positions, tally, sieve.left_out)
        collect_seldom()
        with moving(console, view.line, view.drawing):
            engine.run(lambda: stop() or is_done())
    seconds = time.monotonic() - started
    return Summary.of(name, tally, sieve.left_out, finished=is_done(), seconds=seconds)


def _receiver(arguments: ReplayArguments, settings: Settings, closing: ExitStack) -> Settings:
    """Return the settings with the sandbox in Customer.io's place, where one was asked for."""
    if arguments.sandbox is None:
        return settings
    if arguments.sandbox != "own":
        any_do = takes_any_credentials(arguments.sandbox)
        credentials = SANDBOX_CREDENTIALS if any_do else assembly.credentials_of(settings)()
        return sent_to(settings, arguments.sandbox, credentials)
    sandbox = closing.enter_context(SandboxServer(SANDBOX_CREDENTIALS))
    return sent_to(settings, sandbox.base_url, SANDBOX_CREDENTIALS)


def _sender(
    arguments: ReplayArguments, settings: Settings, tally: Tally, lease: Lease, clock: SystemClock
) -> Sender:
    if arguments.output is not None:
        return FileSender(arguments.output)
    return open_sender(
        settings,
        assembly.credentials_of(settings),
        tally,
        clock,
        may_send=lambda: lease.holds(clock.monotonic()),
    )


def _dead_letters(
    settings: Settings, name: str | None, sieve: Sieve, tally: Tally, clock: SystemClock
) -> DeadLetterKeeper:
    if name is None:
        return DeadLetterKeeper(CountedDeadLetters(), FailureLimits(share=None), clock, tally)
    # Somebody is watching: at the limit a replay ends and says why, where the live pipeline may wait.
    limits = replace(assembly.failure_limits(settings), action="stop")
    store = MarkedDeadLetters(assembly.dead_letter_store(settings), name, sieve.as_new, sieve.carried, tally)
    return DeadLetterKeeper(store, limits, clock, tally)


def _lanes(settings: Settings, is_last: Callable[[], bool]) -> Lanes:
    delivery = settings.delivery
    return FillingLanes(
        max_bytes=delivery.batch_max_bytes,
        max_items=delivery.batch_max_items,
        identify_barrier=delivery.identify_barrier,
        is_last=is_last,
    )
