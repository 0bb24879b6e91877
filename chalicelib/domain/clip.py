"""Clips of an account, that far ends hear on hold: mu-law at 8 kHz, kept by name."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from chalicelib.domain.failure import Failure
from chalicelib.domain.instant import Instant
from chalicelib.domain.model import Model

MAX_CLIP_MS = 40_000
"""The longest clip: it has to fit into one item of the table."""

MAX_CLIPS = 20
"""Clips of an account."""

MAX_WAV_BYTES = 4 * 1024 * 1024
"""The largest WAV: API Gateway and Lambda take some more, in base64."""

MAX_WAV_TEXT = -(-MAX_WAV_BYTES // 3) * 4

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("the name of a clip is wanted: 1 to 32 of a-z, 0-9, _ and -")
    return name


ClipName = Annotated[
    str,
    AfterValidator(_check_name),
    Field(
        examples=["on-hold"],
        title="ClipName",
        json_schema_extra={"pattern": f"^{_NAME.pattern}$"},
    ),
]


class Clip(Model):
    """A clip, without its audio. `clip_id` is derived from that, so that relays may keep it."""

    model_config = ConfigDict(frozen=True)

    name: str
    clip_id: str
    duration_ms: int
    created_at: Instant


class TooManyClips(Failure):
    """The account has as many clips as it may (`limit`)."""

    code = "too_many_clips"
    member_names = ("limit",)

    def __init__(self) -> None:
        super().__init__(f"limit of {MAX_CLIPS} clips")
        self.limit = MAX_CLIPS


class UnknownClip(Failure, LookupError):
    """The account has no clip of this name."""

    code = "clip_not_found"


class BadClip(Failure):
    """The audio cannot be used; `detail` says what is wrong with it."""

    code = "bad_clip"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def new_clip(name: str, ulaw: bytes, now: int) -> Clip:
    """Return the clip of mu-law audio."""
    digest = hashlib.sha256(ulaw).digest()
    clip_id = "clip_" + base64.b32encode(digest).decode().lower()[:26]
    return Clip(name=name, clip_id=clip_id, duration_ms=len(ulaw) // 8, created_at=now)
