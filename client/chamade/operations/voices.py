"""`/api/voices`: hosted voices, a closed beta, and their settings."""

from __future__ import annotations

from typing import TypedDict

from chamade.http.operation import Group, Shell, operation
from chamade.http.request import Request
from chamade.operations.shapes import shape
from chamade.speech_models import Voices


class VoiceOptions(TypedDict, total=False):
    """Settings of a hosted voice; those that are left out are as usual. `transcript`: what is said
    is kept, and told by events; `partials`: before a sentence is complete, too.
    """

    language: str | None
    name: str | None
    speed: float
    transcript: bool
    partials: bool


class HostedVoices(Group[Shell]):
    """The hosted voices of the installation."""

    @operation
    def list(self) -> Request[Voices]:
        """List the voices and the languages that there are. Raises Forbidden,
        `hosted_voice_gated`, for accounts outside the beta.
        """
        return Request("GET", "/api/voices", shape(Voices))
