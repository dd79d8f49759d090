"""`cio-pipeline mapping ...`: check, test and explain mapping files."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from pipeline.cli.playground import playground
from pipeline.cli.writing import write_text
from pipeline.decode import decode_json
from pipeline.documents import DocumentError, Level
from pipeline.errors import ExitStatus
from pipeline.mapping import RuleSet, load_rules
from pipeline.mapping.cases import CaseResult, Suite, load_suites, run_case, shown
from pipeline.mapping.changes import changes
from pipeline.mapping.coverage import Coverage, coverage
from pipeline.mapping.explain import Explainer
from pipeline.mapping.lint import lint as find_warnings
from pipeline.mapping.reports import Format, junit, problem_lines
from pipeline.mapping.rules import MappingFile
from pipeline.mapping.sample import first_mapping
from pipeline.operations.shown_requests import shown_requests
from pipeline.records import Record
from pipeline.translation import Translation, Translator

_PATH = click.Path(exists=True, path_type=Path)
_DEFAULT = (Path("mappings"),)


@click.group()
def mapping() -> None:
    """Check, test and explain mapping files."""


mapping.add_command(playground)


@mapping.command()
@click.argument("paths", nargs=-1, type=_PATH)
@click.option(
    "--format", "how", type=click.Choice(["text", "github", "json"]), default="text", show_default=True
)
@click.option("--against", type=_PATH, help="Another version of the same files: report what changed.")
@click.option("--as-one", is_flag=True, help="Take all files for one rule set, as `run` does.")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
def lint(paths: tuple[Path, ...], how: str, against: Path | None, as_one: bool, strict: bool) -> int:
    """Report what is wrong, or seems wrong, in mapping files and folders of them (mappings/ if none is named)."""
    files = paths or _DEFAULT
    try:
        problems = find_warnings(load_suites(files), load_rules(files) if as_one else None)
        if against is not None:
            problems += changes(load_rules([against]), load_rules(files))
    except DocumentError as error:
        problems = list(error.problems)
    for line in problem_lines(sorted(problems, key=lambda problem: problem.location), Format(how)):
        click.echo(line)
    errors = sum(1 for problem in problems if problem.level is Level.ERROR)
    if how == "text":
        click.echo(f"{errors} errors, {len(problems) - errors} warnings", err=True)
    return ExitStatus.FAILED if errors or (strict and problems) else ExitStatus.DONE


@mapping.command()
@click.argument("paths", nargs=-1, type=_PATH)
@click.option(
    "--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit's XML here."
)
@click.option(
    "--min-coverage", type=click.FloatRange(0, 100), help="Fail below this percentage of rules and branches."
)
def test(paths: tuple[Path, ...], junit_file: Path | None, min_coverage: float | None) -> int:
    """Run the tests in mapping files and in *_test.yaml files (those of mappings/ if none is named)."""
    results: list[tuple[Suite, list[CaseResult]]] = []
    covered = Coverage(0, ())
    for suite in load_suites(paths or _DEFAULT):
        done = [run_case(suite.rules, case) for case in suite.cases]
        results.append((suite, done))
        covered += coverage(suite.rules, done)
    failed = [result for _, done in results for result in done if result.lines]
    for result in failed:
        click.echo(f"{result.case.location}: failed: {result.case.test.name}")
        click.echo("\n".join(f"    {line}" for line in result.lines))
    for point in covered.missed:
        click.echo(f"{point.location}: not reached: {point.what} in rule '{point.rule}'")
    if junit_file is not None:
        write_text(junit_file, junit(results))
    total = sum(len(done) for _, done in results)
    click.echo(f"{total - len(failed)} passed, {len(failed)} failed; coverage {covered.percent:.0f}%")
    too_little = min_coverage is not None and covered.percent < min_coverage
    if too_little:
        click.echo(f"coverage is below {min_coverage:g}%", err=True)
    return ExitStatus.FAILED if failed or too_little else ExitStatus.DONE


@mapping.command(name="apply")
@click.argument("mapping_file", metavar="MAPPING", type=_PATH)
@click.option("--http", is_flag=True, help="Show the requests instead: method, path and body.")
@click.option("--topic", default="stdin", show_default=True, help="The topic that kafka() gives.")
def apply_rules(mapping_file: Path, http: bool, topic: str) -> int:
    """Write the calls that MAPPING makes of the events on stdin, one JSON a line, as JSON Lines."""
    rules = load_rules([mapping_file])
    status = ExitStatus.DONE
    for number, event, record in _events(sys.stdin.buffer, topic):
        if isinstance(event, ValueError):
            click.echo(f"stdin:{number}: error: {event}", err=True)
            status = ExitStatus.FAILED
            continue
        if http:
            failures = _write_requests(rules, record)
        else:
            mapped = rules.map(event, record, _now())
            failures = [
                f"{failure.reason}: {failure.source or 'the event'}: {failure.text}"
                for failure in mapped.failures
            ]
            for call in mapped.calls:
                click.echo(json.dumps(shown(call), ensure_ascii=False))
        for failure in failures:
            click.echo(f"stdin:{number}: {failure}", err=True)
            status = ExitStatus.FAILED
    return status


@mapping.command()
@click.argument("mapping_file", metavar="MAPPING", type=_PATH)
@click.argument("event_file", metavar="[EVENT]", type=click.File("rb"), required=False)
@click.option("--python", is_flag=True, help="Print the Python source that the rules are compiled to.")
@click.option("--topic", default="test", show_default=True, help="The topic that kafka() gives.")
def explain(mapping_file: Path, event_file: Any, python: bool, topic: str) -> None:
    """Tell which rules of MAPPING match EVENT, and what each of their fields gives, and why the others do not.

    EVENT is a file with one JSON value, - for stdin.
    """
    rules = load_rules([mapping_file])
    if python:
        click.echo(rules.source)
    if event_file is None:
        if not python:
            raise click.UsageError("Missing argument 'EVENT'.")
        return
    for number, event, record in _events([event_file.read()], topic):
        if isinstance(event, ValueError):
            raise click.ClickException(f"{event_file.name}: line {number} {event}")
        for line in Explainer(rules, event, record, _now()).lines():
            click.echo(line)


@mapping.command()
def schema() -> None:
    """Write the JSON Schema of mapping files, for editors."""
    described = {"$schema": "http://json-schema.org/draft-07/schema#"} | MappingFile.model_json_schema(
        by_alias=True
    )
    click.echo(
        json.dumps(described, indent=2)
        .replace("#/$defs/", "#/definitions/")
        .replace('"$defs"', '"definitions"')
    )


@mapping.command()
@click.option(
    "--from", "source", type=click.File("rb"), help="A file of events, one JSON a line; - for stdin."
)
@click.option("--from-topic", "topic", help="A topic: its latest records are read, and nothing is committed.")
@click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("pipeline.yaml"),
    show_default=True,
    help="For --from-topic: the configuration that says how to reach Kafka and how records are decoded.",
)
@click.option(
    "--bootstrap-servers", help="For --from-topic, in place of --config: brokers with JSON records."
)
@click.option(
    "--records", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="With --from-topic."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write; stdout if left out."
)
def new(
    *,
    source: Any,
    topic: str | None,
    config: Path,
    bootstrap_servers: str | None,
    records: int,
    output: Path | None,
) -> None:
    """Write a first mapping file with tests from a sample of real events, of a file or of a topic."""
    from pipeline.cli.mapping_sample import decoded_sample  # noqa: PLC0415 - the Kafka client is slow to load

    if (source is None) == (topic is None):
        raise click.UsageError("Say where the events come from: either --from FILE or --from-topic TOPIC.")
    if output is not None and output.exists():
        raise click.ClickException(f"{output} is there already")
    if topic is None:
        origin, found = getattr(source, "name", "stdin"), [event for _, event, _ in _events(source, "sample")]
    else:
        origin, found = f"the topic {topic}", decoded_sample(topic, records, config, bootstrap_servers)
    text = first_mapping(_objects(found, origin), origin)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)


def _objects(found: Sequence[Any], origin: str) -> list[dict[str, Any]]:
    """Return the events that a mapping can be guessed from, and tell of the others."""
    events = [event for event in found if isinstance(event, dict)]
    reasons = [str(event) for event in found if isinstance(event, ValueError)]
    first = f"; the first that cannot be read: {reasons[0]}" if reasons else ""
    if not events:
        raise click.ClickException(
            f"there is no JSON object among the {len(found)} events of {origin}{first}"
        )
    if len(events) < len(found):
        click.echo(f"{len(found) - len(events)} of {len(found)} events are no JSON objects{first}", err=True)
    return events


def _events(lines: Iterable[bytes], topic: str) -> Iterator[tuple[int, Any, Record]]:
    """Yield each line's number, its event or what is wrong with it, and its record."""
    now_ms = int(_now() * 1000)
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        record = Record(topic, 0, number - 1, value=text, timestamp_ms=now_ms)
        try:
            yield number, orjson.loads(text), record
        except orjson.JSONDecodeError as error:
            yield number, ValueError(f"not JSON: {error.msg} at column {error.colno}"), record


def _write_requests(rules: RuleSet, record: Record) -> list[str]:
    translation = Translator(rules, _now, decode=decode_json).translate(record)
    assert isinstance(translation, Translation)  # JSON never waits for a schema
    for request in shown_requests(translation.calls):
        click.echo(json.dumps(request, ensure_ascii=False))
    return [
        f"{failure.reason}: {failure.source or 'the event'}: {failure.text}"
        for failure in translation.failures
    ]


def _now() -> float:
    return time.time()
