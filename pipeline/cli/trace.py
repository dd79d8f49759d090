"""`cio-pipeline trace`: why did this person not get the mail?"""

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.config_option import config_option
from pipeline.cli.signals import StopRequest
from pipeline.errors import ExitStatus

if TYPE_CHECKING:
    from pipeline.replay.trace import Traced

_POSITION = re.compile(r"(.+)/(\d+)@(\d+)\Z")


@click.command()
@click.argument("whom", metavar="PERSON|TOPIC/PARTITION@OFFSET")
@config_option("The configuration of the live pipeline.")
@click.option("--topic", help="The topic to read; needed where the live pipeline reads several.")
@click.option(
    "--from",
    "begin",
    multiple=True,
    metavar="[PARTITION:]BOUND",
    help="Where to begin, as in `replay`; the earliest record if left out.",
)
@click.option("--until", multiple=True, metavar="[PARTITION:]BOUND", help="Where to end, as in `replay`.")
@click.option("--partitions", metavar="0,2-4", help="Read only these partitions.")
@click.option("--sandbox", metavar="URL", help="Ask this sandbox what became of the calls.")
@click.option(
    "--show-data",
    is_flag=True,
    help="Show values, which may be personal data; of a single record also each rule, part by part.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def trace(*, whom: str, sandbox: str | None, **options: Any) -> int:
    """Show every record about a person: the rules that matched, the calls, the dead letters and the answers.

    A person is an id, or email:a@b.c and the like. A record is named by its position, such as shop-events/0@1200.
    The exit status is 1 when there is nothing about them in the range.
    """
    from pipeline.cli.replay_arguments import ReplayArguments  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.cli.trace_reading import read_traces  # noqa: PLC0415 - keeps `--help` fast

    if sandbox is not None and not sandbox.startswith(("http://", "https://")):
        raise click.UsageError("--sandbox must be http:// or https:// and a host.")
    stop = StopRequest()
    stop.listen()
    position = _POSITION.match(whom)
    if position is not None:
        topic, partition, offset = position.groups()
        bounds = {"begin": (f"{partition}:{offset}",), "until": (f"{partition}:{int(offset) + 1}",)}
        options |= {"topic": topic, "partitions": partition, **bounds}
    as_json, begin = options.pop("as_json"), options.pop("begin") or ("earliest",)
    arguments = ReplayArguments(**options, begin=begin, dry_run=True)
    found = read_traces(arguments, None if position else whom, sandbox, stop)
    if stop():
        return stop.status
    if as_json:
        click.echo(json.dumps({"whom": whom, "records": [asdict(each) for each in found]}))
    else:
        _print(whom, found)
    return ExitStatus.DONE if found else ExitStatus.FAILED


def _print(whom: str, found: "list[Traced]") -> None:
    if not found:
        click.echo(f"There is nothing about {whom} in the range.")
    for each in found:
        click.echo(f"{each.position}  {each.time or 'without a time'}  {each.outcome}: {each.why}")
        for call in each.calls:
            answer = "" if call.answer is None else f"  -> {call.answer}"
            click.echo(f"    call {call.source}  {json.dumps(call.payload, ensure_ascii=False)}{answer}")
        for failure in each.failures:
            click.echo(f"    failed {failure}")
        for letter in each.dead_letters:
            click.echo(f"    dead letter {letter}")
