"""Numbers of a trunk (DIDs), and what happens when somebody calls one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from chalicelib.domain.agent import AgentUrl
from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.model import Model
from chalicelib.domain.phone import E164
from chalicelib.domain.recording import Announce, Choice
from chalicelib.domain.voice import Voice, VoiceSettings

MAX_DIDS = 100
"""Numbers that one trunk may have."""
Label = Annotated[str, Field(max_length=100)]


class Did(Model):
    """A number of a trunk, and what happens when somebody calls it.

    `called_at` is when the first call to it came in through the trunk. Until then only an API key
    says that the number is the trunk's, and nobody calls as it.
    """

    model_config = ConfigDict(frozen=True)

    e164: E164
    trunk_id: str
    account_id: str
    label: Label = ""
    agent_url: AgentUrl | None = None
    auto_answer: bool = False
    voice: Voice = "own"
    voice_settings: VoiceSettings | None = None
    recording: Choice = "off"
    recording_announce: Announce = "beep"
    added_at: Instant
    called_at: Instant | None = None


class DidChanges(Model):
    """Changes to a DID. Fields that are not given stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Label = Field(default="", description="what you call it")
    agent_url: AgentUrl | None = Field(
        default=None, description="a WebSocket of yours, `ws://` or `wss://`; null for none"
    )
    auto_answer: bool = Field(default=False, description="calls are answered at once")
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


class NewDid(DidChanges):
    """A DID to be added to a trunk."""

    e164: E164 = Field(description="the number", examples=["+33199005678"])


def did_view(did: Did) -> dict[str, Any]:
    """Return the number as REST and events show it."""
    return did.model_dump(mode="json", exclude={"account_id"})


def did_event(event_type: EventType, did: Did, now: int) -> Event:
    """Make the event `number.added` or `number.removed`. Its id holds the moment, since a number
    comes and goes. The agent's URL is left out: such URLs hold tokens, and events go to more
    places.
    """
    shown = {name: value for name, value in did_view(did).items() if name != "agent_url"}
    return Event(
        event_id=event_id(did.e164.removeprefix("+"), event_type.value, to_text(now)),
        type=event_type,
        account_id=did.account_id,
        at=now,
        data={"number": shown},
    )
