"""`/api/call/{call_id}/recording…`, `/api/recording/…`: record calls, read and delete recordings.

The services are imported by the requests that need them: most processes get none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.model import Strict
from chalicelib.domain.recording import RECORDING_ID, Action, Announce, view
from chalicelib.handlers import views
from chalicelib.handlers.calls import view as call_view
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.handlers.views import Time, View

if TYPE_CHECKING:
    from chalicelib.services.call.recordings import Readable

operations = Operations("recordings")

CHANGES_A_MINUTE = 300
READS_A_MINUTE = 600


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


class RecordingChange(Strict):
    """A change of a call's recording."""

    action: Action = Field(
        description="`start`, `pause`, `resume` or `stop`; what is so already stays so"
    )
    announce: Announce = Field(
        default="beep", description="what the far end hears when it starts: `beep` or `none`"
    )


@operations.post(
    "/api/call/{call_id}/recording",
    body=RecordingChange,
    answer=views.Call,
    problems=(
        "call_not_found",
        "call_not_active",
        "call_over",
        "not_recorded",
        "too_many_recordings",
        "recordings_full",
        "recording_unavailable",
    ),
    example={"action": "start"},
    limit=Limit("record", CHANGES_A_MINUTE, 60),
)
def record_call(request: Request[RecordingChange, NoQuery]) -> Answer:
    """Start, pause, resume or stop the recording of an active call.

    The recording is stereo: left what the far end said, right what it heard. A pause is silence on
    both sides. The law may want the far end to be told, or to agree: you are responsible for that.
    """
    from chalicelib.services.call import recordings

    body, call_id = request.body, request.path["call_id"]
    call = recordings.change(request.deps, request.account_id, call_id, body.action, body.announce)
    return call_view(request.deps, call)


@operations.get(
    "/api/call/{call_id}/recordings",
    answer=Recordings,
    problems=("call_not_found",),
    limit=Limit("read_recordings", READS_A_MINUTE, 60),
)
def list_recordings(request: Request[NoBody, NoQuery]) -> Answer:
    """List the recordings of a call, in order."""
    from chalicelib.services.call import recordings

    found = recordings.of_call(request.deps, request.account_id, request.path["call_id"])
    return {"recordings": [view(each) for each in found]}


@operations.get(
    "/api/recording/{recording_id}",
    answer=ReadableRecording,
    problems=("recording_not_found", "recording_unavailable"),
    limit=Limit("read_recordings", READS_A_MINUTE, 60),
)
def get_recording(request: Request[NoBody, NoQuery]) -> Answer:
    """Show a recording, with a URL of its file once it is ready.

    The file is WAV with mu-law in stereo at 8 kHz. The URL needs no key and is good for 15 minutes.
    """
    from chalicelib.services.call import recordings

    return _readable(recordings.get(request.deps, request.account_id, request.path["recording_id"]))


@operations.delete(
    "/api/recording/{recording_id}",
    problems=("recording_not_found", "recording_not_over", "recording_unavailable"),
)
def delete_recording(request: Request[NoBody, NoQuery]) -> Answer:
    """Delete a recording with all of its audio, at once and for good."""
    from chalicelib.services.call import recordings

    recordings.delete(request.deps, request.account_id, request.path["recording_id"])
    return None


def _readable(readable: Readable) -> dict[str, Any]:
    from chalicelib.domain.instant import to_text

    expires = None if readable.expires_at is None else to_text(readable.expires_at)
    return {**view(readable.recording), "url": readable.url, "url_expires_at": expires}
