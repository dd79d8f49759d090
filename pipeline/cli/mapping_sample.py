"""The latest events of a topic, decoded as the pipeline would: what a first mapping is guessed from."""

from pathlib import Path
from typing import Any

from pipeline.cli import assembly
from pipeline.cli.decoding import open_decoder
from pipeline.cli.replay_settings import without_credentials
from pipeline.config import load_settings
from pipeline.decode import Undecodable, decode_json
from pipeline.decode.envelopes import Decode
from pipeline.decode.patience import patient
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.sample import read_sample
from pipeline.records import Record


def decoded_sample(topic: str, count: int, config: Path, bootstrap_servers: str | None) -> list[Any]:
    """Return the events of about `count` records; one that cannot be decoded is a `ValueError` that says why.

    With `bootstrap_servers` no configuration is read, and records are JSON. Credentials of Customer.io are not needed.

    Raises:
        PipelineError: the configuration cannot be used, the brokers or the schema registry do not answer or refuse,
            or the topic does not exist or is empty.
    """
    options, decode = _from_configuration(config) if bootstrap_servers is None else _plain(bootstrap_servers)
    records = read_sample(options, topic, count)
    decoded = patient(decode)
    return [_event(decoded(record), record) for record in records]


def _plain(bootstrap_servers: str) -> tuple[KafkaOptions, Decode]:
    # The group is never joined and nothing is committed to it; the client only wants a name.
    return KafkaOptions(
        bootstrap_servers=bootstrap_servers, topics=(), group_id="cio-pipeline-sample"
    ), decode_json


def _from_configuration(path: Path) -> tuple[KafkaOptions, Decode]:
    settings = without_credentials(lambda environment: load_settings(path, environment))
    return assembly.kafka_options(settings), open_decoder(settings)


def _event(decoded: Any, record: Record) -> Any:
    if isinstance(decoded, Undecodable):
        return ValueError(f"{record.position}: {decoded.text}")
    return decoded
