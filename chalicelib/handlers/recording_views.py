"""Answers about recordings, as REST gives them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.recording import RECORDING_ID
from chalicelib.handlers.views import Time, View

RecordingState = Literal["recording", "processing", "ready", "failed"]
Why = Literal["no_audio", "not_composed"]


class Recording(View):
    """A recording. What is not known yet is null."""

    recording_id: str = Field(pattern=f"^{RECORDING_ID.pattern}$")
    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    state: RecordingState = Field(
        description="`processing`: it has ended, and its file is made; `ready`: it can be read"
    )
    started_at: Time
    stopped_at: Time | None
    duration_ms: int | None
    bytes: int | None = Field(description="of its file")
    gaps: int | None = Field(description="parts that are missing, and are silence in the file")
    lost_ms: int | None = Field(description="how long the gaps are together")
    why: Why | None = Field(description="why it failed")
    deleted_at: Time | None = Field(description="when it is deleted by itself")


class ReadableRecording(Recording):
    """A recording, with the way to its file."""

    url: str | None = Field(description="of its file, a WAV; null until it is ready")
    url_expires_at: Time | None


class Recordings(View):
    """The recordings of a call, in order."""

    recordings: list[Recording]
