"""Make text that others wrote fit to be stored and shown."""

from __future__ import annotations

MAX_SHOWN = 64
"""Characters of a carrier's own text that an event repeats."""


def printable(text: str) -> str:
    """Return somebody else's text, short and on one line."""
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_SHOWN])


def storable(text: str) -> str:
    """Return the text with a question mark for each half of a surrogate pair: JSON can spell one
    (`"\\ud800"`), UTF-8 cannot, so neither a table nor a log takes it.
    """
    return text.encode("utf-8", "replace").decode("utf-8")
