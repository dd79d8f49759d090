"""`cio-pipeline demo`: the real pipeline on a broker and a Customer.io that need no set-up."""

import click

from pipeline.cli.signals import StopRequest
from pipeline.errors import ExitStatus


@click.command()
@click.option(
    "--events", default=5_000, show_default=True, type=click.IntRange(min=1), help="Records to produce."
)
@click.option("--seed", default=1, show_default=True, help="The same seed tells the same story.")
@click.option("--json", "as_json", is_flag=True, help="Print only the summary, as JSON.")
@click.option("--keep", is_flag=True, help="Stay up afterwards and print the addresses.")
@click.option(
    "--bootstrap-servers", metavar="HOST:PORT", help="Use this Kafka instead of the embedded broker."
)
def demo(events: int, seed: int, as_json: bool, keep: bool, bootstrap_servers: str | None) -> int:
    """See the pipeline at work: no account and no broker needed.

    A small shop's events go through an embedded Kafka broker, the rules of mappings/demo.yaml and a local
    Customer.io. A few percent of them are broken on purpose. At the end every record is accounted for.
    """
    stop = StopRequest()
    stop.listen()

    from pipeline.cli.demo_stage import Stage  # noqa: PLC0415 - keeps `--help` fast

    with Stage(bootstrap_servers, events, seed) as stage:
        stage.play(stop, quiet=as_json, keep=keep)
        summary = stage.summary(interrupted=stop() and not keep)
    stage.show(summary, as_json=as_json)
    if stop():
        return stop.status
    return ExitStatus.FAILED if summary.unaccounted else ExitStatus.DONE
