"""Every function gives JSON or an error of its own, whatever it is given, and null for null."""

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mapping.expression import REGISTRY, EvaluationError, Function, compile_expression
from tests.properties.mapping.json_values import TEXTS, VALUES

SECRET = "hunter2"
"""Stands in texts that no message may show; a word that a message could hold by itself would prove nothing."""
GIVEN = VALUES | TEXTS.map(lambda text: text + SECRET)
ORDINARY = [
    function
    for name, function in sorted(REGISTRY.items())
    if function.implementation and name == function.name
]


def call(function: Function, count: int) -> str:
    arguments = ["&@" if function.parameter(n) == "expref" else f"a{n}" for n in range(count)]
    return f"{function.name}({', '.join(arguments)})"


def result(expression: str, values: list[Any]) -> Any:
    return compile_expression(expression)({f"a{n}": value for n, value in enumerate(values)})


@pytest.mark.parametrize("function", ORDINARY, ids=lambda function: function.name)
@settings(max_examples=500 if os.environ.get("CIO_TEST") == "all" else 12, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_function_gives_json_or_says_why_not(function: Function, data: st.DataObject) -> None:
    least = len(function.parameters) - function.optional
    count = data.draw(st.integers(least, len(function.parameters) + (1 if function.variadic else 0)))
    values = data.draw(st.lists(GIVEN, min_size=count, max_size=count))
    before = json.dumps(values)
    try:
        json.dumps(result(call(function, count), values), allow_nan=False)
    except EvaluationError as error:
        text = str(error)
        assert text
        assert SECRET not in text
    assert json.dumps(values) == before


@pytest.mark.parametrize("function", ORDINARY, ids=lambda function: function.name)
def test_a_function_that_is_given_null_gives_null_unless_it_takes_null(function: Function) -> None:
    count = max(1, len(function.parameters) - function.optional)
    if function.accept_null:
        compile_expression(call(function, count))({})
    elif not function.skip_null:
        assert result(call(function, count), []) is None
