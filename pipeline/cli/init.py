"""`cio-pipeline init`: a commented configuration and a first mapping, to be filled in."""

import shlex
from importlib.resources import files
from pathlib import Path

import click

from pipeline.errors import ConfigurationError

TEMPLATES = ("pipeline.yaml", "mappings/first.yaml")


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a commented pipeline.yaml and a first mapping into DIR (default: here).

    Nothing that exists is overwritten.
    """
    write_templates(folder)
    for name in TEMPLATES:
        click.echo(f"Wrote {folder / name}")
    configuration = shlex.quote(str(folder / "pipeline.yaml"))
    mapping = shlex.quote(str(folder / "mappings/first.yaml"))
    click.echo(
        "\nNext:\n"
        f"  1. Fill in the addresses and the keys in {configuration}.\n"
        f"  2. Fit the rules to your events, and try them:  cio-pipeline mapping test {mapping}\n"
        f"  3. Start:  cio-pipeline run --config {configuration}"
    )


def write_templates(folder: Path) -> None:
    """Write every template, or none.

    Raises:
        ConfigurationError: a file is there already, or cannot be written.
    """
    there = [name for name in TEMPLATES if (folder / name).exists()]
    if there:
        raise ConfigurationError(
            f"{' and '.join(str(folder / name) for name in there)} exists already and is left as it is;"
            " name another folder or move it away"
        )
    source = files("pipeline.cli") / "templates"
    try:
        for name in TEMPLATES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text((source / name).read_text("utf-8"), "utf-8")
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: cannot write: {error.strerror}") from None
