"""The voice of a call: `own`, the agent itself speaks on the call's audio; or `hosted`, a voice
host of this installation speaks the agent's texts and hears for it.
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

MAX_HOSTS = 16
"""Voice hosts that an installation can have."""

RENEW_PLACE_MS = 60_000
"""A dialled call that has rung for longer has its place renewed when it is answered: a voice host
keeps a place for 90 s (docs/contracts.md)."""

NOT_REACHED = (
    "The voice host was not reached, and the relay tries the others. If nobody is heard, tell the "
    "operator."
)
"""The `agent_detail` of a call whose voice host cannot be reached."""


def _language(text: str) -> str:
    parts = text.split("-")
    good = all(part.isascii() and part.isalnum() and len(part) <= 8 for part in parts)
    if not good or not parts[0].isalpha() or len(parts[0]) < 2:
        raise ValueError("a language tag is wanted, as in en-US (BCP 47)")
    return text


Language = Annotated[str, Field(max_length=MAX_LANGUAGE), AfterValidator(_language)]
VoiceName = Annotated[str, Field(min_length=1, max_length=MAX_VOICE_NAME)]


def _without_defaults(schema: dict[str, Any]) -> None:
    for member in schema["properties"].values():
        member.pop("default", None)  # a call has its number's instead


class VoiceSettings(Model):
    """Settings of a hosted voice, and of what is kept of what is said. What is not given is as
    usual; for a call, as its number has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_without_defaults)

    language: Language | None = Field(
        default=None,
        description="BCP 47, one that the voice hosts understand; null: the usual one",
        examples=["en-US"],
    )
    name: VoiceName | None = Field(
        default=None, description="a voice that the voice hosts have; null: the usual one"
    )
    speed: float = Field(
        default=1.0, ge=SPEED[0], le=SPEED[1], description="how fast it speaks; usually 1.0"
    )
    transcript: bool = Field(
        default=True, description="what is said is kept, and told by events; usually true"
    )
    partials: bool = Field(
        default=False,
        description="events also tell what is said before a sentence is complete; usually false",
    )

    def over(self, usual: VoiceSettings | None) -> VoiceSettings:
        """Return these settings; what is not given is as in `usual`."""
        given = self.model_dump(exclude_unset=True)
        return (usual or VoiceSettings()).model_copy(update=given)


@dataclass(frozen=True)
class WantedVoice:
    """The voice that a request to answer or to dial wants; None: as usual.

    `text_only`: the asker has no audio of its own, so that `hosted` is usual for accounts that may.
    """

    voice: Voice | None = None
    settings: VoiceSettings | None = None
    text_only: bool = False


USUAL = WantedVoice()
"""No voice in particular: that of the call's number."""


@dataclass(frozen=True)
class CallVoice:
    """The voice of a call. `host`: the URL of the voice host that keeps a place for it, if it is
    hosted; `detail`: as the call's `voice_detail`.
    """

    voice: Voice = "own"
    settings: VoiceSettings | None = None
    host: str | None = None
    detail: str | None = None

    def members(self) -> dict[str, Any]:
        """Return the voice as members of a `Call`."""
        return {
            "voice": self.voice,
            "voice_settings": self.settings,
            "voice_host": self.host,
            "voice_detail": self.detail,
        }


OWN = CallVoice()
"""The agent speaks itself, which is usual."""


class VoiceGated(Failure):
    """The account does not take part in the beta of hosted voices."""

    code = "hosted_voice_gated"


class VoiceUnavailable(Failure):
    """This installation has no voice host, or none of its voice hosts answers."""

    code = "hosted_voice_unavailable"


class SettingsUnused(Failure, ValueError):
    """Voice settings are given for a call whose agent speaks itself."""

    field = "voice_settings"

    def __init__(self) -> None:
        super().__init__('they need "voice": "hosted"')


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
