"""Tell a relay that a call is over or its line has changed, and show calls as relays get them."""

from __future__ import annotations

import logging
from typing import Any

from chalicelib.domain.answered import told_to_relay as detection_told
from chalicelib.domain.call import Call, public_view
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.recording import told_to_relay as recording_told
from chalicelib.services.dependencies import Dependencies
from common import media_token

log = logging.getLogger(__name__)


def tell_relay(deps: Dependencies, call: Call) -> None:
    """Tell the relay what a call is now that is over, or whose line or recording has changed, so
    that it need not ask. Never raises; takes a second at most.

    Only ends that no relay notices are told: by requests of people and agents, and by the sweep.
    When a webhook tells of an end, the provider closes the stream; so no webhook waits for a relay.
    """
    changed = call.media_line.number > 0 or call.recordings.number > 0
    news_there_are = call.state.final or changed
    if deps.relay_door is None or not news_there_are or call.answered_at is None:
        return
    try:
        owner = deps.stores.media.get(call.call_id)
        if owner.relay is not None:
            news = {**told_to_relay(deps, call), "agent": None}
            deps.relay_door.tell(call.call_id, owner.door_url, news)
    except Exception:
        # It asks by itself, a little later.
        log.exception("relay not told", extra={"call_id": call.call_id})


_SHOWN = ("call_id", "state", "end_reason", "direction", "from", "to", "line", "forwarded_from")
_IF_KNOWN = ("caller_name", "stir_verstat", "sip_headers")


def told_to_relay(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return a call as relays get it, without its agent."""
    shown = public_view(call)
    told = {name: shown[name] for name in (*_SHOWN, "metadata")}
    told |= {name: shown[name] for name in _IF_KNOWN if name in shown}
    line = {} if call.media_line.number == 0 else {"line": _line(deps, call)}
    recording = recording_told(call.recordings, call.call_id)
    return {"call": told, "ends_at_ms": call.ends_at, **line, **recording, **_detect(deps, call)}


def _detect(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return what the relay is to find out about the answer, if the provider does not."""
    if call.state is not CallState.ACTIVE or call.detection.over:
        return {}
    return {} if deps.providers[call.provider].detects_answer else detection_told(call.detection)


def _line(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return the line of a call as relays get it. Of two calls that are joined, the one that was
    transferred has the way to the other one.
    """
    line = call.media_line
    source = line.source.model_dump(mode="json", exclude_none=True) if line.source else None
    told: dict[str, Any] = {"number": line.number, "mode": line.mode, "source": source}
    if line.by == "transfer":
        told["why"] = "transfer"
    if line.mode != "bridge" or line.peer is None:
        return told
    told |= {"peer": line.peer, "agent": line.agent}
    if call.parent_call_id is None and not call.state.final:
        told |= _way_to(deps, line.peer)
    return told


def _way_to(deps: Dependencies, peer_id: str) -> dict[str, Any]:
    """Return where the peer's stream is, and the token for it; nothing while no relay has it."""
    relay_url = deps.stores.media.get(peer_id).relay_url
    peer = deps.stores.calls.get(peer_id)
    if relay_url is None or peer is None:
        return {}
    token = media_token.issue(deps.secrets.media, peer_id, "peer", peer.media_expiry)
    return {"peer_url": relay_url, "peer_token": token}
