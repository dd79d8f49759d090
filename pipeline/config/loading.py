"""A file and the environment to `Settings`, or every problem at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from pipeline.config.checks import Finding, contradictions, ineffective, missing
from pipeline.config.environment import overlay
from pipeline.config.settings import Settings
from pipeline.documents import (
    Document,
    DocumentError,
    KeyPath,
    Level,
    Location,
    Problem,
    read_document,
    validate,
)

Model = TypeVar("Model", bound=BaseModel)


def load_settings(
    path: Path, environ: Mapping[str, str], warn: Callable[[Problem], None] | None = None
) -> Settings:
    """Read the configuration file with the environment laid over it.

    `warn` is told of what is allowed but surely not meant. Relative paths are taken from the file's folder.

    Raises:
        DocumentError: with every problem that was found.
    """
    document, problems = overlay(_with_sections(_read(path)), environ)
    problems += _problems(document, missing(document.data))
    settings = _validated(document, problems)
    if settings is not None:
        problems += _problems(document, contradictions(settings))
    if settings is None or problems:
        raise DocumentError(problems)
    for warning in (
        *document.warnings,
        *_problems(document, ineffective(settings, document.data), Level.WARNING),
    ):
        if warn is not None:
            warn(warning)
    return anchored(settings, path.absolute().parent)


def anchored(model: Model, folder: Path) -> Model:
    """Return the model with every relative path taken from `folder`."""
    changed = {name: _anchor(value, folder) for name, value in model}
    return model.model_copy(update=changed)


def _anchor(value: Any, folder: Path) -> Any:
    match value:
        case Path():
            return folder / value
        case BaseModel():
            return anchored(value, folder)
        case tuple():
            return tuple(_anchor(item, folder) for item in value)
        case Mapping():
            return {key: _anchor(item, folder) for key, item in value.items()}
    return value


def _read(path: Path) -> Document:
    if not path.exists():
        hint = "write one with `cio-pipeline init`, or name another with --config"
        raise DocumentError(
            [Problem(Location(str(path)), Level.ERROR, "unreadable", f"there is no such file; {hint}")]
        )
    return read_document(path)


def _with_sections(document: Document) -> Document:
    """Give the document every section, so that what is missing in one is found there."""
    if document.data is not None and not isinstance(document.data, dict):
        text = "the configuration must be sections with settings, such as 'kafka:'"
        raise DocumentError([document.problem(Location(document.file, 1, 1), "wrong-value", text)])
    data: dict[str, Any] = {name: {} for name in Settings.model_fields}
    for name, section in (document.data or {}).items():
        if section is not None:
            data[name] = _without_blanks(name, section)
    return replace(document, data=data)


def _without_blanks(name: str, section: Any) -> Any:
    """Leave out settings that are needed but written without a value: they are missing, not wrong."""
    field = Settings.model_fields.get(name)
    if not isinstance(section, dict) or field is None or field.annotation is None:
        return section
    known = field.annotation.model_fields
    return {
        key: value
        for key, value in section.items()
        if value is not None or key not in known or not known[key].is_required()
    }


def _validated(document: Document, problems: list[Problem]) -> Settings | None:
    try:
        return validate(document, Settings)
    except DocumentError as error:
        problems += [problem for problem in error.problems if problem.code != "missing-key"]
        return None


def _problems(document: Document, findings: Iterable[Finding], level: Level = Level.ERROR) -> list[Problem]:
    code = "settings" if level is Level.ERROR else "no-effect"
    return [document.problem(_location(document, path), code, text, level) for path, text in findings]


def _location(document: Document, path: KeyPath) -> Location:
    """Return the place of the setting or of its section; of a section that is not there, the file alone."""
    return document.locate(path, key=True) if document.nearest(path) else Location(document.file)
