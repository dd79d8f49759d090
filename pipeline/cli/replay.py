"""`cio-pipeline replay`: records once more, from an offset or a moment."""

import json
from pathlib import Path
from typing import Any

import click

from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.cli.signals import StopRequest
from pipeline.errors import ExitStatus

_CONFIG = click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("pipeline.yaml"),
    show_default=True,
    help="The configuration of the live pipeline.",
)
_MAPPING = click.Path(exists=True, path_type=Path)


@click.group(invoke_without_command=True)
@_CONFIG
@click.option("--topic", help="The topic to read; needed where the live pipeline reads several.")
@click.option(
    "--from",
    "begin",
    multiple=True,
    metavar="[PARTITION:]BOUND",
    help="Where to begin: an offset, a time (2026-01-31T08:00:00Z), a time ago (24h), earliest or now."
    " 0:1200 is for partition 0 alone; the others need a --from too, or --partitions 0 leaves them out.",
)
@click.option(
    "--until",
    multiple=True,
    metavar="[PARTITION:]BOUND",
    help="Where to end, before this; the end of each partition when the replay starts, if left out.",
)
@click.option(
    "--slack",
    metavar="1h",
    help="Stop reading at the first record that is newer than a time in --until by this much. Without it all is read"
    " to the end, because records of a time need not stand together.",
)
@click.option("--partitions", metavar="0,2-4", help="Read only these partitions.")
@click.option("--rules", multiple=True, metavar="NAME", help="Send only what these rules make.")
@click.option(
    "--people",
    multiple=True,
    metavar="ID|@FILE",
    help="Send only what is about these people: U1, email:a@b.c, or a file with one a line.",
)
@click.option("--mapping", multiple=True, type=_MAPPING, help="Other mapping files than the live ones.")
@click.option("--name", help="The name under which progress is kept; the topic's if left out.")
@click.option("--restart", is_flag=True, help="Begin again, whatever is kept under the name.")
@click.option("--take-over", is_flag=True, help="Go on although another process seems to be at work.")
@click.option("--accept-mapping", is_flag=True, help="Go on although the mapping has changed.")
@click.option("--dry-run", is_flag=True, help="Send nothing, and print the bill.")
@click.option("--sample", metavar="1%", help="With --dry-run: look at a part of the keys and extrapolate.")
@click.option(
    "--campaign-window",
    metavar="72h",
    help="Events up to this old may trigger campaigns; replay.campaign_window_hours if left out.",
)
@click.option("--allow-campaigns", is_flag=True, help="Send events that may trigger campaigns.")
@click.option("--older-than", metavar="72h", help="Send only calls about what is older.")
@click.option("--drop-recent", is_flag=True, help="Leave out events that may trigger campaigns.")
@click.option(
    "--allow-irreversible",
    is_flag=True,
    help="Send destroy, suppress, unsuppress, merge, delete_device, relate and raw calls too.",
)
@click.option("--include-erased", is_flag=True, help="Send also what is about people who were erased later.")
@click.option(
    "--identify",
    type=click.Choice(["each", "fold"]),
    default="each",
    show_default=True,
    help="fold: put a person's identifies together into one.",
)
@click.option(
    "--as-of",
    type=click.Choice(["event", "now"]),
    default="event",
    show_default=True,
    help="now: let identifies overwrite what is newer.",
)
@click.option("--as-new", metavar="SALT", help="Give every event another id, so that it counts as new.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=100_000),
    help="Requests a second; instead of --share.",
)
@click.option(
    "--share",
    type=click.FloatRange(min=0, min_open=True, max=1),
    help="The part of delivery.rate.requests_per_second to use; replay.share if left out.",
)
@click.option(
    "--to-sandbox",
    "sandbox",
    is_flag=False,
    flag_value="own",
    metavar="[URL]",
    help="Send into a local Customer.io: one of its own, or the one at URL.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the calls into this file, as JSON lines, and send nothing.",
)
@click.option(
    "--diff",
    nargs=2,
    type=_MAPPING,
    metavar="OLD NEW",
    help="Send nothing, and show what the mapping NEW makes of the records in place of OLD.",
)
@click.option("--fail-on-change", is_flag=True, help="With --diff: exit status 1 when anything differs.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --diff: write a page to attach to a pull request.",
)
@click.option("--show-data", is_flag=True, help="With --diff: show values, which may be personal data.")
@click.option("--json", "as_json", is_flag=True, help="Print the bill or the summary as one JSON object.")
@click.pass_context
def replay(context: click.Context, /, **options: Any) -> int:
    """Send records of a topic once more, beside the live pipeline and without touching its offsets.

    Events have the ids that they had before, so that Customer.io does not count again what it has had. Interrupted,
    the same command goes on where it was.
    """
    if context.invoked_subcommand is not None:
        context.obj = options
        return ExitStatus.DONE
    arguments = ReplayArguments(**options)
    _check(arguments)
    stop = StopRequest()
    stop.listen()
    if arguments.diff is not None:
        from pipeline.cli.replay_diff import run_diff  # noqa: PLC0415 - keeps `--help` fast

        status = run_diff(arguments, stop)
        return stop.status if stop() else status
    return _run(arguments, stop)


