"""Protobuf's schemas to descriptors, by the protoc that grpcio-tools carries.

What registries give is text; only some of them can give descriptors instead (`format=serialized`). But a schema that
Confluent's Python client registered is a descriptor in base64, and some registries give it back as it came. So both
go to protoc, once a schema, in a process of its own: protoc writes to the real stderr, and may crash.
"""

import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from pipeline.decode.outcomes import Undecodable
from pipeline.decode.schemas import Schema

MAIN_FILE = "cio_pipeline_main.proto"
_READY = "descriptors"
_TIMEOUT_S = 60.0

_DECIMAL = """\
syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
"""
_META = """\
syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
"""
_KNOWN_FILES: Mapping[str, str] = MappingProxyType(
    {"confluent/meta.proto": _META, "confluent/type/decimal.proto": _DECIMAL}
)
"""What Confluent's serialisers let a schema import without a reference, besides google/protobuf."""


def descriptors(schema: Schema) -> FileDescriptorSet | Undecodable:
    """Compile a schema with everything it imports; the schema itself is the file `MAIN_FILE`."""
    files = {**_KNOWN_FILES, **schema.references, MAIN_FILE: schema.text}
    ready = FileDescriptorSet()
    with TemporaryDirectory(prefix="cio-pipeline-") as name:
        folder = Path(name)
        for file, text in files.items():
            descriptor = _descriptor(file, text)
            if descriptor is not None:
                ready.file.append(descriptor)
            elif not _write(folder, PurePosixPath(file), text):
                return Undecodable(
                    "its Protobuf schema cannot be used: a reference's name is no relative path"
                )
        (folder / _READY).write_bytes(ready.SerializeToString())
        return _compiled(folder)


def _descriptor(file: str, text: str) -> FileDescriptorProto | None:
    """Return the descriptor that a text holds in base64, None for the text of a .proto file."""
    try:
        descriptor = FileDescriptorProto.FromString(b64decode(text, validate=True))
    except (ValueError, DecodeError):
        return None
    descriptor.name = file
    return descriptor


def _write(folder: Path, path: PurePosixPath, text: str) -> bool:
    if path.is_absolute() or ".." in path.parts:
        return False
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, "utf-8")
    return True


def _compiled(folder: Path) -> FileDescriptorSet | Undecodable:
    out = folder / "compiled"
    inputs = [f"-I{folder}", f"--descriptor_set_in={folder / _READY}", MAIN_FILE]
    command = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", f"--descriptor_set_out={out}"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, files we wrote
            [*command, *inputs], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Undecodable("its Protobuf schema cannot be used: protoc does not come to an end")
    if done.returncode or not out.exists():
        return Undecodable("its Protobuf schema cannot be used: protoc refuses it")
    return FileDescriptorSet.FromString(out.read_bytes())
