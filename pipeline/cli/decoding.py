"""What decodes the records that the settings describe."""

from importlib.util import find_spec

from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.decode import decode_json
from pipeline.decode.envelopes import Decode, Envelope
from pipeline.decode.topics import Format, TopicDecoder, TopicFormat
from pipeline.errors import ConfigurationError
from pipeline.registry import RegistryClient, SchemaLookup

_LIBRARIES = ("fastavro", "google.protobuf", "grpc_tools", "jsonschema_rs")


def open_decoder(settings: Settings) -> Decode:
    """Return the decoder of the settings' topics. A registry is asked in a thread that ends with the process.

    Raises:
        ConfigurationError: a format needs libraries that are not installed, or a file cannot be read.
    """
    decode = settings.decode
    default = TopicFormat(Format(decode.format), Envelope(decode.envelope))
    if not decode.topics and default == TopicFormat():
        return decode_json
    topics = {
        name: TopicFormat(Format(topic.format or decode.format), Envelope(topic.envelope or decode.envelope))
        for name, topic in decode.topics.items()
    }
    if not decode.uses_registry:
        return TopicDecoder(default, topics)
    require_registry_libraries()

    lookup = SchemaLookup(open_registry(settings), monotonic=SystemClock().monotonic)
    return TopicDecoder(default, topics, lookup)


def require_registry_libraries() -> None:
    """Make sure that what reads schemas is installed.

    Raises:
        ConfigurationError: it is not, with the command that installs it.
    """
    if any(_is_missing(library) for library in _LIBRARIES):
        raise ConfigurationError(
            "'format: schema_registry' needs more libraries; install them: pip install 'cio-pipeline[registry]'"
        )


def open_registry(settings: Settings) -> RegistryClient:
    """Return a client of the settings' schema registry.

    Raises:
        ConfigurationError: the password or the certificates cannot be read.
    """
    registry = settings.decode.registry
    if registry.url is None:
        raise ConfigurationError("'decode.registry.url' is missing")
    username, password = registry.username, registry.password_secret
    auth = None if username is None else (lambda: (username, password.reveal()))
    if auth is not None:
        auth()  # an unreadable secret shows now and not at the first request
    try:
        return RegistryClient(
            registry.url, auth=auth, ca_file=registry.ca_file, timeout_s=registry.timeout_seconds
        )
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"decode.registry.ca_file: the certificates cannot be read: {error.strerror or 'not PEM'}"
        ) from None


def _is_missing(library: str) -> bool:
    try:
        return find_spec(library) is None
    except ModuleNotFoundError:  # the package that it is a part of
        return True
