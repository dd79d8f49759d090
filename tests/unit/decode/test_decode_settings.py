"""The decode section: what may be written, what contradicts itself, and which topic gets which decoder."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.decoding import open_decoder
from pipeline.config import Settings, load_settings
from pipeline.decode import SchemaPending, Undecodable, decode_json
from pipeline.decode.envelopes import Envelope
from pipeline.decode.topics import Format, TopicDecoder, TopicFormat
from pipeline.documents import DocumentError
from pipeline.errors import ConfigurationError
from pipeline.records import Record

REGISTRY = {"url": "http://127.0.0.1:1"}


def loaded(folder: Path, decode: Any, **environ: str) -> Settings:
    document = {
        "kafka": {"bootstrap_servers": "127.0.0.1:1", "topics": "t"},
        "customerio": {"site_id": "s", "api_key": "k"},
        "decode": decode,
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_settings(path, environ)


def problems(folder: Path, decode: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        loaded(folder, decode)
    return str(caught.value)


def test_plain_json_needs_nothing(tmp_path: Path) -> None:
    assert open_decoder(loaded(tmp_path, None)) is decode_json


def test_a_topic_may_be_its_format_alone_also_in_the_environment(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"topics": {"a": "schema_registry"}, "registry": REGISTRY})
    assert settings.decode.topics["a"].format == "schema_registry"
    assert settings.decode.uses_registry
    settings = loaded(tmp_path, {"registry": REGISTRY}, CIO_PIPELINE__DECODE__TOPICS__A="schema_registry")
    assert settings.decode.topics["a"].format == "schema_registry"


def test_a_format_with_schemas_needs_a_registry(tmp_path: Path) -> None:
    assert "needs 'decode.registry.url'" in problems(tmp_path, {"topics": {"a": "schema_registry"}})


@pytest.mark.parametrize(
    ("decode", "words"),
    [
        ({"format": "avro"}, "'json' or 'schema_registry'"),
        ({"topics": {"a": {"envelop": "none"}}}, "envelope"),
        ({"registry": {"url": "http://me:secret@host"}}, "without a user or password"),
        ({"registry": {**REGISTRY, "username": "me"}}, "go together"),
        ({"registry": {**REGISTRY, "username": "me", "password": "x", "password_file": "y"}}, "keep one"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(tmp_path: Path, decode: Any, words: str) -> None:
    assert words in problems(tmp_path, decode)


def test_the_password_is_shown_to_nobody(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"registry": {**REGISTRY, "username": "me", "password": "hush"}})
    assert "hush" not in repr(settings)
    assert settings.decode.registry.password_secret.reveal() == "hush"


def test_a_password_file_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    registry = {**REGISTRY, "username": "me", "password_file": "nowhere"}
    settings = loaded(tmp_path, {"format": "schema_registry", "registry": registry})
    with pytest.raises(ConfigurationError, match="nowhere: cannot read the secret"):
        open_decoder(settings)


def test_certificates_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = loaded(tmp_path, {"format": "schema_registry", "registry": {**REGISTRY, "ca_file": "ca.pem"}})
    with pytest.raises(ConfigurationError, match=r"decode\.registry\.ca_file"):
        open_decoder(settings)


class NoRegistry:
    """A registry that is being asked for ever."""

    def reader(self, schema_id: int) -> SchemaPending:
        return SchemaPending(schema_id)


def decoded(topic: str, value: bytes | None) -> Any:
    by_schema = TopicFormat(Format.SCHEMA_REGISTRY)
    topics = {
        "^shop": TopicFormat(),
        "shop.orders": by_schema,
        "^bank": TopicFormat(envelope=Envelope.DEBEZIUM),
    }
    return TopicDecoder(TopicFormat(), topics, NoRegistry())(Record(topic, 0, 0, value=value))


def test_a_name_goes_before_an_expression_and_an_expression_before_the_default() -> None:
    assert decoded("shop.orders", b"\x00\x00\x00\x00\x07x") == SchemaPending(7)
    assert decoded("shop.people", b'{"op": 1}') == {"op": 1}
    assert isinstance(decoded("bank.accounts", b"{}"), Undecodable)
    assert decoded("other", b"{}") == {}


def test_a_tombstone_needs_no_schema() -> None:
    assert decoded("shop.orders", None) is None
