"""A document against a pydantic model: every error with its place, and a guess at what was meant."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.documents.document import Document
from pipeline.documents.problems import DocumentError, Problem

Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model]) -> Model:
    """Return the document as a model.

    Values are judged as JSON's are, so that a strict model takes a list for a tuple and text for an enum.

    Raises:
        DocumentError: with one problem for each error.
    """
    try:
        return model.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise DocumentError([*document.warnings, *_problems(document, model, details)]) from None


def _problems(document: Document, model: type[BaseModel], details: Sequence[ErrorDetails]) -> list[Problem]:
    seen: dict[tuple[Any, str], Problem] = {}
    for detail in details:
        problem = _problem(document, model, detail)
        seen.setdefault((problem.location, problem.text), problem)
    return list(seen.values())


def _problem(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Problem:
    path, last = detail["loc"], detail["loc"][-1] if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        known = _keys(_annotations_at(model, path[:-1]))
        text = f"unknown key '{last}'{suggestion(str(last), known)}"
        return document.problem(document.locate(path, key=True), "unknown-key", text)
    if detail["type"] == "missing":
        return document.problem(document.locate(path, key=True), "missing-key", f"'{last}' is missing")
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    name = (document.nearest(path) or (0,))[-1]
    if isinstance(name, str) and f"'{name}'" not in text:
        text = f"'{name}': {text[:1].lower()}{text[1:]}"
    return document.problem(document.locate(path), "wrong-value", text)


def suggestion(wrong: str, known: Sequence[str]) -> str:
    """Return ``: did you mean 'x'?``, or what is known when nothing is near and the list is short."""
    near = get_close_matches(wrong, known, n=1, cutoff=0.6)
    if near:
        return f": did you mean '{near[0]}'?"
    return f" (known: {', '.join(known)})" if 0 < len(known) <= 12 else ""


def _annotations_at(model: type[BaseModel], path: Sequence[str | int]) -> list[Any]:
    """Return the types a value at `path` may have; a part that names a union's branch is skipped."""
    current: list[Any] = [model]
    for part in path:
        inner = [annotation for outer in _alternatives(current) for annotation in _step(outer, part)]
        current = inner or current
    return _alternatives(current)


def _alternatives(annotations: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for annotation in annotations:
        origin = get_origin(annotation)
        if origin is Annotated:
            flat += _alternatives(get_args(annotation)[:1])
        elif origin in {Union, UnionType}:
            flat += _alternatives(get_args(annotation))
        else:
            flat.append(annotation)
    return flat


def _step(annotation: Any, part: str | int) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [
            field.annotation
            for name, field in annotation.model_fields.items()
            if part in {field.alias or name}
        ]
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if not arguments or not isinstance(origin, type):
        return []
    if issubclass(origin, Mapping):
        return [arguments[1]]
    return [arguments[0]] if isinstance(part, int) else []


def _keys(annotations: Sequence[Any]) -> list[str]:
    return [
        field.alias or name
        for annotation in annotations
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
        for name, field in annotation.model_fields.items()
    ]
