"""`/api/call/{call_id}/levels`, and the facts of a call's audio that `/api/call/{call_id}` shows.

The services are imported by the requests that need them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chalicelib.domain.call import Call
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.handlers.views import Absent, Time, View
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies

operations = Operations("calls")

READS_A_MINUTE = 300


class Timeline(View):
    """Moments of a call; each is only there if it is known."""

    invite_at: Time | Absent = Field(default=None, description="the network asked, or was asked")
    ringing_at: Time | Absent = Field(default=None, description="the called party rang")
    answered_at: Time | Absent = None
    stream_at: Time | Absent = Field(default=None, description="the audio was there")
    agent_at: Time | Absent = Field(default=None, description="the agent's socket was there")
    caller_audio_at: Time | Absent = Field(default=None, description="first audio of the caller")
    agent_audio_at: Time | Absent = Field(default=None, description="first audio of the agent")


class Shares(View):
    """A time of which half, and 95 of 100, were not longer (ms)."""

    p50: float
    p95: float


class Share(View):
    """A time of which 95 of 100 were not longer (ms)."""

    p95: float


class Facts(View):
    """The quality of a call's audio so far. What is not known is not there."""

    timeline: Timeline
    codec: str | Absent = Field(default=None, description="on the way to the far end")
    jitter_ms: float | Absent = None
    loss_pct: float | Absent = Field(default=None, description="lost or late of the far end's")
    round_trip_ms: float | Absent = None
    concealed_ms: int | Absent = Field(default=None, description="made up for what was lost")
    mos: float | Absent = Field(default=None, description="estimated, 1 to 4.5 (ITU-T G.107)")
    late: int | Absent = Field(default=None, description="messages of the caller's that were late")
    gaps: int | Absent = Field(default=None, description="times when nothing came from the caller")
    gap_ms: int | Absent = None
    underruns: int | Absent = Field(
        default=None, description="times when the agent's audio ran out within what it said"
    )
    underrun_ms: int | Absent = None
    clears: int | Absent = Field(default=None, description="times when the agent was cut short")
    streams: int | Absent = Field(default=None, description="1, and one for each reconnection")
    agents: int | Absent = Field(default=None, description="connections of the agent")
    added_latency_ms: Shares | Absent = Field(default=None, description="added by this service")
    clear_to_silence_ms: Share | Absent = Field(
        default=None, description="from a barge-in until the provider had followed it"
    )


class CallWithFacts(views.Call):
    """A call, with the facts of its audio."""

    facts: Facts | Absent = Field(
        default=None, description="only there once something is known: the quality of its audio"
    )


class Mark(View):
    """A moment within the levels."""

    type: Literal["gap", "underrun", "clear", "key", "stream", "agent", "hold", "bridge", "talk"]
    at_ms: int
    ms: int = Field(description="how long it took; of `clear`: how much was cut")


class Levels(View):
    """The loudness of both directions over time."""

    began_at: Time | None = Field(description="the time of the first level; null: there are none")
    step_ms: Literal[100] = Field(description="the time of one level")
    caller: list[int] = Field(description="0 (silence) to 15 (full scale), 3 dB a step")
    heard: list[int] = Field(description="the same of what the caller heard")
    marks: list[Mark] = Field(description="moments, in ms since the first level")


@operations.get(
    "/api/call/{call_id}/levels",
    answer=Levels,
    problems=("call_not_found",),
    limit=Limit("levels", READS_A_MINUTE, 60),
)
def call_levels(request: Request[NoBody, NoQuery]) -> Answer:
    """Show how loud both sides of a call were over time.

    Levels come a minute after the audio, and at once when the call is over. They are kept for 30
    days.
    """
    from chalicelib.services.call import facts  # most requests need none of it

    call = own_call(request.deps, request.account_id, request.path["call_id"])
    return facts.levels(request.deps, call)


def shown(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return the facts of a call as a member of it; {} if nothing is known."""
    from chalicelib.services.call import facts

    known = facts.of_call(deps, call)
    return {"facts": known} if known else {}
