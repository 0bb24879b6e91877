"""A point in time: epoch milliseconds in the code, RFC 3339 UTC with milliseconds on every wire.

The text form has a fixed width, so it sorts and compares as text; that is what DynamoDB conditions
and sort keys rely on, and what a person reads in the console.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def to_text(epoch_ms: int) -> str:
    """Return the instant as text: 1790000000123 -> `2026-09-21T14:13:20.123Z`."""
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def from_text(text: str) -> int:
    """Parse the text of `to_text`. Raises ValueError for anything that is not RFC 3339."""
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def _parse(value: object) -> object:
    return from_text(value) if isinstance(value, str) else value


Instant = Annotated[
    int, BeforeValidator(_parse), PlainSerializer(to_text, return_type=str, when_used="json")
]
"""Field type: int (ms) in Python, text in JSON and in the table."""
