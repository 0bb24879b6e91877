"""Actions in an endpoint's answer to `call.ringing`: `{"action": "accept"}` or `"refuse"`.

An action takes part in the race for the call like every other act: if it is late, the delivery
says so. The answer to a replay does nothing.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.delivery import Action, Answer, Delivery
from chalicelib.domain.event import EventType
from chalicelib.domain.foreign_text import storable
from chalicelib.services.call import call_control
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)

MAX_SHOWN = 32
"""Characters of an unknown action that are kept."""

_ACTS = {"accept": call_control.accept, "refuse": call_control.decline}


def handle(deps: Dependencies, delivery: Delivery, answer: Answer) -> Action | None:
    """Do the action in an answer to `call.ringing`; return the result: `done`, or the reason why
    not. None if the answer holds no action, or the delivery was no `call.ringing` or not taken.
    """
    if delivery.type is not EventType.CALL_RINGING or not answer.taken:
        return None
    action = _requested_action(answer.text)
    if action is None:
        return None
    act = _ACTS.get(action)
    if act is None:
        return Action(action=action[:MAX_SHOWN], result="unknown_action")
    if delivery.replays:
        return Action(action=action, result="replay")
    return Action(action=action, result=_result(deps, act, delivery))


def _requested_action(text: str) -> str | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    action = document.get("action") if isinstance(document, dict) else None
    return storable(action) if isinstance(action, str) else None


def _result(deps: Dependencies, act: Any, delivery: Delivery) -> str:
    call_id = json.loads(delivery.body)["call_id"]
    try:
        call: Call = act(deps, delivery.account_id, call_id)
    except Refused as refused:
        return refused.code
    except UnknownCall:
        return "call_not_found"
    except Exception:
        # The endpoint has answered; another try would not help.
        log.exception("endpoint's action failed", extra={"call_id": call_id})
        return "failed"
    log.info("endpoint's action done", extra={"call_id": call.call_id, "state": call.state.value})
    return "done"
