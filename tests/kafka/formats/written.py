"""Values as Confluent's own serialisers write them, with their schemas registered."""

import json
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from pipeline.decode.proto_files import descriptors
from pipeline.decode.schemas import Schema as OurSchema
from pipeline.decode.schemas import SchemaKind

ADDRESS = {
    "type": "record",
    "name": "Address",
    "namespace": "shop",
    "fields": [{"name": "city", "type": "string"}],
}
ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["order"]}},
        {"name": "user_id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "address", "type": ["null", "shop.Address"], "default": None},
    ],
}
PROTO_ADDRESS = 'syntax = "proto3"; package shop; message Address { string city = 1; }'
PROTO_ORDER = """
syntax = "proto3";
package shop;
import "address.proto";
import "google/protobuf/timestamp.proto";
message Unrelated { string nothing = 1; }
message Shop {
  message Order {
    string type = 1;
    string user_id = 2;
    google.protobuf.Timestamp at = 3;
    int64 total = 4;
    Address address = 5;
    optional string coupon = 6;
  }
}
"""
JSON_ADDRESS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
JSON_ORDER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Order",
    "type": "object",
    "properties": {"user_id": {"type": "string"}, "address": {"$ref": "address.json"}},
    "required": ["user_id"],
}


class Writer:
    """Registers schemas and writes values by them."""

    def __init__(self, url: str) -> None:
        self._client = SchemaRegistryClient({"url": url})

    def close(self) -> None:
        self._client.close()

    def avro(self, topic: str, order: dict[str, Any]) -> bytes:
        subject = f"{topic}-address"
        self._client.register_schema(subject, Schema(json.dumps(ADDRESS), "AVRO"))
        reference = SchemaReference("shop.Address", subject, 1)
        return self._written(
            AvroSerializer(self._client, Schema(json.dumps(ORDER), "AVRO", [reference])), topic, order
        )

    def json(self, topic: str, order: dict[str, Any]) -> bytes:
        subject = f"{topic}-address"
        self._client.register_schema(subject, Schema(json.dumps(JSON_ADDRESS), "JSON"))
        reference = SchemaReference("address.json", subject, 1)
        schema = Schema(json.dumps(JSON_ORDER), "JSON", [reference])
        return self._written(JSONSerializer(schema, self._client, conf={"validate": False}), topic, order)

    def protobuf(self, topic: str, order: dict[str, Any]) -> bytes:
        """Written by Confluent's client, which registers descriptors in base64."""
        message = protobuf_message(order)
        return self._written(ProtobufSerializer(type(message), self._client), topic, message)

    def protobuf_with_text(self, topic: str, order: dict[str, Any]) -> bytes:
        """Written with a schema that was registered as text, as Java's client does it."""
        subject = f"{topic}-address"
        self._client.register_schema(subject, Schema(PROTO_ADDRESS, "PROTOBUF"))
        reference = SchemaReference("address.proto", subject, 1)
        number = self._client.register_schema(f"{topic}-value", Schema(PROTO_ORDER, "PROTOBUF", [reference]))
        second_message_then_its_first = b"\x04\x02\x00"
        payload: bytes = protobuf_message(order).SerializeToString()
        return b"\0" + number.to_bytes(4, "big") + second_message_then_its_first + payload

    def _written(self, serializer: Any, topic: str, value: Any) -> bytes:
        written: bytes = serializer(value, SerializationContext(topic, MessageField.VALUE))
        return written


def protobuf_message(order: dict[str, Any]) -> Any:
    files = descriptors(OurSchema(SchemaKind.PROTOBUF, PROTO_ORDER, {"address.proto": PROTO_ADDRESS}))
    assert isinstance(files, FileDescriptorSet)
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("shop.Shop.Order"))(**order)
