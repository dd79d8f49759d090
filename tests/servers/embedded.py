"""The embedded broker in a child process, so that a client that crashes does not take the broker along."""

import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import orjson
import pytest

from pipeline.kafka.embedded import ApiKey
from pipeline.kafka.native_mock import NativeInterfaceMissingError, load_library


class EmbeddedBrokerProcess:
    """Speaks to `pipeline.kafka.embedded_server`; the same methods as `EmbeddedBroker`."""

    def __init__(self, brokers: int = 1) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.kafka.embedded_server", str(brokers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.bootstrap_servers = str(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    def create_topic(self, name: str, partitions: int) -> None:
        self._do("create_topic", name, partitions)

    def delete_topic(self, name: str) -> None:
        self._do("delete_topic", name)

    def set_topic_error(self, name: str, error: int) -> None:
        self._do("set_topic_error", name, error)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        self._do("delete_records", topic, partition, before)

    def set_down(self, broker: int = -1) -> None:
        self._do("set_down", broker)

    def set_up(self, broker: int = -1) -> None:
        self._do("set_up", broker)

    def set_delay_ms(self, milliseconds: int, broker: int = -1) -> None:
        self._do("set_delay_ms", milliseconds, broker)

    def push_errors(self, api_key: ApiKey, errors: Sequence[int]) -> None:
        self._do("push_errors", int(api_key), list(errors))

    def clear_errors(self, api_key: ApiKey) -> None:
        self._do("clear_errors", int(api_key))

    def track_requests(self) -> None:
        self._do("track_requests")

    def count_requests(self, api_keys: Sequence[ApiKey]) -> int:
        count = self._do("count_requests", [int(key) for key in api_keys])
        assert isinstance(count, int)
        return count

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, action: str, *arguments: object) -> object:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": action, "with": arguments}) + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> object:
        assert self._process.stdout is not None
        answer = orjson.loads(self._process.stdout.readline() or b'{"error": "the embedded broker ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]


def skip_without_native_interface() -> None:
    """Skip the test, with a reason, where confluent-kafka does not give access to the mock cluster."""
    try:
        load_library()
    except NativeInterfaceMissingError as error:
        pytest.skip(str(error))
