"""The client's messages as records, and apart from them what only looks like a message: errors and notices."""

from operator import methodcaller

from confluent_kafka import KafkaError, Message

from pipeline.records import UNREADABLE_HEADERS, Headers, Record

_ask_for_headers = methodcaller("headers")


def headers_of(message: Message) -> Headers:
    """Return a message's headers, `UNREADABLE_HEADERS` where a name is not UTF-8. Ask once for each message.

    Such a name makes confluent-kafka 2.16 return a broken list and leave its exception set. A call written out would,
    once the interpreter has specialised it, pass that on to whatever is called next; `methodcaller` always checks. A
    second call would return the broken list without any exception.
    """
    try:
        headers = _ask_for_headers(message)
    except (SystemError, UnicodeDecodeError):
        return UNREADABLE_HEADERS
    return tuple(headers) if headers else ()


class MessageReader:
    """Makes records, as cheaply as can be: this is done for every message there is.

    A message of the client is falsy when its value is empty or null, so its truth is never asked.
    """

    def __init__(self) -> None:
        self._topic_names: dict[str, str] = {}

    def read(self, messages: list[Message]) -> tuple[list[Record], list[tuple[KafkaError, Message]]]:
        """Return the records in their order, and the rest with its errors."""
        records: list[Record] = []
        events: list[tuple[KafkaError, Message]] = []
        append, make, names = records.append, tuple.__new__, self._topic_names
        for message in messages:
            error = message.error()
            if error is not None:
                events.append((error, message))
                continue
            # One string for each topic and not one for each record: less memory, faster look-ups.
            topic = message.topic() or ""
            kind, timestamp_ms = message.timestamp()
            append(
                make(
                    Record,
                    (
                        names.setdefault(topic, topic),
                        message.partition(),
                        message.offset(),
                        message.key(),
                        message.value(),
                        headers_of(message),
                        timestamp_ms if kind else None,
                    ),
                )
            )
        return records, events
