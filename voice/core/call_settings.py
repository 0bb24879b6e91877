"""The settings of a hosted call, as the relay hands them over in a header of its handshake."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec

from common.voice_requests import MAX_NAME, MAX_SPEED, MIN_SPEED

HEADER = "X-Chamade-Voice-Settings"

_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class CallSettings(msgspec.Struct, frozen=True):
    """The settings of a call. Unknown members are ignored."""

    language: _Name | None = None
    """None: the host's default. The same holds for `name`, the voice's name."""
    name: _Name | None = None
    speed: Annotated[float, msgspec.Meta(ge=MIN_SPEED, le=MAX_SPEED)] | None = None
    transcript: bool | None = None
    """False: what the caller says is not reported."""
    partials: bool | None = None
    answered_at: int | None = None
    """Epoch in ms; None if it is not known: times then count from the socket's start."""


def read(header: str) -> CallSettings:
    """Read the header, base64url of JSON; a blank one gives the defaults. ValueError."""
    if not header:
        return CallSettings()
    try:
        content = base64.b64decode(header + "=" * (-len(header) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(content, type=CallSettings)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"{HEADER}: {error}") from None
