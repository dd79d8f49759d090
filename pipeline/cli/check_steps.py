"""What `cio-pipeline check` looks at: each step ends in a finding, and none changes anything anywhere."""

import asyncio
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.customerio.client import TrackClient
from pipeline.customerio.credentials import Credentials
from pipeline.customerio.regions import Region, base_url_for
from pipeline.customerio.verdicts import Fatal, Verdict
from pipeline.errors import PipelineError
from pipeline.kafka.progress import PartitionProgress, group_progress
from pipeline.mapping.cases import load_suites, run_case
from pipeline.mapping.loading import load_rules


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step found: all is well with `subject`, or what is wrong and what to do."""

    subject: str
    ok: bool
    text: str


def check_everything(settings: Settings) -> Iterator[Finding]:
    """Yield one finding for each thing that `run` needs, as they come."""
    for subject, step in (
        ("mapping", _mapping),
        ("dead letters", _dead_letters),
        ("admin", _admin),
        ("customerio", _customerio),
        ("kafka", _kafka),
    ):
        try:
            yield Finding(subject, True, step(settings))
        except PipelineError as error:
            yield Finding(subject, False, str(error))


def _mapping(settings: Settings) -> str:
    rules = load_rules(settings.mapping.files)
    results = [
        run_case(suite.rules, case) for suite in load_suites(settings.mapping.files) for case in suite.cases
    ]
    failed = [str(result.case.location) for result in results if result.lines]
    if failed:
        raise PipelineError(
            f"{len(failed)} of {len(results)} tests fail: {', '.join(failed)}; see `mapping test`"
        )
    return f"{len(rules.rules)} rules, {len(results)} tests pass"


def _dead_letters(settings: Settings) -> str:
    file = settings.deadletters.file
    nearest = next(folder for folder in (file, *file.parents) if folder.exists())
    if nearest != file and not nearest.is_dir():
        raise PipelineError(f"{file}: {nearest} is no folder")
    if not os.access(nearest, os.W_OK):
        raise PipelineError(f"{file}: {nearest} cannot be written by this user")
    return str(file)


def _admin(settings: Settings) -> str:
    listen = settings.admin.listen
    if listen is None:
        return "off"
    host, _, port = listen.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
            return f"{listen} is taken, by a pipeline that runs or by another program"
    except OSError:
        return f"{listen} is free"


def _customerio(settings: Settings) -> str:
    answer = asyncio.run(_ask_region(settings))
    wanted = settings.customerio.region
    if not isinstance(answer, str):
        raise PipelineError(_trouble(answer))
    if answer != wanted and settings.customerio.base_url is None:
        raise PipelineError(f"the workspace lives in region {answer}; set customerio.region to {answer}")
    return f"the credentials are accepted; the workspace lives in region {answer}"


async def _ask_region(settings: Settings) -> str | Verdict:
    customerio = settings.customerio
    client = TrackClient(
        lambda: Credentials(customerio.site_id_secret.reveal(), customerio.api_key_secret.reveal()),
        base_url_for(Region(customerio.region), customerio.base_url),
        deadline_s=customerio.request_timeout_seconds,
    )
    try:
        return await client.ask_region()
    finally:
        await client.aclose()


def _trouble(verdict: Verdict) -> str:
    if isinstance(verdict, Fatal):
        return f"{verdict.cause}: {verdict.advice}"
    cause = getattr(verdict, "cause", "the request was refused")
    return f"{cause}; check customerio.region, customerio.base_url and the network"


def _kafka(settings: Settings) -> str:
    kafka = settings.kafka
    progress: list[PartitionProgress] = []
    for topic in [topic for topic in kafka.topics if not topic.startswith("^")]:
        found = group_progress(kafka.bootstrap_servers, kafka.group_id, topic, kafka.client_properties())
        if not found:
            raise PipelineError(
                f"the topic {topic} does not exist, or the user may not see it; check kafka.topics and the rights"
            )
        progress += found
    begun = sum(1 for partition in progress if partition.committed is not None)
    return (
        f"{len(progress)} partitions, {begun} of them begun by the group {kafka.group_id},"
        f" {sum(partition.lag for partition in progress):,} records to read"
    )
