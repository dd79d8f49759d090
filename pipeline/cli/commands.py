"""The table of commands. A command's module is imported only when it is used, so that help stays fast."""

from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

import click

from pipeline import __version__


class Command(NamedTuple):
    """Where a command lives and what it is for."""

    target: str
    summary: str


COMMANDS = {
    "run": Command("pipeline.cli.run:run", "Deliver records from Kafka to Customer.io until told to stop."),
    "demo": Command("pipeline.cli.demo:demo", "See it work: no account and no broker needed."),
    "check": Command("pipeline.cli.check:check", "Try out everything that `run` needs, before it runs."),
    "status": Command(
        "pipeline.cli.status:status", "Show how a running pipeline is doing, or how far its group is."
    ),
    "init": Command("pipeline.cli.init:init", "Write a commented configuration and a first mapping."),
    "mapping": Command("pipeline.cli.mapping:mapping", "Check, test and explain mapping files."),
    "deadletters": Command(
        "pipeline.cli.deadletters:deadletters", "See what could not be delivered, and send it again."
    ),
    "replay": Command("pipeline.cli.replay:replay", "Send records once more, from an offset or a moment."),
    "receipts": Command(
        "pipeline.cli.receipts:receipts", "Show which deletions Customer.io has accepted, and when."
    ),
    "trace": Command("pipeline.cli.trace:trace", "Show what became of a person's records, or of one record."),
    "sandbox": Command("pipeline.cli.sandbox:sandbox", "Run a local Customer.io."),
    "call": Command("pipeline.cli.call:call", "Send one call to Customer.io by hand."),
}


class CommandTable(click.Group):
    """A group that knows its commands' names and summaries without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import a command.

        Raises:
            click.UsageError: there is no such command.
        """
        if cmd_name not in COMMANDS:
            close = get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {cmd_name!r}.{hint}")
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


@click.group(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done; 1 a check or test failed, or a record is unaccounted for; 2 usage or"
    " configuration; 3 a limit was reached; 4 the remote side refused for good; 130 interrupted;"
    " 143 terminated.",
)
@click.version_option(__version__, prog_name="cio-pipeline", message="%(prog)s %(version)s")
def command_line() -> None:
    """Kafka to Customer.io: nothing lost, nothing counted twice, each person's calls in order."""
