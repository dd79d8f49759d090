"""Functions that the compiler itself knows: they choose what is evaluated, read the context, or want a constant."""

from functools import partial

from pipeline.mapping.expression.functions.registry import Example, Function, add

_choice = partial(Function, group="Choice", accept_null=True)
_context = partial(Function, group="Context", accept_null=True)

add(
    _choice(
        "not_null",
        "not_null(value, ...) -> value",
        "The first value that is not null; those after it are not evaluated. `coalesce` is the same.",
        parameters=("any",),
        examples=(Example("not_null(plan, 'free')", "free", {}),),
        variadic=True,
        standard=True,
        aliases=("coalesce",),
    )
)
add(
    _choice(
        "if",
        "if(condition, then, else) -> value",
        "The second value when the condition holds, otherwise the third, or null without one; only that one is "
        "evaluated. As everywhere, 0 holds, and null, false and what is empty do not.",
        parameters=("any", "any", "any"),
        optional=1,
        examples=(Example("if(total >= 50, 'gold', 'standard')", "gold", {"total": 50}),),
    )
)
add(
    _choice(
        "lookup",
        "lookup(key, table, default) -> value",
        "What a table has for a text, number or boolean; the default, or null without one, if it has nothing.",
        parameters=("any", "object", "any"),
        optional=1,
        examples=(
            Example('lookup(s, `{"w": "web", "i": "ios"}`, \'other\')', "web", {"s": "w"}),
            Example('lookup(s, `{"w": "web"}`, \'other\')', "other", {}),
        ),
    )
)
add(_context("event", "event() -> value", "The whole event, also inside a projection.", examples=()))
add(_context("item", "item() -> value", "The element of `for_each` that this call is for."))
add(_context("index", "index() -> number", "Where that element stands, counted from 0."))
add(
    _context(
        "kafka",
        "kafka() -> object",
        "The record: topic, partition, offset, key (as text), timestamp (in milliseconds), headers (the last value of "
        "each name, as text) and tombstone (whether it has no value). What is not UTF-8 is null.",
    )
)
add(
    _context(
        "env",
        "env('NAME') -> text",
        "An environment variable, read once when the rules are loaded; one that is not set is an error then.",
        parameters=("string",),
    )
)
add(
    Function(
        "matches",
        "matches(text, 'pattern') -> boolean",
        "Whether a pattern (RE2) occurs in a text. Start it with ^ and end it with $ to match the whole text.",
        "Text",
        parameters=("string", "string"),
        examples=(Example("matches(email, '@example\\.com$')", True, {"email": "a@example.com"}),),
    )
)
add(
    Function(
        "replace_re",
        "replace_re(text, 'pattern', replacement) -> text",
        "With every occurrence of a pattern (RE2) replaced; \\1 stands for the first group.",
        "Text",
        parameters=("string", "string", "string"),
        examples=(Example("replace_re('a1b22', '[0-9]+', '#')", "a#b#"),),
    )
)
