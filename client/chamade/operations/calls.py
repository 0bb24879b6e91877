"""`/api/call…`: dial, see calls, answer, refuse, hang up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, Unpack

from chamade.http.operation import Group, Shell, given, listed, operation, part
from chamade.http.request import Flow, Request, perform
from chamade.models import (
    Call,
    Page,
)
from chamade.operations.shapes import page, shape
from chamade.operations.trunks import MAIN, Trunks


class DialOptions(TypedDict, total=False):
    """Options of a dial; those that are not given are as the trunk and the account have them."""

    trunk: str
    caller_id: str
    ring_timeout_s: int
    max_duration_s: int
    metadata: Mapping[str, Any]
    agent_url: str
    idempotency_key: str


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
        ring_timeout_s: int | None = None,
        max_duration_s: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Call]:
        """Place a call through a trunk of yours: `sip:+33199001234@sip.carrier.example`. It is
        `connecting` then; the events and its audio tell how it goes on. `trunk`: its name, if
        several have that host.
        """
        wishes = given(
            trunk=trunk,
            caller_id=caller_id,
            ring_timeout_s=ring_timeout_s,
            max_duration_s=max_duration_s,
            metadata=metadata,
            agent_url=agent_url,
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
    def accept(self, call_id: str) -> Request[Call]:
        """Answer a call that rings. Raises Conflict, with the call, if it does not ring (any
        more).
        """
        return Request("POST", f"/api/call/{part(call_id)}/accept", shape(Call))

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
    def say(self, call_id: str, text: str) -> Request[Any]:
        """Have a text spoken by hosted speech, a closed beta: Forbidden, `hosted_voice_gated`, for
        accounts that do not take part. Speech of your own goes through the call's audio.
        """
        path = f"/api/call/{part(call_id)}/say"
        return Request("POST", path, lambda shown: shown, body={"text": text})


def dial_through_trunk(meeting_url: str, **options: Unpack[DialOptions]) -> Flow[Call]:
    """Dial a SIP URI, or a number, `+33…`, through the account's trunk: the one that is named, or
    `main`. Raises NotFound (`no_trunk`) for a number without a trunk.
    """
    if meeting_url.startswith("+"):
        trunk = yield from perform(Trunks.get.request(name=options.get("trunk") or MAIN))
        meeting_url = trunk.sip_uri(meeting_url)
    return (yield from perform(Calls.dial.request(meeting_url, **options)))
