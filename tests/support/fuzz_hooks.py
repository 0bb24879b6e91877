"""Hooks that change schemathesis' requests before they are sent (`SCHEMATHESIS_HOOKS`): no request
makes the stack connect to other machines, dials reach a trunk, and the tested key stays valid.
"""

from __future__ import annotations

import json
import os
import random
import re
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlsplit

import schemathesis

from chalicelib.domain.host import parse_host
from chalicelib.domain.idempotency import KEY_PATTERN

SETTING = json.loads(os.environ.get("FUZZ_SETTING", "{}"))
"""`api_url`; `key` and `key_id` of the account that is tested; `number`: a number that it holds and
must not release; `dial`: a URL that it can dial, if it has a trunk that stays."""

_LONGEST_WAIT_S = 0.2
_MOSTLY = 0.8
_TAKEN = {"url": "https://127.0.0.1:59999/events", "agent_url": "ws://127.0.0.1:59999/agent"}
_OF_A_CALL = (
    "accept_call", "refuse_call", "leave_call", "say_call", "clear_call", "send_dtmf",
    "get_transcript", "delete_transcript",
)  # fmt: skip


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    name = case.operation.definition.raw["operationId"]
    if isinstance(case.body, dict):
        _keep_here(case.body)
        _make_likely(name, case.body)
    if name in _OF_A_CALL and random.random() < _MOSTLY:
        case.path_parameters["call_id"] = _newest_call() or case.path_parameters["call_id"]
    if name == "revoke_key" and case.path_parameters.get("key_id") == SETTING["key_id"]:
        case.path_parameters["key_id"] = "key_" + "0" * 16
    if name == "release_number" and case.path_parameters.get("e164") == SETTING["number"]:
        case.path_parameters["e164"] = "+15555500999"
    headers = case.headers or {}
    once = headers.get("Idempotency-Key")
    if isinstance(once, str) and re.fullmatch(KEY_PATTERN, once) and random.random() < _MOSTLY:
        # Generated keys are short: most would already have been used for another request.
        case.headers["Idempotency-Key"] = f"{once[:200]}-{uuid.uuid4()}"
    wait = (case.query or {}).get("wait")
    if isinstance(wait, int | float) and _LONGEST_WAIT_S < wait <= 20:
        case.query["wait"] = _LONGEST_WAIT_S


def _make_likely(name: str, body: dict[str, Any]) -> None:
    """Put existing numbers and events into the body, which the schema cannot know."""
    if name == "dial_call" and isinstance(body.get("meeting_url"), str):
        body["meeting_url"] = SETTING["dial"]
        if random.random() < _MOSTLY:
            body.pop("caller_id", None)
            body.pop("max_duration_s", None)
    if name == "create_test_call" and isinstance(body.get("to"), str) and random.random() < _MOSTLY:
        body["to"] = SETTING["number"]
    if "url" in body and random.random() < _MOSTLY:
        # No event that happens very often: the machine would be busy with deliveries.
        body["events"] = ["number.not_added"]


def _newest_call() -> str | None:
    request = urllib.request.Request(
        f"{SETTING['api_url']}/api/calls?limit=1", headers={"X-API-Key": SETTING["key"]}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        calls = json.loads(answer.read())["calls"]
    return calls[0]["call_id"] if calls else None


def _keep_here(body: dict[str, Any]) -> None:
    """Replace hosts that could be looked up by this machine's, and most URLs by accepted ones."""
    if isinstance(body.get("host"), str) and _is_host(body["host"]):
        body["host"] = "localhost"
    for name, taken in _TAKEN.items():
        if isinstance(body.get(name), str):
            body[name] = taken if random.random() < _MOSTLY else _here(body[name])


def _is_host(text: str) -> bool:
    try:
        parse_host(text)
    except ValueError:
        return False
    return True


def _here(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts._replace(netloc="127.0.0.1:59999").geturl() if parts.netloc else url
    except ValueError:
        return url
