"""`/api/call…`: dial, see calls, answer, refuse, hang up, hold, transfer; speak and hear with a
hosted voice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, Unpack

from chamade.decoding import Page
from chamade.http.operation import Group, Shell, given, listed, operation, part
from chamade.http.request import Flow, Request, perform
from chamade.models import Call
from chamade.operations.shapes import nothing, page, shape
from chamade.operations.trunks import MAIN, Trunks
from chamade.operations.voices import VoiceOptions
from chamade.quality import Levels
from chamade.speech_models import Transcript, Utterance

SPEAKS_FOR_S = 45.0
"""Timeout, in seconds, of a request that waits for the caller: the API answers sooner."""


class DialOptions(TypedDict, total=False):
    """Options of a dial; those that are not given are as the trunk and the account have them."""

    trunk: str
    caller_id: str
    caller_name: str
    detect_answer: str
    sip_headers: Mapping[str, str]
    ring_timeout_s: int
    max_duration_s: int
    metadata: Mapping[str, Any]
    agent_url: str
    voice: str
    voice_settings: VoiceOptions
    recording: str
    recording_announce: str
    idempotency_key: str


class SpeechOptions(TypedDict, total=False):
    """Options of what is said.

    `interrupt`: first drop what is spoken, or waits to be. `barge_in` (true): the caller's voice
    stops it. `name`, `language`, `speed`: as in voice settings, for this text alone. `wait`: answer
    when it was heard. `wait_for_reply_s`: then wait for what the caller says to it, up to 20 s.
    """

    interrupt: bool
    barge_in: bool
    name: str
    language: str
    speed: float
    wait: bool
    wait_for_reply_s: float


class Calls(Group[Shell]):
    """Calls, those that are over included."""

    @listed
    def list(
        self, *, state: str | None = None, direction: str | None = None, page_size: int = 50
    ) -> Callable[[str | None], Request[Page[Call]]]:
        """List calls, newest first; pages are fetched as they are wanted."""
        return lambda cursor: Request(
            "GET",
            "/api/calls",
            page(Call, "calls"),
            {"state": state, "direction": direction, "limit": page_size, "cursor": cursor},
        )

    @operation
    def get(self, call_id: str) -> Request[Call]:
        """Get a call as it is."""
        return Request("GET", f"/api/call/{part(call_id)}", shape(Call))

    @operation
    def dial(
        self,
        meeting_url: str,
        *,
        trunk: str | None = None,
        caller_id: str | None = None,
        caller_name: str | None = None,
        detect_answer: str | None = None,
        sip_headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        max_duration_s: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent_url: str | None = None,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
        recording: str | None = None,
        recording_announce: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Call]:
        """Place a call through a trunk of yours: `sip:+33199001234@sip.carrier.example`. It is
        `connecting` then; the events and its audio tell how it goes on. `trunk`: its name, if
        several have that host. `sip_headers`: `X-…` and `User-to-User`. `voice`: `own`, which is
        usual, or `hosted`.
        """
        wishes = given(
            trunk=trunk,
            caller_id=caller_id,
            caller_name=caller_name,
            detect_answer=detect_answer,
            sip_headers=sip_headers,
            ring_timeout_s=ring_timeout_s,
            max_duration_s=max_duration_s,
            metadata=metadata,
            agent_url=agent_url,
            voice=voice,
            voice_settings=voice_settings,
            recording=recording,
            recording_announce=recording_announce,
        )
        return Request(
            "POST",
            "/api/call",
            shape(Call),
            body={"platform": "sip", "meeting_url": meeting_url, **wishes},
            creates=True,
            idempotency_key=idempotency_key,
        )

    @operation
    def accept(
        self,
        call_id: str,
        *,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
        recording: str | None = None,
        recording_announce: str | None = None,
    ) -> Request[Call]:
        """Answer a call that rings. Raises Conflict, with the call, if it does not ring (any
        more). `voice`: `own` or `hosted`, `recording`: `on` or `off`, `recording_announce`: `beep`
        or `none`; usually as its number says.
        """
        wishes = given(
            voice=voice,
            voice_settings=voice_settings,
            recording=recording,
            recording_announce=recording_announce,
        )
        path = f"/api/call/{part(call_id)}/accept"
        return Request("POST", path, shape(Call), body=wishes or None)

    @operation
    def refuse(self, call_id: str) -> Request[Call]:
        """Decline a call that rings: the caller hears a busy tone."""
        return Request("POST", f"/api/call/{part(call_id)}/refuse", shape(Call))

    @operation
    def leave(self, call_id: str) -> Request[Call]:
        """Hang up, whatever the call is doing. Hanging up twice does no harm: the request is
        repeated if no answer comes.
        """
        path = f"/api/call/{part(call_id)}/leave"
        return Request("POST", path, shape(Call), repeatable=True)

    @operation
    def hold(self, call_id: str, *, music: bool | str | None = None) -> Request[Call]:
        """Put an active call on hold: its far end hears music, with `music=False` silence, with the
        name of a clip that.
        """
        path = f"/api/call/{part(call_id)}/hold"
        return Request("POST", path, shape(Call), body=given(music=music), repeatable=True)

    @operation
    def resume(self, call_id: str) -> Request[Call]:
        """Take a call off hold."""
        path = f"/api/call/{part(call_id)}/resume"
        return Request("POST", path, shape(Call), repeatable=True)

    @operation
    def transfer(
        self,
        call_id: str,
        to: str,
        mode: str = "cold",
        *,
        trunk: str | None = None,
        caller_id: str | None = None,
        timeout_s: int | None = None,
        music: bool | str | None = None,
        on_failure: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Call]:
        """Transfer an active call to a third party, a number or a SIP URI. `cold`: they are joined
        when it answers; `warm`: your agent talks to it first, in the call
        `call.transfer.call_id`; `refer`: the caller's network takes the call over.
        """
        wishes = given(
            trunk=trunk,
            caller_id=caller_id,
            timeout_s=timeout_s,
            music=music,
            on_failure=on_failure,
        )
        return Request(
            "POST",
            f"/api/call/{part(call_id)}/transfer",
            shape(Call),
            body={"to": to, "mode": mode, **wishes},
            creates=True,
            idempotency_key=idempotency_key,
        )

    @operation
    def complete_transfer(self, call_id: str) -> Request[Call]:
        """Join the caller with the third party of a warm transfer. The agent is out then."""
        path = f"/api/call/{part(call_id)}/transfer/complete"
        return Request("POST", path, shape(Call), repeatable=True)

    @operation
    def cancel_transfer(self, call_id: str) -> Request[Call]:
        """Give a transfer up: the third party is hung up, the agent has the caller again."""
        return Request("POST", f"/api/call/{part(call_id)}/transfer/cancel", shape(Call))

    @operation
    def say(
        self,
        call_id: str,
        text: str,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SpeechOptions],
    ) -> Request[Utterance]:
        """Have a text spoken by the call's hosted voice, after what it was given before. Speech of
        your own goes through the call's audio.
        """
        return Request(
            "POST",
            f"/api/call/{part(call_id)}/say",
            shape(Utterance),
            body={"text": text, **given(**options)},
            creates=True,
            idempotency_key=idempotency_key,
            timeout_s=SPEAKS_FOR_S,
        )

    @operation
    def clear(self, call_id: str) -> Request[None]:
        """Stop what is spoken, and drop what waits to be; for calls with a voice of your own, the
        audio that was not heard yet.
        """
        return Request("POST", f"/api/call/{part(call_id)}/clear", nothing, repeatable=True)

    @operation
    def dtmf(self, call_id: str, digits: str) -> Request[None]:
        """Press keys, 0-9*#ABCD and w for a pause, in a call that is active."""
        path = f"/api/call/{part(call_id)}/dtmf"
        return Request("POST", path, nothing, body={"digits": digits})

    @operation
    def transcript(
        self,
        call_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
        wait: float | None = None,
    ) -> Request[Transcript]:
        """Get what was said, oldest first, after the place `after` (`next` of the answer before).
        `wait`: if there is nothing yet, wait for it up to so many seconds, at most 20.
        """
        query = {"after": after, "limit": limit, "wait": wait}
        path = f"/api/call/{part(call_id)}/transcript"
        return Request("GET", path, shape(Transcript), query, timeout_s=SPEAKS_FOR_S)

    @operation
    def levels(self, call_id: str) -> Request[Levels]:
        """Get the loudness of both sides over time, and what happened when."""
        return Request("GET", f"/api/call/{part(call_id)}/levels", shape(Levels))

    @operation
    def delete_transcript(self, call_id: str) -> Request[None]:
        """Delete what was kept of what was said."""
        return Request("DELETE", f"/api/call/{part(call_id)}/transcript", nothing, repeatable=True)


def dial_through_trunk(meeting_url: str, **options: Unpack[DialOptions]) -> Flow[Call]:
    """Dial a SIP URI, or a number, `+33…`, through the account's trunk: the one that is named, or
    `main`. Raises NotFound (`no_trunk`) for a number without a trunk.
    """
    if meeting_url.startswith("+"):
        trunk = yield from perform(Trunks.get.request(name=options.get("trunk") or MAIN))
        meeting_url = trunk.sip_uri(meeting_url)
    return (yield from perform(Calls.dial.request(meeting_url, **options)))
