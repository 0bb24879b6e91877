"""Who speaks in a call: the agent itself on the call's audio (`own`), or a voice host of this
installation, which speaks the agent's text and hears for it (`hosted`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from chalicelib.domain.failure import Failure
from chalicelib.domain.model import Model

Voice = Literal["own", "hosted"]

MAX_LANGUAGE = 35
"""Characters of a language tag (RFC 5646, 4.4.1)."""

MAX_VOICE_NAME = 64
"""Characters of a voice's name."""

SPEED = (0.5, 2.0)

PLACE_KEPT_MS = 90_000
"""Time for which a voice host keeps a place for a call whose audio has not come
(docs/contracts.md)."""


def _language(text: str) -> str:
    parts = text.split("-")
    good = all(part.isascii() and part.isalnum() and len(part) <= 8 for part in parts)
    if not good or not parts[0].isalpha() or len(parts[0]) < 2:
        raise ValueError("a language tag is wanted, as in en-US (BCP 47)")
    return text


Language = Annotated[str, Field(max_length=MAX_LANGUAGE), AfterValidator(_language)]
VoiceName = Annotated[str, Field(min_length=1, max_length=MAX_VOICE_NAME)]


class VoiceSettings(Model):
    """How a hosted voice speaks and what is kept of what it hears. Fields that are not given have
    the defaults, or for a call those of its number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Language | None = Field(
        default=None, description="BCP 47; null: the voice host's usual one", examples=["en-US"]
    )
    name: VoiceName | None = Field(
        default=None, description="a voice of `GET /api/voices`; null: the usual one"
    )
    speed: float = Field(
        default=1.0, ge=SPEED[0], le=SPEED[1], description="how fast it speaks; 1.0 is usual"
    )
    transcript: bool = Field(
        default=True, description="what is said is kept, and told by events `call.transcript`"
    )
    partials: bool = Field(
        default=False, description="events also tell what is said before a sentence is complete"
    )

    def over(self, usual: VoiceSettings | None) -> VoiceSettings:
        """Return these settings; what is not given is as in `usual`."""
        given = self.model_dump(exclude_unset=True)
        return (usual or VoiceSettings()).model_copy(update=given)


@dataclass(frozen=True)
class WantedVoice:
    """The voice that a request to answer or to dial wants; None: as usual.

    `text_only`: who asks has no audio of its own, so that hosted is usual, if the account may.
    """

    voice: Voice | None = None
    settings: VoiceSettings | None = None
    text_only: bool = False


@dataclass(frozen=True)
class CallVoice:
    """The voice that a call is answered with. `host`: the URL of the voice host that keeps a place
    for it, if it is hosted.
    """

    voice: Voice = "own"
    settings: VoiceSettings | None = None
    host: str | None = None

    def members(self) -> dict[str, Any]:
        """Return the voice as members of a `Call`."""
        return {"voice": self.voice, "voice_settings": self.settings, "voice_host": self.host}


OWN = CallVoice()
"""The agent speaks itself, which is usual."""


class VoiceGated(Failure):
    """The account does not take part in the beta of hosted voices."""

    code = "hosted_voice_gated"


class VoiceUnavailable(Failure):
    """This installation has no voice host, or none of its voice hosts answers."""

    code = "hosted_voice_unavailable"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class VoiceBusy(Failure):
    """All voice hosts have as many calls as they can take."""

    code = "hosted_voice_busy"
    retry_after_s = 5


class UnknownVoice(Failure):
    """No voice host has a voice of that name; `choices` are those there are."""

    code = "unknown_voice"
    member_names: ClassVar[tuple[str, ...]] = ("choices",)

    def __init__(self, choices: list[str]) -> None:
        super().__init__(", ".join(choices))
        self.choices = choices


class UnknownLanguage(UnknownVoice):
    """No voice host understands that language; `choices` are those that one does."""

    code = "unknown_language"
