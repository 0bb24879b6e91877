"""Exit codes, and the messages about errors.

0  done                      4  not allowed: no key, a wrong one, or forbidden
1  failed                    5  not possible as things stand; somebody else was faster
2  wrong usage or input      6  too much or too often
3  no such thing             7  the API does not answer
                           130  interrupted, by Ctrl-C or SIGTERM
"""

from __future__ import annotations

import json
import re
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
"""The exit code after Ctrl-C, as in shells."""

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
    (CallGone, "`chamade call list` shows the calls."),
]
_REMEDIES_BY_CODE = {
    "bad_caller_id": "`chamade did add E164` adds a number of the trunk.",
    "call_not_found": "`chamade call list` shows your calls.",
    "country_not_allowed": "`chamade trunk connect … --allow XX` lets the trunk dial a country.",
    "endpoint_disabled": "`chamade webhook list` shows your endpoints, the dashboard enables one.",
    "endpoint_not_found": "`chamade webhook list` shows your endpoints.",
    "key_not_found": "`chamade key list` shows your keys.",
    "no_caller_id": "`chamade trunk connect … --caller-id E164` sets the number to call as.",
    "number_not_found": "`chamade number list` and `chamade did list` show yours.",
    "not_recorded": "`chamade call record CALL_ID start` starts one.",
    "recording_not_found": "`chamade call recordings CALL_ID` shows those of a call.",
    "recording_not_over": "`chamade call record CALL_ID stop` ends it.",
    "recordings_full": "`chamade call recordings CALL_ID --delete` deletes those of a call.",
    "number_reserved": "`chamade number activate` gets a routing number.",
    "no_trunk": "`chamade trunk connect HOST --username NAME` connects yours.",
    "too_many_trunks": "`chamade trunk disconnect --name NAME` forgets one.",
    "pool_empty": "`chamade number activate --country XX` tries another country.",
    "too_many_numbers": "`chamade number release E164` gives one back.",
    "number_taken": "`chamade did list` lists your trunk's numbers.",
    "trunk_not_registered": "`chamade trunk list` shows its status.",
    "trunk_rate": "`chamade trunk list` shows its status.",
    "wrong_host": "`chamade trunk list` shows hosts, `chamade trunk connect` connects another.",
    "not_hosted": "`chamade call accept --voice hosted` answers the next one with a hosted voice.",
    "unknown_language": "`chamade voice list` shows the languages and voices.",
    "unknown_voice": "`chamade voice list` shows the voices.",
    "last_key": "`chamade key create` first.",
}
_A_REQUEST = r"\b(?:GET|POST|PUT|PATCH|DELETE) /"
_LAST_SENTENCE_OF_REST = re.compile(rf"(?:^|(?<=[.!?]) )(?:[^.!?]|[.!?](?! ))*?{_A_REQUEST}.*$")
_REQUEST_BEFORE = re.compile(rf"^{_A_REQUEST}\S*: ")


def exit_code(error: ChamadeError) -> int:
    """Return the exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def complain(error: ChamadeError, *, as_json: bool) -> None:
    """Print on standard error what went wrong, and what to do about it."""
    if as_json:
        click.echo(json.dumps(_document(error)), err=True)
        return
    click.echo(f"error: {message(error)}", err=True)
    for line in _more(error):
        click.echo(f"  {line}", err=True)


def message(error: ChamadeError) -> str:
    """Return what went wrong, without requests of REST: `_more` names commands that help."""
    if not isinstance(error, ApiError):
        return _REQUEST_BEFORE.sub("", str(error))
    detail = error.detail
    if error.code in _REMEDIES_BY_CODE:
        detail = _LAST_SENTENCE_OF_REST.sub("", detail) or error.title
    return f"{detail} ({error.code})"


def _more(error: ChamadeError) -> list[str]:
    lines = [remedy for kind, remedy in _REMEDIES if isinstance(error, kind)]
    if isinstance(error, ApiError) and error.code in _REMEDIES_BY_CODE:
        lines.append(_REMEDIES_BY_CODE[error.code])
    if isinstance(error, Conflict) and error.call is not None and not error.call.over:
        lines.append(f"The call is {error.call.state} now.")
    if isinstance(error, RateLimited) and error.retry_after is not None:
        lines.append(f"Try again in {error.retry_after:.0f} s.")
    if isinstance(error, Invalid):
        told = [f"{one.get('field')}: {one.get('message')}" for one in error.errors]
        lines += [one for one in told if one not in error.detail]
    return lines


def _document(error: ChamadeError) -> dict[str, Any]:
    problem = error.problem if isinstance(error, ApiError) else {}
    code = error.code if isinstance(error, ApiError) else type(error).__name__
    members = {"code": code, "exit_code": exit_code(error), "problem": problem}
    return {"error": message(error), **members}
