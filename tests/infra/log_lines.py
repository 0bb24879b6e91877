"""Access log lines as API Gateway renders them, and CloudWatch's filters of JSON lines.

API Gateway replaces each `$context` variable by its value, and by a `-` if it has none (API Gateway
developer guide, "Variables for access logging"). CloudWatch's filters: CloudWatch Logs user guide,
"Using filter patterns to match terms in JSON log events"; a line that is not JSON matches none.
"""

from __future__ import annotations

import fnmatch
import json
import operator
import re
from collections.abc import Mapping
from typing import Any

SERVED = {
    "requestTime": "28/Nov/2026:10:00:00 +0000",
    "requestId": "2f6c3c0e-0d4b-4a5e-9a39-0f8b1f6f2f3d",
    "xrayTraceId": "1-67f-a",
    "httpMethod": "POST",
    "resourcePath": "/webhooks/twilio/voice",
    "status": "200",
    "responseLatency": "48",
    "integrationLatency": "45",
    "identity.sourceIp": "192.0.2.1",
}
"""Variables of a request that a function answers. No `error` variable has a value."""

_REFUSED = {name: value for name, value in SERVED.items() if name != "integrationLatency"}
REQUESTS: Mapping[str, Mapping[str, str]] = {
    "served": SERVED,
    "function failed": {
        **SERVED, "status": "502", "error.responseType": "DEFAULT_5XX",
        "error.message": "Internal server error", "error.messageString": '"Internal server error"',
    },
    "throttled": {
        **_REFUSED, "status": "429", "error.responseType": "THROTTLED",
        "error.message": "Too Many Requests", "error.messageString": '"Too Many Requests"',
    },
    "blocked by the firewall": {
        **_REFUSED, "status": "403", "error.responseType": "WAF_FILTERED", "resourcePath": "-",
        "error.message": "Forbidden", "error.messageString": '"Forbidden"',
    },
    "of an unknown path": {
        **_REFUSED, "status": "403", "error.responseType": "MISSING_AUTHENTICATION_TOKEN",
        "resourcePath": "-", "xrayTraceId": "-",
        # A text of API Gateway's may quote what the client sent.
        "error.message": 'Invalid key=value pair in Authorization header: "x\\"',
        "error.messageString": '"Invalid key=value pair in Authorization header: "x\\""',
    },
}  # fmt: skip
"""Kind of request -> its variables."""


def rendered(format_: str, variables: Mapping[str, str]) -> str:
    """Return the access log line of a request."""
    return re.sub(
        r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)",
        lambda found: variables.get(found[1], "-"),
        format_,
    )


_TOKEN = re.compile(
    r'\s*(?:(?P<field>\$\.[\w.]+)|(?P<text>"[^"]*")|(?P<sign>&&|\|\||>=|<=|!=|[()=<>])|'
    r"(?P<plain>[^\s()=<>&|]+))"
)
_ORDER = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def matches(pattern: str, line: str) -> bool:
    """Return whether a metric filter's pattern `{ … }` matches a log line."""
    try:
        event = json.loads(line)
    except ValueError:
        return False
    tokens = [each[each.lastgroup] for each in _TOKEN.finditer(pattern.strip()[1:-1].rstrip())]
    found, rest = _any_of(tokens, event)
    assert not rest, f"not understood: {rest}"
    return found


def value(transformation: str, line: str) -> float:
    """Return the number that a metric filter publishes for a line that it matches."""
    if not transformation.startswith("$."):
        return float(transformation)
    found = json.loads(line)[transformation[2:]]
    assert isinstance(found, int | float), f"CloudWatch publishes numbers only, not {found!r}"
    return found


def _any_of(tokens: list[str], event: Mapping[str, Any]) -> tuple[bool, list[str]]:
    found, tokens = _all_of(tokens, event)
    while tokens[:1] == ["||"]:
        more, tokens = _all_of(tokens[1:], event)
        found = found or more
    return found, tokens


def _all_of(tokens: list[str], event: Mapping[str, Any]) -> tuple[bool, list[str]]:
    found, tokens = _one(tokens, event)
    while tokens[:1] == ["&&"]:
        more, tokens = _one(tokens[1:], event)
        found = found and more
    return found, tokens


def _one(tokens: list[str], event: Mapping[str, Any]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        found, rest = _any_of(tokens[1:], event)
        assert rest[0] == ")"
        return found, rest[1:]
    field, sign, wanted, *rest = tokens
    return _compared(event.get(field[2:]), sign, wanted), rest


def _compared(given: Any, sign: str, wanted: str) -> bool:
    if given is None:
        return False
    if sign in _ORDER:
        return isinstance(given, int | float) and _ORDER[sign](given, float(wanted))
    if wanted.startswith('"'):
        equal = isinstance(given, str) and fnmatch.fnmatchcase(given, wanted[1:-1])
    elif wanted == "*":
        equal = True
    else:
        equal = isinstance(given, int | float) and given == float(wanted)
    return equal == (sign == "=")
