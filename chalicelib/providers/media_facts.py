"""The facts of a call's audio in status webhooks of our gateway. Twilio posts none.

A value that is no plausible figure is left out: no webhook is refused for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from chalicelib.domain.call_facts import ProviderFacts, QualityNote

CODECS = frozenset({"PCMU", "PCMA"})
_QUALITIES: dict[str, Literal["poor", "good"]] = {"poor": "poor", "good": "good"}
_FIGURES = {
    "jitter_ms": ("MediaJitter", 60_000.0),
    "loss_pct": ("MediaLoss", 100.0),
    "round_trip_ms": ("MediaRoundTrip", 60_000.0),
    "mos": ("MediaMos", 5.0),
}
"""Member -> parameter and highest value."""
_WHOLE = {
    "concealed_ms": ("MediaConcealed", 2.0**40),
    "invite_at": ("InviteAt", 2.0**45),
    "ringing_at": ("RingingAt", 2.0**45),
    "answered_at": ("AnsweredAt", 2.0**45),
}


def facts_of(form: Mapping[str, str]) -> ProviderFacts | None:
    """Read the facts in the last webhook of a call; None if there are none."""
    if "InviteAt" not in form:
        return None
    codec = form.get("MediaCodec")
    told: dict[str, Any] = {"codec": codec if codec in CODECS else None}
    for name, place in _FIGURES.items():
        told[name] = _figure(form, *place)
    for name, place in _WHOLE.items():
        value = _figure(form, *place)
        told[name] = None if value is None else int(value)
    return ProviderFacts(**told)


def quality_of(form: Mapping[str, str]) -> QualityNote | None:
    """Read a change of the quality of a live call; None if the webhook tells of none."""
    quality = _QUALITIES.get(form.get("MediaQuality", ""))
    return None if quality is None else QualityNote(quality, _figure(form, *_FIGURES["mos"]))


def _figure(form: Mapping[str, str], name: str, most: float) -> float | None:
    try:
        value = float(form.get(name, "")[:32])
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= most else None
