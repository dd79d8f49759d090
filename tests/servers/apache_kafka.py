"""Apache Kafka in KRaft mode on loopback ports, for tests, benchmarks and the chaos harness.

with ApacheKafka(brokers=3) as kafka:
    kafka.create_topic("events", 6)
    ... kafka.bootstrap_servers ...
"""

import shutil
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewPartitions, NewTopic

from pipeline.records import TopicPartition
from tests.servers.kafka_jars import class_path
from tests.servers.ports import free_ports

_T = TypeVar("_T")

START_DEADLINE_S = 90.0
STOP_DEADLINE_S = 20.0
REQUEST_TIMEOUT_S = 60.0
ATTEMPT_TIMEOUT_S = 5.0
"""A question to a broker that has just gone may never be answered; asking again finds the new leader."""


class Broker:
    """One node, broker and controller at once, with its folder and its process."""

    def __init__(
        self, number: int, folder: Path, properties: Mapping[str, str], java_options: Sequence[str]
    ) -> None:
        self.number = number
        self.folder = folder
        self._java_options = java_options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        self._properties = folder / "server.properties"
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        self._properties.write_text(lines, encoding="utf-8")

    @property
    def pid(self) -> int:
        """The process id of the running node."""
        assert self._process is not None
        return self._process.pid

    def format(self, cluster_id: str, scram: Sequence[str]) -> None:
        """Prepare the folder; `scram` holds credentials in the storage tool's notation."""
        arguments = ["format", "--cluster-id", cluster_id, "--config", str(self._properties)]
        for credential in scram:
            arguments += ["--add-scram", credential]
        command = self._java("kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_DEADLINE_S, check=False)
        if done.returncode:
            raise RuntimeError(f"kafka storage format failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def start(self) -> None:
        """Start the node; it is not ready yet."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )

    def stop(self, kill: bool = False) -> None:
        """End the node with SIGTERM, and with SIGKILL when that takes too long or `kill` is set."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def check_alive(self) -> None:
        """Raise with the end of the log when the process has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            log = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"broker {self.number} ended: {log[-3000:]}")

    def _java(self, main_class: str, *arguments: str) -> list[str]:
        options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", *self._java_options]
        # A broker must not outlive a test run that crashes.
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        return [*guard, "java", *options, "-cp", class_path(), main_class, *arguments]


class ApacheKafka:
    """A cluster. `properties` and `java_options` go to every node; `scram` is as the storage tool's --add-scram.

    `listeners` adds listeners: name -> security protocol; their addresses are in `addresses`.

    Raises:
        KafkaUnavailableError: no JDK, no Maven, or no jars.
    """

    def __init__(
        self,
        brokers: int = 1,
        heap_mb: int = 256,
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        scram: Sequence[str] = (),
        java_options: Sequence[str] = (),
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="apache-kafka-"))
        self._scram = scram
        self._listeners = {"PLAIN": "PLAINTEXT", **(listeners or {})}
        names = [*self._listeners, "CONTROLLER"]
        ports = free_ports(brokers * len(names))
        self._ports = {n: dict(zip(names, ports[n * len(names) :], strict=False)) for n in range(brokers)}
        self.addresses = {
            name: ",".join(f"127.0.0.1:{node[name]}" for node in self._ports.values())
            for name in self._listeners
        }
        self.bootstrap_servers = self.addresses["PLAIN"]
        options = [f"-Xmx{heap_mb}m", *java_options]
        self.nodes = [
            Broker(n + 1, self._folder / f"node-{n + 1}", {**self._node(n), **(properties or {})}, options)
            for n in range(brokers)
        ]
        self._admin: AdminClient | None = None

    @property
    def admin(self) -> AdminClient:
        """A client for what the helpers here do not do."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        return self._admin

    def start(self) -> None:
        """Format, start and wait until every node is in the cluster."""
        # A first byte of ours: an id that began with "-" would be taken for an option.
        cluster_id = urlsafe_b64encode(b"k" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        for node in self.nodes:
            node.format(cluster_id, self._scram)
        for node in self.nodes:
            node.start()
        self.wait_until_up()
        self._warm_up()

    def wait_until_up(self) -> None:
        """Wait until every node is in the cluster."""
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            for node in self.nodes:
                node.check_alive()
            try:
                if len(self.admin.list_topics(timeout=1.0).brokers) == len(self.nodes):
                    return
            except KafkaException:
                time.sleep(0.1)
        raise RuntimeError(f"Apache Kafka did not come up within {START_DEADLINE_S:.0f} s")

    def close(self) -> None:
        """Stop every node and remove the data."""
        self._admin = None
        for node in self.nodes:
            node.stop(kill=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def create_topic(self, name: str, partitions: int, **config: str) -> None:
        """Make a topic, replicated on every node; `max_message_bytes="100"` sets max.message.bytes."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, partitions, replication_factor=len(self.nodes), config=settings)
        self.admin.create_topics([topic])[name].result(REQUEST_TIMEOUT_S)
        self._wait_for_leaders(name, partitions)

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        self.admin.delete_topics([name])[name].result(REQUEST_TIMEOUT_S)

    def add_partitions(self, topic: str, total: int) -> None:
        """Let a topic have this many partitions."""
        self.admin.create_partitions([NewPartitions(topic, total)])[topic].result(REQUEST_TIMEOUT_S)
        self._wait_for_leaders(topic, total)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete the records below an offset."""
        wanted = KafkaPartition(topic, partition, before)
        self.admin.delete_records([wanted])[wanted].result(REQUEST_TIMEOUT_S)

    def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        """Return the high watermark of each partition."""
        return _patiently(lambda: self._end_offsets(topic))

    def _end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        partitions = self.admin.list_topics(topic, ATTEMPT_TIMEOUT_S).topics[topic].partitions
        wanted = {KafkaPartition(topic, number): OffsetSpec.latest() for number in partitions}  # type: ignore[no-untyped-call]
        found = self.admin.list_offsets(wanted)
        return {
            TopicPartition(p.topic, p.partition): future.result(ATTEMPT_TIMEOUT_S).offset
            for p, future in found.items()
        }

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return what a group has committed.

        A consumer asks, because librdkafka 2.16 crashes when an admin client asks a coordinator that is
        loading.
        """
        topics = self.admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics.items()
        asked = [KafkaPartition(name, number) for name, topic in topics for number in topic.partitions]
        asker = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0})
        answers = _patiently(lambda: asker.committed(asked, REQUEST_TIMEOUT_S)) if asked else []
        asker.close()
        return {TopicPartition(p.topic, p.partition): p.offset for p in answers if p.offset >= 0}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _warm_up(self) -> None:
        """Ask for a group's offset: the first question makes the topic that holds them, which takes a while."""
        asker = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "nobody", "log_level": 0})
        _patiently(lambda: asker.committed([KafkaPartition("nothing", 0)], REQUEST_TIMEOUT_S))
        asker.close()

    def _wait_for_leaders(self, topic: str, partitions: int) -> None:
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while len(self.end_offsets(topic)) != partitions:
            if time.monotonic() > deadline:
                raise RuntimeError(f"topic {topic} has too few partitions after {REQUEST_TIMEOUT_S:.0f} s")
            time.sleep(0.05)

    def _node(self, index: int) -> dict[str, str]:
        ports, count = self._ports[index], str(len(self._ports))
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
        protocols = {**self._listeners, "CONTROLLER": "PLAINTEXT"}
        voters = ",".join(f"{n + 1}@127.0.0.1:{node['CONTROLLER']}" for n, node in self._ports.items())
        return {
            "process.roles": "broker,controller",
            "node.id": str(index + 1),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAIN",
            "listeners": listeners,
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{ports[name]}" for name in self._listeners),
            "listener.security.protocol.map": ",".join(
                f"{name}:{value}" for name, value in protocols.items()
            ),
            "log.dirs": str(self._folder / f"node-{index + 1}" / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": count,
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": count,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": count,
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "group.consumer.min.session.timeout.ms": "1000",
            "group.consumer.min.heartbeat.interval.ms": "500",
            "group.consumer.heartbeat.interval.ms": "1000",
            "group.consumer.session.timeout.ms": "6000",
            "log.retention.ms": "-1",  # tests write records of long ago
            "log.initial.task.delay.ms": "500",
            "log.segment.delete.delay.ms": "500",
            "log.cleaner.backoff.ms": "500",
        }


def _patiently(ask: Callable[[], _T]) -> _T:
    """Ask until the cluster has sorted itself out."""
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    while True:
        try:
            return ask()
        except (KafkaException, KeyError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
