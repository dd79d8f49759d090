"""Functions over numbers."""

import math
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import partial

from pipeline.mapping.expression.functions.registry import EvaluationError, Example, define

_define = partial(define, group="Numbers")
_PAIR = ("number", "number")


@_define(
    "abs(number) -> number", "Without its sign.", Example("abs(-3)", 3), parameters=["number"], standard=True
)
def _abs(number: float) -> float:
    return abs(number)


@_define(
    "ceil(number) -> number", "Rounded up.", Example("ceil(1.2)", 2), parameters=["number"], standard=True
)
def _ceil(number: float) -> int:
    return math.ceil(number)


@_define(
    "floor(number) -> number", "Rounded down.", Example("floor(1.8)", 1), parameters=["number"], standard=True
)
def _floor(number: float) -> int:
    return math.floor(number)


@_define(
    "round(number, digits) -> number",
    "Rounded to so many digits after the point, or to a whole number; a half goes away from zero.",
    Example("round(12.345, 2)", 12.35),
    Example("round(2.5)", 3),
    parameters=["number", "number"],
    optional=1,
)
def _round(number: float, digits: float = 0) -> float:
    if digits != int(digits) or not -15 <= digits <= 15:
        raise EvaluationError("round() takes a whole number of digits from -15 to 15")
    if type(number) is int and digits >= 0:
        return number
    try:
        rounded = Decimal(repr(number)).quantize(Decimal(1).scaleb(-int(digits)), ROUND_HALF_UP)
    except InvalidOperation:  # more digits than a float has: nothing to round
        return number
    return float(rounded) if digits > 0 else int(rounded)


@_define("add(a, b) -> number", "The sum of two numbers.", Example("add(1, 2)", 3), parameters=_PAIR)
def _add(left: float, right: float) -> float:
    return _finite(left + right)


@_define(
    "subtract(a, b) -> number",
    "The first number less the second.",
    Example("subtract(3, 2)", 1),
    parameters=_PAIR,
)
def _subtract(left: float, right: float) -> float:
    return _finite(left - right)


@_define("multiply(a, b) -> number", "The product.", Example("multiply(2, 3)", 6), parameters=_PAIR)
def _multiply(left: float, right: float) -> float:
    return _finite(left * right)


@_define(
    "divide(a, b) -> number",
    "The quotient; dividing by zero is an error.",
    Example("divide(51999, 100)", 519.99),
    parameters=_PAIR,
)
def _divide(left: float, right: float) -> float:
    if right == 0:
        raise EvaluationError("divide() by zero")
    return _finite(left / right)


@_define(
    "modulo(a, b) -> number",
    "What is left of the first number after dividing it by the second.",
    Example("modulo(7, 3)", 1),
    parameters=_PAIR,
)
def _modulo(left: float, right: float) -> float:
    if right == 0:
        raise EvaluationError("modulo() by zero")
    return left % right


def _finite(number: float) -> float:
    """Refuse what JSON cannot say; a sum of numbers from JSON can still overflow."""
    if type(number) is float and not math.isfinite(number):
        raise EvaluationError("the result is too large a number")
    return number
