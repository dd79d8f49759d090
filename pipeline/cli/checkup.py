"""What `check` finds out, one finding after the other. What hangs on a failed part is left out, and said so."""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.cli.checkup_customerio import customerio_findings
from pipeline.cli.checkup_files import file_findings
from pipeline.cli.checkup_findings import Finding, failed, left_out, passed
from pipeline.cli.checkup_kafka import (
    broker_findings,
    group_finding,
    right_findings,
    topic_findings,
    topics_read,
)
from pipeline.cli.checkup_mapping import mapping_findings
from pipeline.cli.checkup_sample import sample_findings
from pipeline.cli.decoding import open_decoder, open_registry
from pipeline.config import Settings, load_settings
from pipeline.documents import DocumentError, Problem
from pipeline.errors import PipelineError
from pipeline.kafka.inspection import Inspection, Unreachable
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.sample import read_latest
from pipeline.mapping import load_rules


def findings(path: Path, sample: int) -> Iterator[Finding]:
    """Check everything that `run` needs; `sample` is the number of records to look at, 0 for none."""
    warnings: list[Problem] = []
    try:
        settings = load_settings(path, os.environ, warn=warnings.append)
    except DocumentError as error:
        for problem in error.problems:
            yield failed("settings", str(problem).splitlines()[0], "see docs/configuration.md")
        yield left_out("everything else", "the settings come first")
        return
    yield passed("settings", f"{path}{f', {len(warnings)} without effect' if warnings else ''}")
    yield from mapping_findings(settings)
    yield from file_findings(settings)
    yield from _registry(settings)
    yield from _kafka(settings, sample)
    yield from customerio_findings(settings)


def _registry(settings: Settings) -> Iterator[Finding]:
    if not settings.decode.uses_registry:
        return
    try:
        with open_registry(settings) as registry:
            trouble = registry.check()
    except PipelineError as error:
        yield failed("schema registry", str(error))
        return
    url = settings.decode.registry.url
    yield (
        passed("schema registry", f"{url} answers")
        if trouble is None
        else failed("schema registry", f"{url}: {trouble.text}", "check decode.registry")
    )


def _kafka(settings: Settings, sample: int) -> Iterator[Finding]:
    # The one place that knows how settings become options of the client; loaded late, for it loads everything.
    from pipeline.cli.assembly import kafka_options  # noqa: PLC0415 - keeps `--help` fast

    try:
        options = kafka_options(settings)
        inspection = Inspection(options)
    except PipelineError as error:
        yield failed("broker", str(error), "check kafka.properties")
        return
    with inspection:
        known = inspection.topics()
        yield from broker_findings(inspection, settings, known)
        if isinstance(known, Unreachable):
            yield left_out("topics", "the broker comes first")
            return
        yield from topic_findings(settings, known)
        topics = topics_read(settings, known)
        if topics:
            yield from right_findings(inspection, settings, topics)
            yield group_finding(settings)
            if sample:
                yield from _sampled(options, settings, topics, sample)


def _sampled(
    options: KafkaOptions, settings: Settings, topics: Collection[str], count: int
) -> Iterator[Finding]:
    try:
        records = read_latest(options, topics, count)
        yield passed("reading", f"{len(records):,} records of {len(topics)} topics")
    except PipelineError as error:
        yield failed("reading", str(error))
        return
    # What is wrong with the mapping or the registry has been said.
    with suppress(PipelineError):
        yield from sample_findings(
            records,
            open_decoder(settings),
            load_rules(settings.mapping.files),
            settings.deadletters.limit_share,
        )
