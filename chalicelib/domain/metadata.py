"""Metadata of a call: a JSON object that its owner attaches, small enough for every event."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_BYTES = 4096
"""Bytes as JSON: metadata goes into every event of the call."""

MAX_DEPTH = 8
_MAX_INTEGER, _LEAST, _MOST = 2**63, 1e-100, 1e100


def check(given: dict[str, Any]) -> dict[str, Any]:
    """Check metadata; return it. Raises ValueError for values that Python accepts as JSON, but the
    table and many readers do not.
    """
    _check_value(given, 0)
    if len(json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES:
        raise ValueError(f"at most {MAX_BYTES} bytes of JSON")
    return given


def _check_value(value: Any, depth: int) -> None:
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            raise ValueError(f"at most {MAX_DEPTH} levels deep")
        for name in value if isinstance(value, dict) else ():
            _check_name(name)
        for inner in value.values() if isinstance(value, dict) else value:
            _check_value(inner, depth + 1)
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int | float):
        _check_number(value)


def _check_name(name: str) -> None:
    if not name:
        raise ValueError("a name must not be empty")
    _check_text(name)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text that is not Unicode") from None


def _check_number(number: float) -> None:
    if isinstance(number, int):
        if abs(number) >= _MAX_INTEGER:
            raise ValueError("a whole number of more than 63 bits: send it as text")
    elif not math.isfinite(number) or (number and not _LEAST < abs(number) < _MOST):
        raise ValueError("a number that is not finite, or beyond 1e100 or 1e-100")


Metadata = Annotated[dict[str, Any], AfterValidator(check)]
"""Type of a model's field."""
