"""Protobuf's schema text to descriptors, by the protoc that grpcio-tools carries.

Registries give text; only some of them give descriptors (`format=serialized`), and none without the other. So the
text is compiled, once a schema, in a process of its own: protoc writes to the real stderr and may crash.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from pipeline.decode.outcomes import Undecodable
from pipeline.decode.schemas import Schema

MAIN_FILE = "cio_pipeline_main.proto"
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
    with TemporaryDirectory(prefix="cio-pipeline-") as name:
        folder = Path(name)
        for file, text in files.items():
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts:
                return Undecodable(
                    "its Protobuf schema cannot be used: a reference's name is no relative path"
                )
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        return _compiled(folder)


def _compiled(folder: Path) -> FileDescriptorSet | Undecodable:
    out = folder / "descriptors"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}"]
    options = ["--include_imports", f"--descriptor_set_out={out}", MAIN_FILE]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, files we wrote
            [*command, *options], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Undecodable("its Protobuf schema cannot be used: protoc does not come to an end")
    if done.returncode or not out.exists():
        return Undecodable("its Protobuf schema cannot be used: protoc refuses it")
    return FileDescriptorSet.FromString(out.read_bytes())
