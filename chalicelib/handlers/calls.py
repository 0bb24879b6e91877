"""`/api/call…`: dial, see calls, answer, refuse, hang up."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from chalicelib.domain.agent import AgentUrl
from chalicelib.domain.answered import DetectAnswer
from chalicelib.domain.call import Call, public_view
from chalicelib.domain.call_id import derived_call_id
from chalicelib.domain.call_transitions import CallState, Direction
from chalicelib.domain.dial_rules import MIN_CALL_S
from chalicelib.domain.instant import to_text
from chalicelib.domain.metadata import MAX_BYTES, Metadata
from chalicelib.domain.model import Strict
from chalicelib.domain.new_call import DEFAULT_RING_TIMEOUT_S, RING_TIMEOUT_S
from chalicelib.domain.phone import E164
from chalicelib.domain.recording import Announce, Choice, WantedRecording
from chalicelib.domain.trunk_fields import TrunkName
from chalicelib.domain.voice import Voice, VoiceSettings, WantedVoice
from chalicelib.handlers import call_facts, views
from chalicelib.handlers.numbers import VOICE_PROBLEMS
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.handlers.speech import shown_entries
from chalicelib.services.call import call_control, call_list, dial
from chalicelib.services.call.media import audio_token
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies
from common.sip_headers import (
    MAX_BYTES as MAX_BYTES_OF_HEADERS,
)
from common.sip_headers import (
    MAX_CALLER_NAME,
    MAX_HEADERS,
    MAX_VALUE,
    Introduction,
    fault,
    name_fault,
)

operations = Operations("calls")

VOICES_A_MINUTE = 60

MAX_TRANSCRIPT = 100

AUDIO = {
    "format": "pcm_s16le",
    "sample_rate": 16000,
    "channels": 1,
    "frame_duration_ms": 20,
    "frame_bytes": 640,
}


def _sendable_headers(given: dict[str, str]) -> dict[str, str]:
    if (why := fault(given)) is not None:
        raise ValueError(why)
    return given


def _sendable_name(given: str) -> str:
    if (why := name_fault(given)) is not None:
        raise ValueError(why)
    return given


SipHeaders = Annotated[dict[str, str], AfterValidator(_sendable_headers)]
CallerName = Annotated[str, AfterValidator(_sendable_name)]
CALL_VOICE_PROBLEMS = (*VOICE_PROBLEMS, "hosted_voice_busy")
RECORDING_PROBLEMS = ("recordings_full", "recording_unavailable")


DIAL_PROBLEMS = (
    "country_not_allowed",
    "premium_number",
    "no_trunk:409",
    "trunk_not_registered",
    "bad_number",
    "wrong_host",
    "bad_caller_id",
    "no_caller_id",
    "too_long",
    "headers_too_long",
    "too_many_dials",
    "dial_rate",
    "recently_declined",
    "provider_error",
    "vault_missing",
    "vault_unavailable",
    *CALL_VOICE_PROBLEMS,
    *RECORDING_PROBLEMS,
)


class Voiced(Strict):
    """The voice that a call is to have."""

    voice: Voice | None = Field(
        default=None,
        description="who speaks: `own`: an agent on the call's audio; `hosted`: this service, with "
        "the texts that you send (closed beta). Default: the number's; `own` if you dial",
    )
    voice_settings: VoiceSettings | None = Field(
        default=None, description="of a hosted voice; what is not given is as the number has it"
    )


class Recorded(Strict):
    """The recording that a call is to have."""

    recording: Choice | None = Field(
        default=None,
        description="`on`: it is recorded, from the answer on. Default: as its number has it; "
        "`off` if you dial",
    )
    recording_announce: Announce | None = Field(
        default=None, description="what the far end hears when it begins; default: `beep`"
    )


class Acceptance(Voiced, Recorded):
    """An answer to a call; without a body, as its number says."""


class NewCall(Voiced, Recorded):
    """A call to be dialled."""

    platform: Literal["sip"] = Field(description="always `sip`")
    meeting_url: str = Field(
        max_length=255,
        description="`sip:NUMBER@HOST`: the number in E.164 form with its plus, the host (or "
        "realm) your trunk's",
        examples=["sip:+33199001234@sip.carrier.example"],
    )
    trunk: TrunkName | None = Field(
        default=None,
        description="the name of the trunk to dial through; without one, of those that the host "
        "leads to, the one that has `caller_id`, else `main`, else the first by name",
        examples=["main"],
    )
    caller_id: E164 | None = Field(
        default=None,
        description="the number to call as: the trunk's `caller_id` (default), or one of its "
        "numbers on which a call has come in",
        examples=["+33199005678"],
    )
    caller_name: CallerName | None = Field(
        default=None,
        description=f"the name to show beside the number, up to {MAX_CALLER_NAME} characters; of "
        "trunks with provider `gateway`. Many networks show their own",
        examples=["Example Ltd"],
    )
    sip_headers: SipHeaders | None = Field(
        default=None,
        description=f"headers of the INVITE, `X-…` or User-to-User: up to {MAX_HEADERS}, values of "
        f"{MAX_VALUE} characters, {MAX_BYTES_OF_HEADERS} bytes in all",
        examples=[{"X-Order": "4711"}],
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
    detect_answer: DetectAnswer = Field(
        default="off",
        description="`on`: find out who answered, a person, a machine or a fax: event "
        "`call.answered_by`; `greeting_end`: and when a machine's greeting is over, so that a "
        "message can be left: event `call.machine_greeting_ended`",
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
    """Filters and page of a list of calls."""

    state: CallState | None = Field(default=None, description="only calls in this state")
    direction: Direction | None = Field(default=None, description="only calls of this direction")
    limit: int = Field(default=50, ge=1, le=call_list.MAX_LIMIT, description="calls in a page")
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before this one"
    )


class CallQuery(Strict):
    """Things to be shown beside the call."""

    transcript: int = Field(
        default=0,
        ge=0,
        le=MAX_TRANSCRIPT,
        description="as many of the last entries of its transcript (hosted voices)",
    )


@operations.post(
    "/api/call",
    body=NewCall,
    answer=views.Call,
    location=lambda call, _: f"/api/call/{call['call_id']}",
    problems=(*DIAL_PROBLEMS, *RECORDING_PROBLEMS),
    example={"platform": "sip", "meeting_url": "sip:+33199001234@sip.carrier.example"},
    idempotent=True,
    resumes=True,
)
def dial_call(request: Request[NewCall, NoQuery]) -> Answer:
    """Dial out through a trunk of your own.

    The answer is the call, `connecting`, with its `audio`: open it at once; audio flows from the
    answer on. Events tell how the call goes on. If the trunk cannot place the call, those that its
    `fallback` names are tried. With an Idempotency-Key the provider is asked once,
    even if the request is repeated; without one, each request dials.
    """
    body = request.body
    told = Introduction(body.caller_name or "", headers=body.sip_headers or {})
    apart = {"platform", "caller_name", "sip_headers"}
    given = body.model_dump(exclude=apart | {*Voiced.model_fields, *Recorded.model_fields})
    voice, recording = _wanted(request), _wanted_recording(request)
    dial_request = dial.DialRequest(**given, voice=voice, recording=recording, introduction=told)
    call_id = derived_call_id(request.seed) if request.seed else None
    return view(request.deps, dial.dial(request.deps, request.account_id, dial_request, call_id))


@operations.get("/api/calls", query=ListQuery, answer=views.Calls, problems=("bad_cursor",))
def list_calls(request: Request[NoBody, ListQuery]) -> Answer:
    """List your calls, newest first.

    `next_cursor` is null at the end. With a filter a page may be short, even empty, and still
    go on.
    """
    calls, cursor = call_list.page(request.deps, request.account_id, **request.query.model_dump())
    return {"calls": [view(request.deps, call) for call in calls], "next_cursor": cursor}


@operations.get(
    "/api/call/{call_id}",
    query=CallQuery,
    answer=call_facts.CallWithFacts,
    problems=("call_not_found",),
)
def get_call(request: Request[NoBody, CallQuery]) -> Answer:
    """Show a call as it is now."""
    deps, wanted = request.deps, request.query.transcript
    call = own_call(deps, request.account_id, request.path["call_id"])
    shown = view(deps, call) | (_transcript(deps, call, wanted) if wanted else {})
    return shown | call_facts.shown(deps, call)


@operations.post(
    "/api/call/{call_id}/accept",
    body=Acceptance,
    answer=views.Call,
    problems=(
        "call_not_found",
        "call_not_ringing",
        "call_over",
        "ring_deadline_passed",
        "call_outbound",
        *CALL_VOICE_PROBLEMS,
        *RECORDING_PROBLEMS,
    ),
    example={"voice": "own"},
)
def accept_call(request: Request[Acceptance, NoQuery]) -> Answer:
    """Answer a ringing call that came in.

    Of accept, refuse, leave, the caller's hang-up and the deadline only one wins. The others get
    409 with the call as it is. A body is not needed. With `voice` `hosted` a voice host keeps a
    place for the call before it is answered; if none can, the call rings on.
    """
    deps, call_id = request.deps, request.path["call_id"]
    wanted, recording = _wanted(request), _wanted_recording(request)
    return view(deps, call_control.accept(deps, request.account_id, call_id, wanted, recording))


@operations.post(
    "/api/call/{call_id}/refuse",
    answer=views.Call,
    problems=("call_not_found", "call_not_ringing", "call_over", "call_outbound"),
)
def refuse_call(request: Request[NoBody, NoQuery]) -> Answer:
    """Decline a ringing call; the caller gets a busy tone."""
    return view(
        request.deps,
        call_control.decline(request.deps, request.account_id, request.path["call_id"]),
    )


@operations.post(
    "/api/call/{call_id}/leave",
    answer=views.Call,
    problems=("call_not_found", "call_over"),
)
def leave_call(request: Request[NoBody, NoQuery]) -> Answer:
    """Hang up, whatever the call is doing; one that you dialled stops ringing."""
    return view(
        request.deps, call_control.leave(request.deps, request.account_id, request.path["call_id"])
    )


@operations.get(
    "/api/voices",
    answer=views.Voices,
    problems=("hosted_voice_gated", "hosted_voice_unavailable"),
    limit=Limit("list_voices", VOICES_A_MINUTE, 60),
)
def list_voices(request: Request[NoBody, NoQuery]) -> Answer:
    """List the hosted voices, and the languages that are understood (closed beta)."""
    from chalicelib.services.line import voice_offer  # most requests need none of it

    offered = voice_offer.offer(request.deps, request.account_id)
    voices = [
        {"name": each.name, "language": each.language, "engine": each.engine}
        for each in offered.voices
    ]
    return {"voices": voices, "languages": list(offered.languages)}


def _wanted(request: Request[Any, Any]) -> WantedVoice:
    body = request.body
    return WantedVoice(body.voice, body.voice_settings, request.text_only)


def _wanted_recording(request: Request[Any, Any]) -> WantedRecording:
    return WantedRecording(request.body.recording, request.body.recording_announce)


def _transcript(deps: Dependencies, call: Call, limit: int) -> dict[str, Any]:
    from chalicelib.services.call import transcripts  # most requests need none of it

    entries = transcripts.newest(deps, call, limit)
    return {} if entries is None else {"transcript": shown_entries(entries)}


def view(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return a call as answers show it, with its audio."""
    return {**public_view(call), "audio": None if call.state.final else _audio(deps, call)}


def _audio(deps: Dependencies, call: Call) -> dict[str, Any]:
    token, expires = audio_token(deps, call)
    return {
        # Without the token: URLs end up in logs.
        "url": f"{deps.settings.relay_url}/media/agent/{call.call_id}",
        "token": token,
        "expires_at": to_text(expires * 1000),
        **AUDIO,
    }
