"""The JMESPath front end: text to a tree, by the jmespath library's own parser.

Two things are added, and no valid expression changes its meaning: bare numbers (``total > 50``) are literals, and
expressions that parse but betray their author are errors that say what to write instead.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from math import isfinite
from typing import Any

import jmespath.ast
import jmespath.lexer
import jmespath.parser
from jmespath import exceptions

from pipeline.errors import ConfigurationError
from pipeline.mapping.expression.syntax import ExpressionError, Node

MAX_CHARACTERS = 4_096
"""The longest expression that is taken."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?(?![A-Za-z0-9_])")
_JSON_WORDS = frozenset({"true", "false", "null"})
_BINDS_TOO_LATE = frozenset({"dot", "flatten", "filter", "eq", "ne", "lt", "lte", "gt", "gte"})
_NAMES = {
    "eof": "the end",
    "unquoted_identifier": "a name",
    "quoted_identifier": "a quoted name",
    "rbracket": "']'",
    "rparen": "')'",
    "rbrace": "'}'",
    "lbracket": "'['",
    "lparen": "'('",
    "lbrace": "'{'",
    "colon": "':'",
    "comma": "','",
    "dot": "'.'",
    "star": "'*'",
}

ast: Any = jmespath.ast  # the library's annotations leave out what a subclass needs
_LibraryParser: Any = jmespath.parser.Parser
_LibraryLexer: Any = jmespath.lexer.Lexer

CallCheck = Callable[[str, int], tuple[str, str] | None]
"""Gives the code and the text of what is wrong with calling this function with so many arguments."""


def parse(text: str, check_call: CallCheck, *, standard: bool = False) -> Node:
    """Parse an expression.

    With `standard` exactly the JMESPath standard is taken, and nothing that is valid there is refused.

    Raises:
        ExpressionError: with the place of the first thing wrong.
        ConfigurationError: another package stands where the library should be.
    """
    _require_the_library()
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"an expression may have at most {MAX_CHARACTERS} characters", MAX_CHARACTERS)
    if not text.strip():
        raise ExpressionError("the expression is empty")
    try:
        return _tree((_StandardParser() if standard else _Parser()).tree(text, check_call))
    except ExpressionError:
        raise
    except exceptions.LexerError as error:
        raise ExpressionError(_lexer_text(error), error.lexer_position or 0) from None
    except exceptions.ParseError as error:
        raise ExpressionError(_parser_text(error), min(error.lex_position or 0, len(text))) from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None
    except ValueError as error:
        raise ExpressionError(str(error)) from None


@cache
def _require_the_library() -> None:
    """Tell the library from its fork, which has the same import name and takes more than the standard."""
    try:
        _LibraryParser().parse("a + b")
    except exceptions.ParseError:
        return
    raise ConfigurationError(
        "another package has replaced the library jmespath, probably jmespath-community, which installs itself under"
        " the same name; run: pip uninstall jmespath-community; pip install --force-reinstall 'jmespath>=1,<2'"
    )


def _lexer_text(error: exceptions.LexerError) -> str:
    message = str(error.message)
    if message == "Unknown token '='":
        return "a single '=': write '==' to compare"
    return message[0].lower() + message[1:]


def _parser_text(error: exceptions.ParseError) -> str:
    if isinstance(error, exceptions.IncompleteExpressionError):
        return "the expression ends too early"
    message: str = error.msg
    expecting = re.fullmatch(r"Expecting: (.*), got: (\w+)", message)
    if expecting:
        wanted = " or ".join(_NAMES.get(name, name) for name in re.findall(r"\w+", expecting[1]))
        return f"expected {wanted}, found {_NAMES.get(expecting[2], expecting[2])}"
    if message in {"invalid token", "syntax error"} or message.startswith("Unexpected token"):
        kind = str(error.token_type or "eof").lower()
        found = "the end" if kind == "eof" else f"'{error.token_value}'"
        return f"{found} cannot stand here"
    return message[0].lower() + message[1:].rstrip(".")


def _tree(node: dict[str, Any]) -> Node:
    kind = node["type"]
    if kind == "slice":
        return Node(kind, value=tuple(node["children"]), offset=node.get("start", 0))
    parts = _chain(node) if kind in {"or_expression", "and_expression"} else node["children"]
    children = tuple(_tree(part) for part in parts)
    return Node(kind, children, node.get("value"), node.get("start", 0))


