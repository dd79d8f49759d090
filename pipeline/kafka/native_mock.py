"""librdkafka's mock cluster, reached through the library that the confluent-kafka wheel ships.

The functions are declared in librdkafka's `rdkafka_mock.h` and marked experimental there, so whoever uses
them must be ready for `NativeInterfaceMissingError`.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka

from pipeline.errors import PipelineError

_PRODUCER = 0
_ERROR_TEXT_BYTES = 512
_INT16, _INT32, _INT64, _SIZE = ctypes.c_int16, ctypes.c_int32, ctypes.c_int64, ctypes.c_size_t
_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int

_FUNCTIONS: dict[str, tuple[object, tuple[object, ...]]] = {
    "rd_kafka_conf_new": (_POINTER, ()),
    "rd_kafka_conf_set": (_INT, (_POINTER, _TEXT, _TEXT, _TEXT, _SIZE)),
    "rd_kafka_new": (_POINTER, (_INT, _POINTER, _TEXT, _SIZE)),
    "rd_kafka_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_new": (_POINTER, (_POINTER, _INT)),
    "rd_kafka_mock_cluster_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, (_POINTER,)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (_POINTER, _INT32)),
    "rd_kafka_mock_topic_create": (_INT, (_POINTER, _TEXT, _INT, _INT)),
    "rd_kafka_mock_topic_delete": (_INT, (_POINTER, _TEXT)),
    "rd_kafka_mock_topic_set_error": (None, (_POINTER, _TEXT, _INT)),
    "rd_kafka_mock_partition_delete_records": (_INT, (_POINTER, _TEXT, _INT32, _INT64)),
    "rd_kafka_mock_broker_set_down": (_INT, (_POINTER, _INT32)),
    "rd_kafka_mock_broker_set_up": (_INT, (_POINTER, _INT32)),
    "rd_kafka_mock_broker_set_rtt": (_INT, (_POINTER, _INT32, _INT)),
    "rd_kafka_mock_push_request_errors_array": (None, (_POINTER, _INT16, _SIZE, ctypes.POINTER(_INT))),
    "rd_kafka_mock_clear_request_errors": (None, (_POINTER, _INT16)),
    "rd_kafka_mock_start_request_tracking": (None, (_POINTER,)),
    "rd_kafka_mock_clear_requests": (None, (_POINTER,)),
    "rd_kafka_mock_get_requests": (ctypes.POINTER(_POINTER), (_POINTER, ctypes.POINTER(_SIZE))),
    "rd_kafka_mock_request_api_key": (_INT16, (_POINTER,)),
    "rd_kafka_mock_request_destroy_array": (None, (ctypes.POINTER(_POINTER), _SIZE)),
}


class NativeInterfaceMissingError(PipelineError):
    """This build of confluent-kafka does not give access to librdkafka's mock cluster."""


def _library_files() -> Iterator[Path]:
    package = Path(confluent_kafka.__file__).parent
    for folder in (package.parent / "confluent_kafka.libs", package / ".dylibs", package):
        yield from sorted(folder.glob("librdkafka*"))


def load_library() -> ctypes.CDLL:
    """Load the shipped library and declare the functions used here.

    Raises:
        NativeInterfaceMissingError: no library was found, or one of the functions is not in it.
    """
    path = next(_library_files(), None)
    if path is None:
        raise NativeInterfaceMissingError("no librdkafka library is shipped with this confluent-kafka")
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise NativeInterfaceMissingError(f"{path.name} has no function {name}") from None
        function.restype = result
        function.argtypes = arguments
    return library


class MockCluster:
    """A mock cluster of this process, listening on 127.0.0.1. Arguments are checked by librdkafka alone."""

    def __init__(self, brokers: int) -> None:
        self._library = load_library()
        self._client = self._new_client()
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._cluster:
            raise NativeInterfaceMissingError("librdkafka could not make a mock cluster")
        self.bootstrap_servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def call(self, function: str, *arguments: object) -> int:
        """Call `rd_kafka_mock_FUNCTION` for the cluster and return its error code, 0 where it has none."""
        return int(getattr(self._library, f"rd_kafka_mock_{function}")(self._cluster, *arguments) or 0)

    def push_errors(self, api_key: int, errors: list[int]) -> None:
        """Let the next requests of this kind fail with these error codes, one each."""
        array = (_INT * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(errors), array)

    def request_api_keys(self) -> list[int]:
        """Return the API keys of the requests seen since tracking began, oldest first."""
        count = _SIZE(0)
        requests = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        keys = [int(self._library.rd_kafka_mock_request_api_key(requests[i])) for i in range(count.value)]
        if count.value:
            self._library.rd_kafka_mock_request_destroy_array(requests, count)
        return keys

    def close(self) -> None:
        """Stop the cluster; its data is gone."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def _new_client(self) -> int:
        error = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        configuration = self._library.rd_kafka_conf_new()
        # The owner connects to nothing, and says so every few seconds unless told not to.
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", error, _ERROR_TEXT_BYTES)
        client = self._library.rd_kafka_new(_PRODUCER, configuration, error, _ERROR_TEXT_BYTES)
        if not client:
            raise NativeInterfaceMissingError("librdkafka could not make the mock cluster's owner")
        return int(client)
