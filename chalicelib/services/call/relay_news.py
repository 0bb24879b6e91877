"""Tell a relay that a call is over, and show calls as relays get them."""

from __future__ import annotations

import logging
from typing import Any

from chalicelib.domain.call import Call, public_view
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)


def tell_relay(deps: Dependencies, call: Call) -> None:
    """Tell the relay what an ended call is now, so that it need not ask. Never raises; takes a
    second at most.

    Only ends that no relay notices are told: by requests of people and agents, and by the sweep.
    When a webhook tells of an end, the provider closes the stream; so no webhook waits for a relay.
    """
    if deps.relay_door is None or not call.state.final or call.answered_at is None:
        return
    try:
        owner = deps.stores.calls.media(call.call_id)
        if owner.relay is not None:
            news = {**told_to_relay(call), "agent": None}
            deps.relay_door.tell(call.call_id, owner.door_url, news)
    except Exception:
        # It asks by itself, a little later.
        log.exception("relay not told", extra={"call_id": call.call_id})


_SHOWN = ("call_id", "state", "end_reason", "direction", "from", "to", "line", "forwarded_from")
_IF_KNOWN = ("caller_name", "stir_verstat", "sip_headers")


def told_to_relay(call: Call) -> dict[str, Any]:
    """Return a call as relays get it, without its agent."""
    shown = public_view(call)
    told = {name: shown[name] for name in (*_SHOWN, "metadata")}
    told |= {name: shown[name] for name in _IF_KNOWN if name in shown}
    return {"call": told, "ends_at_ms": call.ends_at}
