"""Sentences about values that a request got wrong: what is wanted, in the words of JSON.

pydantic's own messages name its types, classes and patterns, which say nothing to a client.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import ErrorDetails

_OTHERWISE = "this value is not possible here"

_WANTED = {
    "missing": "this is required",
    "extra_forbidden": "there is no such field",
    "string": "a text is wanted",
    "int": "a whole number is wanted",
    "float": "a number is wanted",
    "finite_number": "a number is wanted that is not infinite",
    "bool": "true or false is wanted",
    "list": 'a list is wanted, as in ["a", "b"]',
    "tuple": 'a list is wanted, as in ["a", "b"]',
    "dict": 'a JSON object is wanted, as in {{"name": 1}}',
    "model": 'a JSON object is wanted, as in {{"name": 1}}',
    "greater_than_equal": "at least {ge} is wanted",
    "less_than_equal": "at most {le} is wanted",
    "string_too_short": "at least {min_length} characters are wanted",
    "string_too_long": "at most {max_length} characters are possible",
    "too_short": "at least {min_length} entries are wanted",
    "too_long": "at most {max_length} entries are possible",
    "string_unicode": "this text is not Unicode",
    "string_pattern_mismatch": _OTHERWISE,
}
"""Sentences about what is wanted, by pydantic's name of the error or its first word."""


def what_is_wanted(error: ErrorDetails) -> str:
    """Return what a value should have been, without the value: it may be a secret."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in {"literal_error", "enum"}:
        return _one_of(str(context["expected"]))
    if context.get("min_length") == 1 and kind in {"string_too_short", "too_short"}:
        return "this must not be empty"
    sentence = _WANTED.get(kind) or _WANTED.get(kind.partition("_")[0], _OTHERWISE)
    return sentence.format(**_readable(context))


def _one_of(expected: str) -> str:
    """Return what is wanted of a few words, which pydantic lists as `'a', 'b' or 'c'`."""
    words = re.sub(r"'([^']*)'", r"\1", expected)
    return f"{words} is wanted"


def _readable(context: dict[str, Any]) -> dict[str, Any]:
    """Write whole numbers without `.0`."""
    return {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()
    }
