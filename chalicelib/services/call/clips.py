"""Keep an account's clips, and give relays their audio."""

from __future__ import annotations

import base64
import binascii

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.clip import MAX_WAV_BYTES, BadClip, Clip, UnknownClip, new_clip
from chalicelib.domain.wav import ulaw_of
from chalicelib.services.dependencies import Dependencies


def keep(deps: Dependencies, account_id: str, name: str, wav: str) -> tuple[Clip, bool]:
    """Keep the audio of a WAV, in base64, as the clip of that name; return it, and whether the name
    is new. Raises BadClip, TooManyClips.
    """
    try:
        content = base64.b64decode(wav, validate=True)
    except (ValueError, binascii.Error):
        raise BadClip("`wav` is not base64.") from None
    if len(content) > MAX_WAV_BYTES:
        raise BadClip(f"The WAV has more than {MAX_WAV_BYTES} bytes.")
    ulaw = ulaw_of(content)
    clip = new_clip(name, ulaw, deps.now())
    return clip, deps.stores.clips.keep(account_id, clip, ulaw)


def named(deps: Dependencies, account_id: str, name: str) -> Clip:
    """Return the account's clip of that name. Raises UnknownClip."""
    for clip in deps.stores.clips.all(account_id):
        if clip.name == name:
            return clip
    raise UnknownClip(name)


def audio_for_relay(deps: Dependencies, call_id: str, clip_id: str) -> bytes:
    """Return the mu-law of a clip of the account whose call it is. Raises UnknownClip."""
    call = deps.stores.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    ulaw = deps.stores.clips.audio(call.account_id, clip_id) if call else None
    if ulaw is None:
        raise UnknownClip(clip_id)
    return ulaw
