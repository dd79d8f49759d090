"""Protobuf payloads to events.

Field names are the schema's own. Fields that know their absence are left out when absent, all others are there with
their default, as Protobuf's JSON does it; but 64-bit numbers stay numbers. Bytes are base64, an enumeration's value
is its name, a Timestamp ISO 8601 text.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pipeline.decode.outcomes import Undecodable
from pipeline.decode.proto_files import MAIN_FILE, descriptors
from pipeline.decode.schemas import Reader, Schema

Convert = Callable[[Any], Any]

_GOOGLE = "google.protobuf."
_WRAPPERS = frozenset(
    f"{_GOOGLE}{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_BY_THE_LIBRARY = frozenset(
    f"{_GOOGLE}{kind}" for kind in ("Timestamp", "Duration", "Struct", "Value", "ListValue", "FieldMask")
)
_MAX_NESTING = 32
_MAX_VARINT_BYTES = 5


def protobuf_reader(schema: Schema) -> Reader | Undecodable:
    """Return the reader of a Protobuf schema, or why there is none."""
    files = descriptors(schema)
    if isinstance(files, Undecodable):
        return files
    pool = DescriptorPool()
    try:
        for file in files.file:
            pool.Add(file)
        main = pool.FindFileByName(MAIN_FILE)
    except Exception as error:  # whatever the library makes of descriptors it cannot use
        return Undecodable(f"its Protobuf schema cannot be used ({type(error).__name__})")
    first_level = list(main.message_types_by_name.values())
    known: dict[tuple[int, ...], tuple[type[Message], Converter]] = {}

    def read(payload: bytes) -> Any:
        try:
            path, start = _message_path(payload)
            if path not in known:
                descriptor = _message_at(first_level, path)
                known[path] = GetMessageClass(descriptor), Converter(descriptor)
            message_class, convert = known[path]
            return convert(message_class.FromString(payload[start:]))
        except Exception as error:  # bytes that break the schema raise anything at all
            return Undecodable(f"the value is not what its Protobuf schema says ({type(error).__name__})")

    return read


class Converter:
    """Makes plain data of messages of one type. What there is to do for each field is found out once."""

    def __init__(self, descriptor: Descriptor, known: dict[str, "Converter"] | None = None) -> None:
        known = {} if known is None else known
        known[descriptor.full_name] = self  # before the fields: a message may hold itself
        self._fields = [(field, field.name, _conversion(field, known)) for field in descriptor.fields]

    def __call__(self, message: Any) -> dict[str, Any]:
        """Return a message as an object."""
        return {
            name: convert(getattr(message, name))
            for field, name, convert in self._fields
            if not field.has_presence or message.HasField(name)
        }


def _conversion(field: FieldDescriptor, known: dict[str, Converter]) -> Convert:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        convert = _single(entry.fields_by_name["value"], known)
        # Keys of an object are texts; a truth value is written as JSON writes it.
        return lambda items: {_key(key): convert(items[key]) for key in items}
    convert = _single(field, known)
    if field.is_repeated:
        return lambda items: [convert(item) for item in items]
    return convert


def _single(field: FieldDescriptor, known: dict[str, Converter]) -> Convert:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    message = field.message_type
    if message is None:
        return _as_it_is
    if message.full_name in _WRAPPERS:
        return _wrapped
    if message.full_name in _BY_THE_LIBRARY:
        return MessageToDict
    return known.get(message.full_name) or Converter(message, known)


def _as_it_is(value: Any) -> Any:
    return value


def _base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _wrapped(message: Any) -> Any:
    return _base64(message.value) if isinstance(message.value, bytes) else message.value


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _message_path(payload: bytes) -> tuple[tuple[int, ...], int]:
    """Return which message of the schema the payload holds, and where it begins.

    The path is a count and as many indexes, all zigzag varints; a count of 0 stands for the first message.
    """
    count, position = _varint(payload, 0)
    if count == 0:
        return (0,), position
    if not 0 < count <= _MAX_NESTING:
        raise ValueError("no message is nested that deep")
    path = []
    for _ in range(count):
        index, position = _varint(payload, position)
        path.append(index)
    return tuple(path), position


def _varint(payload: bytes, position: int) -> tuple[int, int]:
    value = 0
    for length in range(_MAX_VARINT_BYTES):
        byte = payload[position + length]
        value |= (byte & 0x7F) << (7 * length)
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position + length + 1
    raise ValueError("a number without an end")


def _message_at(first_level: list[Descriptor], path: tuple[int, ...]) -> Descriptor:
    level = first_level
    for index in path[:-1]:
        level = list(_at(level, index).nested_types)
    return _at(level, path[-1])


def _at(level: list[Descriptor], index: int) -> Descriptor:
    if index < 0:
        raise IndexError(index)
    return level[index]
