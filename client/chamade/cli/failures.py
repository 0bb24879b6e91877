"""Exit codes, and what is said when something went wrong.

0  done                      4  not allowed: no key, a wrong one, or forbidden
1  failed                    5  not possible as things stand; somebody else was faster
2  wrong usage or input      6  too much or too often
3  no such thing             7  the API does not answer
"""

from __future__ import annotations

import json
from typing import Any

import click

from chamade.errors import (
    ApiError,
    BadCredentials,
    CallGone,
    ChamadeError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Unauthorized,
    Unreachable,
)

FAILED, USAGE, NOT_FOUND, NOT_ALLOWED, CONFLICT, RATE_LIMITED, UNREACHABLE = range(1, 8)
INTERRUPTED = 130
"""As shells tell of Ctrl-C."""

_CODES: list[tuple[type[ChamadeError], int]] = [
    (Invalid, USAGE),
    (NotFound, NOT_FOUND),
    (Unauthorized, NOT_ALLOWED),
    (Forbidden, NOT_ALLOWED),
    (BadCredentials, NOT_ALLOWED),
    (Conflict, CONFLICT),
    (CallGone, CONFLICT),
    (RateLimited, RATE_LIMITED),
    (Unreachable, UNREACHABLE),
]
_REMEDIES: list[tuple[type[ChamadeError], str]] = [
    (Unauthorized, "Is CHAMADE_API_KEY a key of this API, and not revoked?"),
    (Unreachable, "Is CHAMADE_API_URL right, and the API up? On this machine: make run"),
    (CallGone, "`chamade call list` shows how things stand."),
]
_REMEDIES_BY_CODE = {
    "no_trunk": "`chamade trunk connect HOST --username NAME` connects yours.",
    "pool_empty": "`chamade number activate --country XX` tries another country.",
    "too_many_numbers": "`chamade number release E164` gives one back.",
    "last_key": "`chamade key create` first.",
}


def exit_code(error: ChamadeError) -> int:
    """The exit code that tells of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def complain(error: ChamadeError, *, as_json: bool) -> None:
    """Says on standard error what went wrong, and what to do about it."""
    if as_json:
        click.echo(json.dumps(_document(error)), err=True)
        return
    click.echo(f"error: {error}", err=True)
    for line in _more(error):
        click.echo(f"  {line}", err=True)


def _more(error: ChamadeError) -> list[str]:
    lines = [remedy for kind, remedy in _REMEDIES if isinstance(error, kind)]
    if isinstance(error, ApiError) and error.code in _REMEDIES_BY_CODE:
        lines.append(_REMEDIES_BY_CODE[error.code])
    if isinstance(error, Conflict) and error.call is not None:
        lines.append(f"The call is {error.call.state} now.")
    if isinstance(error, RateLimited) and error.retry_after is not None:
        lines.append(f"Try again in {error.retry_after:.0f} s.")
    if isinstance(error, Invalid):
        lines += [f"{one.get('field')}: {one.get('message')}" for one in error.errors[1:]]
    return lines


def _document(error: ChamadeError) -> dict[str, Any]:
    problem = error.problem if isinstance(error, ApiError) else {}
    code = error.code if isinstance(error, ApiError) else type(error).__name__
    return {"error": str(error), "code": code, "exit_code": exit_code(error), "problem": problem}
