"""`cio-pipeline mapping playground`: write rules beside an event and see at once what they make of it."""

import time
import webbrowser
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import click

from pipeline.cli.signals import StopRequest
from pipeline.errors import ConfigurationError

LOOK_S = 0.1


@click.command()
@click.argument("paths", metavar="[MAPPING]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="[default: a free one]")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
def playground(paths: tuple[Path, ...], port: int, opens: bool) -> int:
    """Serve the playground for MAPPING files or folders (mappings/ if none is named) on this machine alone.

    Nothing is sent and no file is changed: take what you have written out of the page when it does what you want.
    """
    stop = StopRequest()
    stop.listen()

    from pipeline.operations.admin import AdminServer  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.operations.admin_application import admin_application  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.operations.admin_playground import PlaygroundPart  # noqa: PLC0415 - keeps `--help` fast
    from pipeline.operations.playground import Ways  # noqa: PLC0415 - keeps `--help` fast

    chosen = paths or ((Path("mappings"),) if Path("mappings").is_dir() else ())
    read_files(chosen)  # what cannot be read shows now
    part = PlaygroundPart(lambda: read_files(chosen), Ways())
    server = AdminServer(f"127.0.0.1:{port}", admin_application(None, parts=[part]))
    server.start()
    try:
        click.echo(f"http://{server.address}/  (Ctrl-C ends it)")
        if opens:
            webbrowser.open(f"http://{server.address}/")
        while not stop():
            time.sleep(LOOK_S)
    finally:
        server.stop()
    return stop.status


def read_files(paths: Sequence[Path]) -> dict[str, str]:
    """Return the texts of mapping files by their names; without any, the first mapping that `init` writes.

    Raises:
        DocumentError: a folder has none.
        ConfigurationError: a file cannot be read.
    """
    from pipeline.mapping.loading import rule_files  # noqa: PLC0415 - keeps `--help` fast

    if not paths:
        return {"first.yaml": (files("pipeline.cli") / "templates/mappings/first.yaml").read_text("utf-8")}
    try:
        return {str(path): path.read_text("utf-8-sig") for path in rule_files(paths)}
    except UnicodeDecodeError:
        raise ConfigurationError("a mapping file is not UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: cannot read the file: {error.strerror}") from None
