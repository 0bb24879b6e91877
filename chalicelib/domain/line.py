"""Lines: the numbers on which calls come in. A routing number comes from a pool, is held by at
most one account at a time, and goes back to the pool when it is released.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.domain.agent import AgentUrl
from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.model import Model
from chalicelib.domain.phone import E164
from chalicelib.domain.recording import Announce, Choice
from chalicelib.domain.voice import Voice, VoiceSettings


class Line(Model):
    """A number and what happens when somebody calls it. Without `account_id` it is in the pool."""

    model_config = ConfigDict(frozen=True)

    e164: E164
    country: str = Field(pattern=r"^[A-Z]{2}$")
    provider: str
    account_id: str | None = None
    auto_answer: bool = False
    label: str = ""
    agent_url: AgentUrl | None = None
    voice: Voice = "own"
    voice_settings: VoiceSettings | None = None
    recording: Choice = "off"
    recording_announce: Announce = "beep"
    activated_at: Instant | None = None
    released_at: Instant | None = None

    def held_by(self, account_id: str, now: int) -> Line:
        """Return this line, just activated: with the defaults, nothing of its last holder."""
        return Line(
            e164=self.e164,
            country=self.country,
            provider=self.provider,
            account_id=account_id,
            activated_at=now,
        )

    def released(self, now: int) -> Line:
        """Return this line, back in the pool."""
        return Line(e164=self.e164, country=self.country, provider=self.provider, released_at=now)


class LineChanges(Model):
    """Changes to a number. Fields that are not given stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    auto_answer: bool = Field(default=False, description="calls are answered at once")
    label: str = Field(default="", max_length=100, description="what you call it")
    agent_url: AgentUrl | None = Field(
        default=None, description="a WebSocket of yours, `ws://` or `wss://`; null for none"
    )
    voice: Voice = Field(
        default="own",
        description="who speaks in its calls: `own`: an agent on the call's audio; `hosted`: this "
        "service, which speaks the texts that you send (closed beta)",
    )
    voice_settings: VoiceSettings | None = Field(
        default=None, description="of a hosted voice; null: the usual ones"
    )
    recording: Choice = Field(
        default="off", description="`on`: its calls are recorded, from the answer on"
    )
    recording_announce: Announce = Field(
        default="beep", description="what the far end hears when a recording begins"
    )


def public_view(line: Line) -> dict[str, Any]:
    """Return the line as REST shows it to its holder."""
    return line.model_dump(mode="json", exclude={"account_id", "provider", "released_at"})


def line_event(event_type: EventType, line: Line, account_id: str, now: int) -> Event:
    """Make the event `number.activated` or `number.released`. Its id holds the moment, since a
    number comes and goes. The agent's URL is left out: such URLs hold tokens, and events go to more
    places.
    """
    shown = {name: value for name, value in public_view(line).items() if name != "agent_url"}
    return Event(
        event_id=event_id(line.e164.removeprefix("+"), event_type.value, to_text(now)),
        type=event_type,
        account_id=account_id,
        at=now,
        data={"number": shown},
    )
