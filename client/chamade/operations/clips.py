"""`/api/clip…`: clips that callers hear on hold."""

from __future__ import annotations

import base64

from chamade.http.operation import Group, Shell, operation, part
from chamade.http.request import Request
from chamade.models import Clip, Clips
from chamade.operations.shapes import nothing, shape


class ClipsOf(Group[Shell]):
    """The account's clips."""

    @operation
    def list(self) -> Request[Clips]:
        """List the clips by name."""
        return Request("GET", "/api/clips", shape(Clips))

    @operation
    def keep(self, name: str, wav: bytes | str) -> Request[Clip]:
        """Keep a WAV, 40 s at most, under a name: its bytes, or these in base64. `calls.hold(…,
        music=name)` plays it.
        """
        body = {"wav": wav if isinstance(wav, str) else base64.b64encode(wav).decode()}
        return Request("PUT", f"/api/clip/{part(name)}", shape(Clip), body=body, repeatable=True)

    @operation
    def delete(self, name: str) -> Request[None]:
        """Delete a clip."""
        return Request("DELETE", f"/api/clip/{part(name)}", nothing, repeatable=True)
