"""What others wrote, fit to be shown in ours."""

from __future__ import annotations

MAX_SHOWN = 64
"""Characters of a carrier's own text that an event repeats."""


def shown(text: str) -> str:
    """Somebody else's text, short and on one line."""
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_SHOWN])
