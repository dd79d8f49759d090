"""Records whose header names are any bytes, as producers in other languages write them."""

import ctypes

from pipeline.kafka.native_mock import load_library

_PRODUCER = 0
_END, _TOPIC, _VALUE, _HEADERS = (ctypes.c_int(tag) for tag in (0, 1, 4, 10))
"""What comes next in the arguments of `rd_kafka_producev` (rdkafka.h: `rd_kafka_vtype_t`)."""


def write_with_header(bootstrap_servers: str, topic: str, name: bytes, value: bytes) -> None:
    """Write a record with one header. confluent-kafka takes only text as names, so librdkafka is called itself."""
    library = load_library()
    library.rd_kafka_headers_new.restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(512)
    configuration = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(
        configuration, b"bootstrap.servers", bootstrap_servers.encode(), error, len(error)
    )
    producer = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, configuration, error, len(error)))
    headers = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(1)))
    size = ctypes.c_ssize_t
    library.rd_kafka_header_add(headers, name, size(len(name)), b"v", size(1))
    told = (_TOPIC, topic.encode(), _VALUE, value, ctypes.c_size_t(len(value)), _HEADERS, headers, _END)
    assert library.rd_kafka_producev(producer, *told) == 0
    assert library.rd_kafka_flush(producer, 10_000) == 0
    library.rd_kafka_destroy(producer)
