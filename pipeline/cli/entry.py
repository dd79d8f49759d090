"""From the command line to an exit status: every way a command can end, in one place."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import click

from pipeline import __version__
from pipeline.cli.commands import command_line
from pipeline.errors import ExitStatus, PipelineError

DEBUG_VARIABLE = "CIO_PIPELINE_DEBUG"


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    sys.exit(run_command_line(sys.argv[1:]))


def run_command_line(arguments: Sequence[str], commands: click.Group = command_line) -> int:
    """Run one command and return its exit status; a person's mistake ends in one sentence on stderr.

    A command may return its exit status. `CIO_PIPELINE_DEBUG=1` lets an unexpected exception through whole.
    """
    try:
        result = commands.main(list(arguments), prog_name="cio-pipeline", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PipelineError as error:
        click.echo(_sentence(error), err=True)
        return error.exit_status
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return ExitStatus.FAILED
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        click.echo(_bug_report(error), err=True)
        return ExitStatus.FAILED
    return result if isinstance(result, int) else ExitStatus.DONE


def _sentence(error: PipelineError) -> str:
    """Problems that name their own place and level need no word before them."""
    text = str(error)
    return text if ": error: " in text else f"Error: {text}"


def _discard_output() -> None:
    """Whoever read our output is gone; without this the interpreter complains about that at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bug_report(error: Exception) -> str:
    """Name the kind of error and its place only: its text could hold a payload or a secret."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = "" if traceback is None else f" in {_place(traceback)}"
    return (
        f"Error: this is a bug in cio-pipeline {__version__}: {type(error).__name__}{place}."
        f" Run again with {DEBUG_VARIABLE}=1 to see the whole error, which may show data."
    )


def _place(traceback: TracebackType) -> str:
    folder_and_file = Path(*Path(traceback.tb_frame.f_code.co_filename).parts[-2:])
    return f"{folder_and_file}:{traceback.tb_lineno}"
