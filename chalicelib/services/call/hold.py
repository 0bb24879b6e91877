"""Put the far end of a call on hold, and let it talk to the agent again."""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.call_line import MUSIC, SILENCE, LineAct
from chalicelib.services.call.call_writes import change
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies


def hold(deps: Dependencies, account_id: str, call_id: str, music: bool) -> Call:
    """Hold an active call; return it. `music`: its far end hears music, else silence. Holding it
    again changes what is heard. Raises Refused.
    """
    call = own_call(deps, account_id, call_id)
    source = MUSIC if music else SILENCE
    return _changed(deps, call, change(deps, call, LineAct.HOLD, source=source))


def resume(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Take an active call off hold; return it, as it was if it is not held. Raises Refused."""
    call = own_call(deps, account_id, call_id)
    return _changed(deps, call, change(deps, call, LineAct.RESUME))


def _changed(deps: Dependencies, before: Call, after: Call) -> Call:
    """Tell the relay if the line has changed; return the call."""
    if after.media_line.number != before.media_line.number:
        tell_relay(deps, after)
    return after
