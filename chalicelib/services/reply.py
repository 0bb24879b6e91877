"""What an endpoint says in its answer to `call.ringing`: `{"action": "accept"}` or `"refuse"`.

It takes part in the race for the call like every other: whoever is late is told so, here on the
delivery. A replay takes part in nothing.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.delivery import Action, Answer, Delivery
from chalicelib.domain.event import EventType
from chalicelib.services import answer as answering
from chalicelib.services import decline
from chalicelib.services.ports import Ports
from chalicelib.services.transition import UnknownCall

log = logging.getLogger(__name__)

MAX_SHOWN = 32
"""Characters of an action that nobody knows, as they are kept."""

_ACTS = {"accept": answering.accept, "refuse": decline.refuse}


def heed(ports: Ports, delivery: Delivery, answer: Answer) -> Action | None:
    """Do what the answer asks for, and what became of it: `done`, or why not. None if it asks for
    nothing, or is no answer to `call.ringing` that was taken.
    """
    if delivery.type is not EventType.CALL_RINGING or not answer.taken:
        return None
    asked = _asked(answer.text)
    if asked is None:
        return None
    act = _ACTS.get(asked)
    if act is None:
        return Action(action=asked[:MAX_SHOWN], result="unknown_action")
    if delivery.replays:
        return Action(action=asked, result="replay")
    return Action(action=asked, result=_result(ports, act, delivery))


def _asked(text: str) -> str | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    asked = said.get("action") if isinstance(said, dict) else None
    return asked if isinstance(asked, str) else None


def _result(ports: Ports, act: Any, delivery: Delivery) -> str:
    call_id = json.loads(delivery.body)["call_id"]
    try:
        call: Call = act(ports, delivery.account_id, call_id)
    except Refused as refused:
        return refused.code
    except UnknownCall:
        return "call_not_found"
    except Exception:
        # The endpoint has answered; to ask it again would not make this any better.
        log.exception("endpoint's action failed", extra={"call_id": call_id})
        return "failed"
    log.info("endpoint's action done", extra={"call_id": call.call_id, "state": call.state.value})
    return "done"
