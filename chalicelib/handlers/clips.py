"""`/api/clip…`: clips that callers hear on hold."""

from __future__ import annotations

from pydantic import Field, TypeAdapter, ValidationError

from chalicelib.domain.clip import (
    MAX_CLIP_MS,
    MAX_CLIPS,
    MAX_WAV_BYTES,
    MAX_WAV_TEXT,
    BadClip,
    Clip,
    ClipName,
)
from chalicelib.domain.model import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import (
    Answer,
    Created,
    Limit,
    NoBody,
    NoQuery,
    Operations,
    Request,
)

operations = Operations("clips")

CLIPS_AN_HOUR = 60

MAX_BODY = MAX_WAV_TEXT + 1024

_name: TypeAdapter[str] = TypeAdapter(ClipName)

SILENT_WAV = "UklGRjQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YRAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""A WAV of eight samples, as an example."""


class NewClip(Strict):
    """The audio of a clip."""

    wav: str = Field(
        max_length=MAX_WAV_TEXT,
        description="a WAV in base64: PCM of 16 bits, mu-law or A-law, mono or stereo, 8 to 48 "
        f"kHz, at most {MAX_CLIP_MS // 1000} s and {MAX_WAV_BYTES} bytes",
    )


@operations.put(
    "/api/clip/{name}",
    body=NewClip,
    answer=views.Clip,
    location=lambda clip, _: f"/api/clip/{clip['name']}",
    problems=("bad_clip", "too_many_clips"),
    example={"wav": SILENT_WAV},
    limit=Limit("keep_clip", CLIPS_AN_HOUR, 3600),
    max_body=MAX_BODY,
)
def keep_clip(request: Request[NewClip, NoQuery]) -> Answer:
    """Keep a clip, which callers can hear on hold; 201 if the name is new.

    It is kept as the telephone has it: mu-law at 8 kHz. A name has small letters, digits, `-` and
    `_`, 32 at most.
    """
    from chalicelib.services.call import clips  # most requests need none of it

    try:
        name = _name.validate_python(request.path["name"])
    except ValidationError:
        raise BadClip("A clip's name has small letters, digits, - and _, 32 at most.") from None
    clip, created = clips.keep(request.deps, request.account_id, name, request.body.wav)
    return Created(_view(clip)) if created else _view(clip)


@operations.get("/api/clips", answer=views.Clips)
def list_clips(request: Request[NoBody, NoQuery]) -> Answer:
    """List your clips by name."""
    kept = request.deps.stores.clips.all(request.account_id)
    return {"clips": [_view(clip) for clip in kept], "limit": MAX_CLIPS}


@operations.delete("/api/clip/{name}", problems=("clip_not_found",))
def delete_clip(request: Request[NoBody, NoQuery]) -> Answer:
    """Delete a clip. A caller who hears it goes on hearing it, or hears music."""
    request.deps.stores.clips.remove(request.account_id, request.path["name"])
    return None


def _view(clip: Clip) -> dict[str, object]:
    return clip.model_dump(mode="json", exclude={"clip_id"})