def _chain(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a, b and c of a || b || c, which comes as a tree as deep as it is long."""
    kind, parts = node["type"], []
    while node["type"] == kind:
        node, right = node["children"]
        parts.append(right)
    return [node, *reversed(parts)]


class _StandardParser(_LibraryParser):  # type: ignore[misc]
    """The library's parser, which also notes where calls stand and checks them."""

    _check_call: CallCheck

    def tree(self, text: str, check_call: CallCheck) -> dict[str, Any]:
        self._check_call = check_call
        self._tokens = self._tokenize(text)
        self._index = 0
        parsed: dict[str, Any] = self._expression(binding_power=0)
        if self._current_token() != "eof":
            token = self._lookahead_token(0)
            raise exceptions.ParseError(token["start"], token["value"], token["type"], "invalid token")
        return parsed

    def _tokenize(self, text: str) -> list[dict[str, Any]]:
        return list(_StandardLexer().tokenize(text))

    def _token_led_lparen(self, left: dict[str, Any]) -> dict[str, Any]:
        start = self._lookahead_token(-2)["start"]
        node: dict[str, Any] = super()._token_led_lparen(left)
        return self._checked(node, start)

    def _checked(self, node: dict[str, Any], start: int) -> dict[str, Any]:
        problem = self._check_call(node["value"], len(node["children"]))
        if problem is not None:
            code, text = problem
            raise ExpressionError(text, start, code)
        return {**node, "start": start}


class _Parser(_StandardParser):
    """The standard and bare numbers, without what betrays."""

    def _tokenize(self, text: str) -> list[dict[str, Any]]:
        return _with_whole_numbers(list(_StrictLexer().tokenize(text)), text)

    def _token_nud_number(self, token: dict[str, Any]) -> dict[str, Any]:
        literal: dict[str, Any] = ast.literal(token["value"])
        return literal

    def _token_nud_unquoted_identifier(self, token: dict[str, Any]) -> dict[str, Any]:
        name = token["value"]
        before = self._lookahead_token(-2)["type"] if self._index >= 2 else None
        alone = before == "lparen" and self._current_token() == "rparen"
        if name in _JSON_WORDS and before != "dot" and not alone:
            raise ExpressionError(
                f"{name} is a field name here: write `{name}` in backticks (or @.{name} for the field)",
                token["start"],
                "json-word",
            )
        return {**ast.field(name), "start": token["start"]}

    def _token_nud_quoted_identifier(self, token: dict[str, Any]) -> dict[str, Any]:
        return {**super()._token_nud_quoted_identifier(token), "start": token["start"], "quoted": True}

    def _token_nud_not(self, token: dict[str, Any]) -> dict[str, Any]:
        node: dict[str, Any] = super()._token_nud_not(token)
        if self._current_token() in _BINDS_TOO_LATE:
            raise ExpressionError(
                "'!' takes only the next name: put what it negates in parentheses, as in !(a.b)",
                token["start"],
                "narrow-not",
            )
        return node

    def _parse_comparator(self, left: dict[str, Any], comparator: str) -> dict[str, Any]:
        node: dict[str, Any] = super()._parse_comparator(left, comparator)
        right = node["children"][1]
        if right.get("quoted"):
            name = right["value"]
            raise ExpressionError(
                f"\"{name}\" in double quotes is a field name; write a string as '{name}'",
                right["start"],
                "quoted-name",
            )
        return node

    def _token_led_lparen(self, left: dict[str, Any]) -> dict[str, Any]:
        name_token = self._lookahead_token(-2)
        if left["type"] != "field":
            raise ExpressionError("only a name can be called", name_token["start"])
        arguments = []
        while self._current_token() != "rparen":
            arguments.append(self._expression())
            self._separated("rparen")
        self._match("rparen")
        node = ast.function_expression(left["value"], arguments)
        return self._checked(node, name_token["start"])

    def _parse_multi_select_hash(self) -> dict[str, Any]:
        pairs: dict[str, dict[str, Any]] = {}
        while True:
            key = self._lookahead_token(0)
            self._match_multiple_tokens(token_types=["quoted_identifier", "unquoted_identifier"])
            if key["value"] in pairs:
                raise ExpressionError(f"'{key['value']}' is given twice", key["start"])
            self._match("colon")
            pairs[key["value"]] = ast.key_val_pair(key_name=key["value"], node=self._expression(0))
            self._separated("rbrace")
            if self._current_token() == "rbrace":
                break
        self._match("rbrace")
        node: dict[str, Any] = ast.multi_select_dict(nodes=list(pairs.values()))
        return node

    def _separated(self, closing: str) -> None:
        token = self._lookahead_token(0)
        if token["type"] == closing:
            return
        if token["type"] != "comma":
            found = "the expression ends too early" if token["type"] == "eof" else "a comma is missing"
            raise ExpressionError(found, token["start"], "missing-comma")
        self._match("comma")
        if self._current_token() == closing:
            raise ExpressionError("nothing follows this comma", token["start"], "missing-comma")


class _StandardLexer(_LibraryLexer):  # type: ignore[misc]
    """The library's lexer without its warning about literals that are not JSON."""

    def _consume_literal(self) -> dict[str, Any]:
        start = self._position
        lexeme = self._consume_until("`").replace("\\`", "`")
        return {
            "type": "literal",
            "value": self._literal(lexeme, start),
            "start": start,
            "end": self._position,
        }

    def _literal(self, lexeme: str, start: int) -> Any:
        try:
            return json.loads(lexeme)
        except ValueError:
            pass
        try:
            return json.loads(f'"{lexeme.lstrip()}"')
        except ValueError:
            raise ExpressionError(f"`{lexeme}` is not JSON", start) from None


class _StrictLexer(_StandardLexer):
    """Takes only JSON between backticks."""

    def _literal(self, lexeme: str, start: int) -> Any:
        try:
            return json.loads(
                lexeme, parse_constant=_no_constant, parse_float=lambda number: _finite(number, start)
            )
        except ExpressionError:
            raise
        except (ValueError, RecursionError):
            raise ExpressionError(
                f"`{lexeme}` is not JSON; write a string as '{lexeme.strip()}'", start, "bad-literal"
            ) from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _with_whole_numbers(tokens: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Join what the lexer cut: 61.5 comes as 61, a dot and 5; 1e3 as 1 and a name."""
    joined: list[dict[str, Any]] = []
    end = 0
    for token in tokens:
        if token["start"] < end and token["type"] != "eof":
            continue
        if token["type"] == "number":
            match = _NUMBER.match(text, token["start"])
            if match and match.end() > token["end"]:
                end = match.end()
                joined.append({**token, "value": _finite(match[0], token["start"]), "type": "literal"})
                continue
        joined.append(token)
    return joined


def _finite(number: str, start: int) -> float:
    value = float(number)
    if not isfinite(value):
        raise ExpressionError(f"{number} is too large a number", start, "bad-literal")
    return value
