"""The state of a call's recording, as the application's answers tell it (docs/contracts.md)."""

from __future__ import annotations

from typing import Literal

import msgspec


class WantedRecording(msgspec.Struct, frozen=True):
    """The recording that the application wants of a call.

    `number` rises with each change: an answer with a lower one is old. `since_ms` is when the
    recording began, in epoch ms. `beep`: the caller is to hear that it begins.
    """

    number: int
    recording_id: str
    state: Literal["on", "paused", "off"]
    since_ms: int
    beep: bool = False
