"""The decode section: what the records of each topic are, and where their schemas are kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.config.fields import NotBlank, Seconds, Section, Text, Url
from pipeline.config.secrets import Secret
from pipeline.documents import KeyPath

FormatName = Literal["json", "schema_registry"]
EnvelopeName = Literal["none", "cloudevents", "debezium"]


class TopicDecodeSettings(Section):
    """What the records of one topic are; what is left out is as for all topics."""

    format: FormatName | None = None
    envelope: EnvelopeName | None = None


def _topic(value: Any) -> Any:
    """A format by itself is the short form."""
    return {"format": value} if isinstance(value, str) else value


class RegistrySettings(Section):
    """A Confluent-compatible schema registry."""

    url: Annotated[
        Url | None,
        Field(description="The registry's address, with its path if it has one: `http://registry:8081`."),
    ] = None
    username: Annotated[Text | None, Field(description="The user name, where the registry asks for one.")] = (
        None
    )
    password: Annotated[NotBlank | None, Field(description="The password of that user.")] = None
    password_file: Annotated[Path | None, Field(description="A file that holds the password.")] = None
    ca_file: Annotated[
        Path | None,
        Field(description="A file of certificates to trust, in PEM, instead of the system's."),
    ] = None
    timeout_seconds: Annotated[Seconds, Field(description="The longest wait for one answer.")] = 10.0

    @property
    def password_secret(self) -> Secret:
        """The password, wherever it is kept."""
        return Secret.of(self.password, self.password_file)


class DecodeSettings(Section):
    """What the records are. `docs/formats.md` tells what each format and envelope gives the rules."""

    format: Annotated[
        FormatName,
        Field(
            description="`json`, or `schema_registry`: Avro, Protobuf or JSON Schema, as each record's schema says."
            " It needs `pip install 'cio-pipeline[registry]'` and `decode.registry.url`."
        ),
    ] = "json"
    envelope: Annotated[
        EnvelopeName,
        Field(description="What is around each event: nothing, a CloudEvent, or a change of Debezium's."),
    ] = "none"
    topics: Annotated[
        Mapping[Text, Annotated[TopicDecodeSettings, BeforeValidator(_topic)]],
        Field(
            default_factory=dict,
            description="Topics that are different: their names, or regular expressions that begin with `^`, each with"
            " a `format`, an `envelope` or both: `orders: {format: schema_registry, envelope: debezium}`.",
        ),
    ]
    registry: Annotated[RegistrySettings, Field(default_factory=RegistrySettings)]

    @property
    def uses_registry(self) -> bool:
        """Whether any topic needs the schema registry."""
        return "schema_registry" in {self.format, *(topic.format for topic in self.topics.values())}

    def contradictions(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield settings that are right by themselves and wrong together."""
        registry = self.registry
        if self.uses_registry and registry.url is None:
            yield ("decode", "registry", "url"), "'format: schema_registry' needs 'decode.registry.url'"
        if registry.password is not None and registry.password_file is not None:
            yield ("decode", "registry", "password"), "'password' and 'password_file' are both set; keep one"
        has_password = registry.password is not None or registry.password_file is not None
        if has_password != (registry.username is not None):
            yield ("decode", "registry", "username"), "'username' and 'password' go together; one is missing"