@replay.command("list")
@click.pass_obj
def list_replays(options: dict[str, Any]) -> int:
    """Show the names under which progress is kept, their ranges and how far they are."""
    from pipeline.cli.replay_listing import show_replays  # noqa: PLC0415 - keeps `--help` fast

    show_replays(options["path"], as_json=options["as_json"])
    return ExitStatus.DONE


def _check(arguments: ReplayArguments) -> None:
    """Refuse options that contradict each other."""
    if not arguments.begin and (arguments.is_trial or arguments.has_bounds):
        raise click.UsageError(
            "--from is missing: say where to begin, for example --from 24h or --from earliest."
        )
    ways = [
        arguments.dry_run,
        arguments.sandbox is not None,
        arguments.output is not None,
        arguments.diff is not None,
    ]
    if sum(ways) > 1:
        raise click.UsageError("Choose one of --dry-run, --to-sandbox, --output and --diff.")
    if arguments.diff is None and (arguments.fail_on_change or arguments.html or arguments.show_data):
        raise click.UsageError("--fail-on-change, --html and --show-data are for --diff.")
    if arguments.diff is not None and arguments.mapping:
        raise click.UsageError("--mapping has no effect on --diff, which names both mappings.")
    if arguments.rate is not None and arguments.share is not None:
        raise click.UsageError("Choose one of --rate and --share.")
    if arguments.sample and not arguments.dry_run:
        raise click.UsageError("--sample is for --dry-run: a real run looks at everything.")
    choices = [arguments.allow_campaigns, arguments.older_than is not None, arguments.drop_recent]
    if sum(choices) > 1:
        raise click.UsageError("Choose one of --allow-campaigns, --older-than and --drop-recent.")


def _run(arguments: ReplayArguments, stop: StopRequest) -> int:
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` fast

    from pipeline.cli.assembly import open_translator  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.replay_live import open_live  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.replay_session import Session  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.replay_settings import for_replay, live_settings  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.operations.logs import configure_logs  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.replay.bill import Bill  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.replay.summary import Summary  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.replay.views import summary_table  # noqa: PLC0415 - keeps `--help` fast

    as_live = live_settings(arguments)
    settings = for_replay(as_live, arguments)
    configure_logs(settings.logs.format, "warning")
    console = Console(stderr=True)
    with open_translator(settings) as translator, open_live(as_live, arguments) as live:
        session = Session(arguments, settings, translator, stop, console, live=live)
        outcome = session.run()
    if outcome is None:
        return stop.status
    if isinstance(outcome, Bill | Summary):
        if arguments.as_json:
            click.echo(json.dumps(outcome.as_json()))
        if isinstance(outcome, Bill):
            return ExitStatus.DONE
        console.print(summary_table(outcome))
        return _end(outcome.finished, session.name, arguments, stop)
    if arguments.as_json:
        click.echo(json.dumps({"name": session.name, "finished": True, "finished_ms": outcome.at_ms}))
    click.echo(f"The replay {session.name!r} is finished; --restart begins it again.", err=True)
    return ExitStatus.DONE


def _end(finished: bool, name: str, arguments: ReplayArguments, stop: StopRequest) -> int:
    if finished:
        click.echo("Finished: everything of the ranges is accounted for.", err=True)
        return ExitStatus.DONE
    if not arguments.is_trial:
        click.echo(f"Interrupted. The same command goes on where it was (--name {name}).", err=True)
    return stop.status
