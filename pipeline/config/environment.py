"""Settings from environment variables, laid over the file's.

`CIO_PIPELINE__KAFKA__GROUP_ID` is `kafka.group_id`. Names under `kafka.properties` have dots where the variable has
single underscores: `CIO_PIPELINE__KAFKA__PROPERTIES__SASL_PASSWORD` is `sasl.password`, and the same with `_FILE`
names a file that holds it.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from pipeline.config.settings import Settings
from pipeline.documents import (
    Document,
    DocumentError,
    KeyPath,
    Level,
    Location,
    Problem,
    parse_document,
    suggestion,
)

PREFIX = "CIO_PIPELINE__"


def variable(path: KeyPath) -> str:
    """Return the name of the variable that sets the field at `path`."""
    return PREFIX + "__".join(str(part) for part in path).upper()


def overlay(document: Document, environ: Mapping[str, str]) -> tuple[Document, list[Problem]]:
    """Return the document with the variables laid over it, and what is wrong with the variables."""
    problems: list[Problem] = []
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        location = Location(f"environment variable {name}")
        try:
            path, annotation = _field(name)
            document = document.overlaid(path, _value(environ[name], annotation), location)
        except _UnusableVariableError as error:
            problems.append(Problem(location, Level.ERROR, "unknown-variable", str(error)))
    return document, problems


class _UnusableVariableError(Exception):
    """A variable that names no setting or whose text cannot be read."""


def _field(name: str) -> tuple[KeyPath, Any]:
    parts = name.removeprefix(PREFIX).lower().split("__")
    model: type[BaseModel] = Settings
    for index, part in enumerate(parts):
        if part not in model.model_fields:
            raise _UnusableVariableError(_unknown(part, parts[:index], model))
        annotation = _plain(model.model_fields[part].annotation)
        path = (*parts[: index + 1],)
        if get_origin(annotation) is Mapping:
            return _property(parts, index), str
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            if index + 1 < len(parts):
                raise _UnusableVariableError(f"'{'.'.join(path)}' has no parts")
            return path, annotation
        model = annotation
    raise _UnusableVariableError(f"'{'.'.join(parts)}' is a section; name one of its settings")


def _unknown(part: str, before: list[str], model: type[BaseModel]) -> str:
    where = f" in section '{'.'.join(before)}'" if before else ""
    return f"unknown setting '{part}'{where}{suggestion(part, list(model.model_fields))}"


def _property(parts: list[str], index: int) -> KeyPath:
    name = "__".join(parts[index + 1 :])
    if not name:
        raise _UnusableVariableError(f"name the property: {variable((*parts, 'sasl_password'))}")
    section = parts[:index]
    if name.endswith("_file") and parts[index] == "properties":
        return (*section, "property_files", name.removesuffix("_file").replace("_", "."))
    return (*parts[: index + 1], name.replace("_", "."))


def _plain(annotation: Any) -> Any:
    """Return the type without its constraints and without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _plain(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def _value(text: str, annotation: Any) -> Any:
    if annotation in {int, float, bool}:
        return _scalar(text)
    if get_origin(annotation) is tuple:
        return [item.strip() for item in text.split(",")]
    return text


def _scalar(text: str) -> Any:
    try:
        return parse_document(text, "environment").data
    except DocumentError:
        return text
