"""The settings reference, made from the models: `python -m pipeline.config.reference > docs/configuration.md`."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config.environment import variable
from pipeline.config.kafka import REFUSED_PROPERTIES
from pipeline.config.settings import Settings
from pipeline.documents import KeyPath

_HEADER = """\
# Configuration

Generated from the program's own models by `make docs`; a test keeps it true.

`cio-pipeline run --config pipeline.yaml` reads one YAML file (YAML 1.2) and lays the environment over it.
`cio-pipeline init` writes a commented one. Everything has a default except the addresses and the secrets.
Whatever is wrong is reported at once, each problem with its file, line and column, and ends with exit status 2.

- **Environment.** `kafka.topics` is `CIO_PIPELINE__KAFKA__TOPICS`: two underscores between the parts, lists separated
  by commas. A property of the Kafka client has single underscores for its dots: `sasl.username` is
  `CIO_PIPELINE__KAFKA__PROPERTIES__SASL_USERNAME`.
- **Secrets** may be written into the file, but are better kept in the environment or in files of their own
  (`customerio.api_key_file`, `kafka.property_files`, or a variable that ends in `_FILE`). They are in no log,
  error text or metric.
- **Paths** are taken from the folder of the configuration file, also those from the environment.
"""

_NAMES = {
    str: "text",
    SecretStr: "secret",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
}


def render() -> str:
    """Return the whole reference as Markdown."""
    parts = [_HEADER]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts.append("\n".join(_section((name,), field.annotation)))
    parts.append("\n".join(_refused()))
    return "\n".join(parts)


def _section(path: KeyPath, model: type[BaseModel]) -> Iterator[str]:
    yield f"## {'.'.join(str(part) for part in path)}\n"
    yield f"{model.__doc__}\n"
    yield "| setting | values | default | |"
    yield "|---|---|---|---|"
    yield from _rows(path, model)
    yield f"\nIn the environment: `{variable((*path, next(iter(model.model_fields))))}` and so on.\n"


def _rows(path: KeyPath, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(here, field.annotation)
        else:
            label = ".".join(str(part) for part in here)
            yield f"| `{label}` | {_values(field)} | {_default(field)} | {field.description} |"


def _values(field: FieldInfo) -> str:
    bounds = [
        f"{word} {_number(limit)}"
        for word, attribute in (("at least", "ge"), ("above", "gt"), ("at most", "le"))
        for limit in [_tightest(field.metadata, attribute)]
        if limit is not None
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _tightest(metadata: list[Any], attribute: str) -> float | None:
    limits: list[float] = [getattr(item, attribute) for item in metadata if hasattr(item, attribute)]
    if not limits:
        return None
    return min(limits) if attribute == "le" else max(limits)


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin in {Union, UnionType}:
        return " or ".join(_kind(kind) for kind in get_args(annotation) if kind is not type(None))
    if origin is tuple:
        return f"list of {_kind(get_args(annotation)[0])}s"
    if origin is Mapping:
        return f"map of names to {'paths' if get_args(annotation)[1] is Path else 'values'}"
    return _NAMES.get(annotation, "time")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**" if field.default_factory is None else ""
    if field.default in {None, PydanticUndefined}:
        return "none"
    return f"`{_written(field.default)}`"


def _written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return _number(value)
        case "":
            return '""'
        case tuple():
            return ", ".join(str(item) for item in value)
    return str(value)


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refused() -> Iterator[str]:
    yield "## Properties of the Kafka client that are refused\n"
    yield "| property | why |"
    yield "|---|---|"
    for name, reason in sorted(REFUSED_PROPERTIES.items()):
        yield f"| `{name}` | {reason} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(render())
