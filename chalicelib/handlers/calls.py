"""`/api/call…`: dial, see calls, answer, refuse, hang up."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chalicelib.domain.agent_url import AgentUrl
from chalicelib.domain.call import Call, public_view
from chalicelib.domain.call_id import derived_call_id
from chalicelib.domain.call_moves import CallState, Direction
from chalicelib.domain.dialling import DEFAULT_RING_TIMEOUT_S, MIN_CALL_S, RING_TIMEOUT_S
from chalicelib.domain.instant import to_text
from chalicelib.domain.metadata import MAX_BYTES, Metadata
from chalicelib.domain.phone import E164
from chalicelib.domain.shape import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, Limit, NoBody, NoQuery, Operations
from chalicelib.services import answer, call_list, decline, dial, leave, say
from chalicelib.services.media import agent_token
from chalicelib.services.ports import Ports
from chalicelib.services.transition import own_call

operations = Operations("calls")

AUDIO = {
    "format": "pcm_s16le",
    "sample_rate": 16000,
    "channels": 1,
    "frame_duration_ms": 20,
    "frame_bytes": 640,
}


class NewCall(Strict):
    """Whom to call, as whom."""

    platform: Literal["sip"] = Field(description="always `sip`")
    meeting_url: str = Field(
        max_length=255,
        description="`sip:NUMBER@HOST`: the number in E.164 form with its plus, the host (or "
        "realm) your trunk's",
        examples=["sip:+33199001234@sip.carrier.example"],
    )
    caller_id: E164 | None = Field(
        default=None,
        description="the number to call as: the trunk's `caller_id` (default), or one of its "
        "numbers on which a call has come in",
        examples=["+33199005678"],
    )
    agent_url: AgentUrl | None = Field(
        default=None, description="`ws://` or `wss://`; kept, never shown again"
    )
    metadata: Metadata = Field(
        default_factory=dict,
        description=f"a JSON object of yours, up to {MAX_BYTES} bytes, shown in the call, its "
        "events and the agent's `start` message",
        examples=[{"ticket": 4711}],
    )
    max_duration_s: int | None = Field(
        default=None,
        ge=MIN_CALL_S,
        description="seconds; at most your account's `max_call_s`, which is the default",
    )
    ring_timeout_s: int = Field(
        default=DEFAULT_RING_TIMEOUT_S,
        ge=RING_TIMEOUT_S[0],
        le=RING_TIMEOUT_S[1],
        description="seconds that it may ring",
    )


class ListQuery(Strict):
    """Which calls."""

    state: CallState | None = Field(default=None, description="only calls in this state")
    direction: Direction | None = Field(default=None, description="only calls of this direction")
    limit: int = Field(default=50, ge=1, le=call_list.MAX_LIMIT, description="calls in a page")
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before this one"
    )


class Speech(Strict):
    """What is to be said."""

    text: str = Field(min_length=1, max_length=say.MAX_TEXT, description="the text")


@operations.post(
    "/api/call",
    body=NewCall,
    answer=views.Call,
    location=lambda call: f"/api/call/{call['call_id']}",
    problems=(
        "country_not_allowed",
        "premium_number",
        "no_trunk:409",
        "trunk_not_registered",
        "bad_number",
        "wrong_host",
        "bad_caller_id",
        "no_caller_id",
        "too_long",
        "too_many_dials",
        "dial_rate",
        "recently_declined",
        "provider_error",
        "vault_missing",
        "vault_unavailable",
    ),
    example={"platform": "sip", "meeting_url": "sip:+33199001234@sip.carrier.example"},
    idempotent=True,
    resumes=True,
)
def dial_call(asked: Asked[NewCall, NoQuery]) -> Answer:
    """Dial out through your own trunk.

    The answer is the call, `connecting`, with its `audio`: open it at once, sound flows from the
    answer on. What becomes of the call its events tell. With an Idempotency-Key the provider is
    asked once, whatever gets lost; without one, each request dials.
    """
    wish = dial.Wish(**asked.body.model_dump(exclude={"platform"}))
    call_id = derived_call_id(asked.seed) if asked.seed else None
    return _view(asked.ports, dial.dial(asked.ports, asked.account_id, wish, call_id))


@operations.get("/api/calls", query=ListQuery, answer=views.Calls, problems=("bad_cursor",))
def list_calls(asked: Asked[NoBody, ListQuery]) -> Answer:
    """Your calls, newest first.

    `next_cursor` is null at the end. With a filter a page may be short, even empty, and still
    go on.
    """
    calls, cursor = call_list.page(asked.ports, asked.account_id, **asked.query.model_dump())
    return {"calls": [_view(asked.ports, call) for call in calls], "next_cursor": cursor}


@operations.get("/api/call/{call_id}", answer=views.Call, problems=("call_not_found",))
def get_call(asked: Asked[NoBody, NoQuery]) -> Answer:
    """One call as it is now."""
    return _view(asked.ports, own_call(asked.ports, asked.account_id, asked.path["call_id"]))


@operations.post(
    "/api/call/{call_id}/accept",
    answer=views.Call,
    problems=(
        "call_not_found",
        "call_not_ringing",
        "call_over",
        "ring_deadline_passed",
        "call_outbound",
    ),
)
def accept_call(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Answer a ringing call that came in.

    Accept, refuse, leave, the caller and the clock race; one wins. Who loses gets 409 with the
    call as it is.
    """
    return _view(asked.ports, answer.accept(asked.ports, asked.account_id, asked.path["call_id"]))


@operations.post(
    "/api/call/{call_id}/refuse",
    answer=views.Call,
    problems=("call_not_found", "call_not_ringing", "call_over", "call_outbound"),
)
def refuse_call(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Decline a ringing call; the caller gets a busy tone."""
    return _view(asked.ports, decline.refuse(asked.ports, asked.account_id, asked.path["call_id"]))


@operations.post(
    "/api/call/{call_id}/leave",
    answer=views.Call,
    problems=("call_not_found", "call_over"),
)
def leave_call(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Hang up, whatever the call is doing; one that you dialled stops ringing."""
    return _view(asked.ports, leave.leave(asked.ports, asked.account_id, asked.path["call_id"]))


@operations.post(
    "/api/call/{call_id}/say",
    body=Speech,
    problems=("call_not_found", "hosted_voice_gated", "hosted_voice_unavailable"),
    example={"text": "Good morning, how can I help you?"},
    limit=Limit("say", 60, 60),
)
def say_call(asked: Asked[Speech, NoQuery]) -> Answer:
    """Have a text spoken in the call (closed beta).

    Hosted speech is for accounts that take part (`hosted_voice` of the account). Everybody else
    streams the speech of a TTS of their own to `audio.url`.
    """
    say.say(asked.ports, asked.account_id, asked.path["call_id"])
    return None


def _view(ports: Ports, call: Call) -> dict[str, Any]:
    return {**public_view(call), "audio": None if call.state.final else _audio(ports, call)}


def _audio(ports: Ports, call: Call) -> dict[str, Any]:
    token, expires = agent_token(ports, call)
    return {
        # Without the token: URLs end up in logs.
        "url": f"{ports.relay_url}/media/agent/{call.call_id}",
        "token": token,
        "expires_at": to_text(expires * 1000),
        **AUDIO,
    }
