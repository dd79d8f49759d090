"""The broker that the proofs rest on is Apache Kafka and takes what its helpers do."""

import pytest
from confluent_kafka import Producer

from pipeline.records import TopicPartition
from tests.servers.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka


def test_topics_records_and_ends(apache_kafka: ApacheKafka) -> None:
    apache_kafka.create_topic("fixture", 2)
    producer = Producer({"bootstrap.servers": apache_kafka.bootstrap_servers})
    for number in range(4):
        producer.produce("fixture", b"%d" % number, partition=1)
    assert producer.flush(30) == 0
    apache_kafka.add_partitions("fixture", 3)
    ends = {TopicPartition("fixture", 0): 0, TopicPartition("fixture", 1): 4, TopicPartition("fixture", 2): 0}
    assert apache_kafka.end_offsets("fixture") == ends
    assert apache_kafka.committed("nobody") == {}
