"""What a topic holds, read whole."""

import uuid

from confluent_kafka import Consumer, Message, TopicPartition

from tests.servers.pipeline import wait_until

ASK_S = 30.0


def messages_of(bootstrap_servers: str, topic: str) -> list[Message]:
    """Return every message that a topic holds now, without joining any group."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": uuid.uuid4().hex, "log_level": 0}
    )
    places = [
        TopicPartition(topic, number, 0)
        for number in consumer.list_topics(topic, ASK_S).topics[topic].partitions
    ]
    held = sum(high - low for low, high in (consumer.get_watermark_offsets(place, ASK_S) for place in places))
    consumer.assign(places)
    found: list[Message] = []

    def is_read() -> bool:
        found.extend(message for message in consumer.consume(500, 0.2) if message.error() is None)
        return len(found) >= held

    wait_until(is_read, f"{topic} read")
    consumer.close()
    return found


def header_list(message: Message) -> list[tuple[str, bytes | None]]:
    """Return a message's headers in their order."""
    headers = message.headers() or []
    assert isinstance(headers, list)
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in headers]
