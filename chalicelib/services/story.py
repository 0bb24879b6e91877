"""All that is kept of a call, for the operator who is asked what went wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.instant import to_text
from chalicelib.services.ports import Ports
from chalicelib.services.transition import UnknownCall


def of_call(ports: Ports, call_id: str) -> dict[str, Any]:
    """`{"call", "media", "events"}`, as JSON. UnknownCall. No token is in it: those are made when
    they are asked for, and the URL of an agent, which may hold one, is shown up to its query.
    """
    call = ports.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise UnknownCall(call_id)
    shown = call.model_dump(mode="json", exclude_none=True)
    if call.agent_url:
        shown["agent_url"] = _without_query(call.agent_url)
    media = asdict(ports.calls.media(call_id))
    if media["attached_at"] is not None:
        media["attached_at"] = to_text(media["attached_at"])
    return {
        "call": shown,
        "media": media,
        "events": [
            {"sequence": number, "type": event.type.value, "at": to_text(event.at),
             "event_id": event.event_id, "version": event.version}
            for number, event in ports.events.of_call(call.account_id, call_id)
        ],
    }  # fmt: skip


def _without_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
