"""`cio-pipeline run`: the long-running consumer."""

import os
import time
from pathlib import Path

import click

from pipeline import __version__
from pipeline.cli.config_option import config_option
from pipeline.cli.follow import follow_supervisor
from pipeline.cli.garbage import collect_seldom
from pipeline.cli.signals import StopRequest


@click.command()
@config_option(
    "The configuration file. Environment variables such as CIO_PIPELINE__KAFKA__GROUP_ID go over it."
)
@click.option(
    "--watch", is_flag=True, help="Load the mapping files again whenever they change, as SIGHUP does."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes share the partitions; one that ends is started again.",
)
def run(path: Path, watch: bool, workers: int) -> int:
    """Deliver records from Kafka to Customer.io until told to stop.

    SIGTERM or Ctrl-C finishes what is under way, commits and leaves the group; a second one ends at once, and what
    was under way is sent again at the next start. SIGHUP loads the mapping files again; new rules must compile and
    pass their tests, else the old ones stay in force.
    """
    stop = StopRequest()
    stop.listen()
    follow_supervisor()

    from pipeline.config import load_settings  # noqa: PLC0415 - imported late, so that `--help` stays fast

    settings = load_settings(path, os.environ, warn=lambda problem: click.echo(str(problem), err=True))

    if workers > 1:
        from pipeline.cli.workers import run_workers  # noqa: PLC0415 - keeps `--help` fast

        return run_workers(settings, path, workers, ("--watch",) if watch else ())

    import structlog  # noqa: PLC0415 - imported late, so that a mistake in the settings shows at once

    from pipeline.cli.assembly import open_pipeline  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.reload import Reloader  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.operations.logs import configure_logs  # noqa: PLC0415 - keeps `--help` fast

    configure_logs(settings.logs.format, settings.logs.level)
    log = structlog.get_logger(__name__)
    with open_pipeline(settings) as pipeline:
        log.info(
            "started",
            version=__version__,
            topics=list(settings.kafka.topics),
            group=settings.kafka.group_id,
            admin=pipeline.admin_address,
            process=os.getpid(),
        )
        reloader = Reloader(pipeline, settings, watch=watch, monotonic=time.monotonic)
        reloader.listen()

        def is_over() -> bool:
            reloader.check()
            return stop()

        collect_seldom()
        pipeline.engine.run(is_over)
    return stop.status
