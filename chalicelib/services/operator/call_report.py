"""All that is kept of a call, for an operator who looks for what went wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.instant import to_text
from chalicelib.services.call import facts
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.dependencies import Dependencies


def of_call(deps: Dependencies, call_id: str) -> dict[str, Any]:
    """Return all that is kept of a call, as JSON: `{"call", "media", "facts", "events"}`. Raises
    UnknownCall. It holds no token: tokens are made on request, and an agent's URL, which may hold
    one, is shown without its query.
    """
    call = deps.stores.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise UnknownCall(call_id)
    shown = call.model_dump(mode="json", exclude_none=True)
    if call.agent_url:
        shown["agent_url"] = _without_query(call.agent_url)
    media = asdict(deps.stores.media.get(call_id))
    if media["attached_at"] is not None:
        media["attached_at"] = to_text(media["attached_at"])
    return {
        "call": shown,
        "media": media,
        "facts": facts.of_call(deps, call),
        "events": [
            {"sequence": number, "type": event.type.value, "at": to_text(event.at),
             "event_id": event.event_id, "version": event.version}
            for number, event in deps.stores.events.of_call(call.account_id, call_id)
        ],
    }  # fmt: skip


def _without_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
