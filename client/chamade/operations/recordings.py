"""`/api/…recording…`: recordings of calls."""

from __future__ import annotations

from chamade.http.operation import Group, Shell, given, operation, part
from chamade.http.request import Request
from chamade.models import Call
from chamade.operations.shapes import nothing, shape, shapes
from chamade.recording_models import Recording


class Recordings(Group[Shell]):
    """Recordings of calls. Files are WAV with mu-law in stereo: left what the far end said, right
    what it heard.
    """

    @operation
    def change(self, call_id: str, action: str, *, announce: str | None = None) -> Request[Call]:
        """Change the recording of an active call: `start`, `pause`, `resume` or `stop`. What is so
        already stays so. `announce`: the far end hears a `beep` when it starts, which is usual, or
        `none`.
        """
        path = f"/api/call/{part(call_id)}/recording"
        body = {"action": action, **given(announce=announce)}
        return Request("POST", path, shape(Call), body=body, repeatable=True)

    @operation
    def of_call(self, call_id: str) -> Request[list[Recording]]:
        """Get the recordings of a call, in order, without the URLs of their files."""
        path = f"/api/call/{part(call_id)}/recordings"
        return Request("GET", path, shapes(Recording, "recordings"))

    @operation
    def get(self, recording_id: str) -> Request[Recording]:
        """Get a recording; once it is `ready`, with the URL of its file, good for 15 minutes."""
        return Request("GET", f"/api/recording/{part(recording_id)}", shape(Recording))

    @operation
    def delete(self, recording_id: str) -> Request[None]:
        """Delete a recording with all of its audio."""
        path = f"/api/recording/{part(recording_id)}"
        return Request("DELETE", path, nothing, repeatable=True)
