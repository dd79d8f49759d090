"""YAML documents with positions: parsing, validation and located problems."""

from pipeline.documents.document import Document, KeyPath
from pipeline.documents.problems import DocumentError, Level, Location, Problem
from pipeline.documents.reading import parse_document, read_document
from pipeline.documents.validation import suggestion, validate

__all__ = [
    "Document",
    "DocumentError",
    "KeyPath",
    "Level",
    "Location",
    "Problem",
    "parse_document",
    "read_document",
    "suggestion",
    "validate",
]
