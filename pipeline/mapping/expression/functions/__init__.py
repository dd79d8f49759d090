"""Every function of the language; importing this fills the registry."""

from pipeline.mapping.expression.functions import (  # noqa: F401 - they register themselves
    arrays,
    forms,
    hashing,
    numbers,
    objects,
    text,
    time,
    values,
)
from pipeline.mapping.expression.functions.registry import (
    REGISTRY,
    EvaluationError,
    Example,
    Function,
    check_call,
)

__all__ = ["REGISTRY", "EvaluationError", "Example", "Function", "check_call"]
