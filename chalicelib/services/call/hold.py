"""Put the far end of a call on hold, and let it talk to the agent again."""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.call_line import MUSIC, SILENCE, LineAct, Source
from chalicelib.services.call.call_writes import change
from chalicelib.services.call.clips import named
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies


def hold(deps: Dependencies, account_id: str, call_id: str, music: bool | str) -> Call:
    """Hold an active call; return it. `music`: what its far end hears, as for `source_of`. Holding
    it again changes what is heard. Raises Refused, UnknownClip.
    """
    call = own_call(deps, account_id, call_id)
    source = source_of(deps, account_id, music)
    return _changed(deps, call, change(deps, call, LineAct.HOLD, source=source))


def resume(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Take an active call off hold; return it, as it was if it is not held. Raises Refused."""
    call = own_call(deps, account_id, call_id)
    return _changed(deps, call, change(deps, call, LineAct.RESUME))


def source_of(
    deps: Dependencies, account_id: str, music: bool | str | None, usual: Source = MUSIC
) -> Source:
    """Return the sound that is meant: True stands for music, False for silence, None for what is
    usual, a text for the account's clip of that name, again and again. Raises UnknownClip.
    """
    if isinstance(music, str):
        return Source(kind="clip", clip_id=named(deps, account_id, music).clip_id, loop=True)
    return usual if music is None else MUSIC if music else SILENCE


def _changed(deps: Dependencies, before: Call, after: Call) -> Call:
    """Tell the relay if the line has changed; return the call."""
    if after.media_line.number != before.media_line.number:
        tell_relay(deps, after)
    return after
