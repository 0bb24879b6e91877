"""`/api/call…`: dial, see calls, answer, refuse, hang up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chamade.http.operation import Group, Shell, given, listed, operation, part
from chamade.http.request import Request
from chamade.models import (
    Call,
    Page,
)
from chamade.operations.shapes import page, shape


class Calls(Group[Shell]):
    """Calls, those that are over included."""

    @listed
    def list(
        self, *, state: str | None = None, direction: str | None = None, page_size: int = 50
    ) -> Callable[[str | None], Request[Page[Call]]]:
        """Newest first; pages are fetched as they are wanted."""
        return lambda cursor: Request(
            "GET",
            "/api/calls",
            page(Call, "calls"),
            {"state": state, "direction": direction, "limit": page_size, "cursor": cursor},
        )

    @operation
    def get(self, call_id: str) -> Request[Call]:
        """One call as it is."""
        return Request("GET", f"/api/call/{part(call_id)}", shape(Call))

    @operation
    def dial(
        self,
        meeting_url: str,
        *,
        caller_id: str | None = None,
        ring_timeout_s: int | None = None,
        max_duration_s: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Call]:
        """Places a call through your trunk: `sip:+33199001234@sip.carrier.example`. It is
        `connecting` then; the events and its audio tell how it goes on.
        """
        wishes = given(
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
        """Answers a call that rings. Conflict, with the call, if it does not (any more)."""
        return Request("POST", f"/api/call/{part(call_id)}/accept", shape(Call))

    @operation
    def refuse(self, call_id: str) -> Request[Call]:
        """Declines a call that rings: the caller hears a busy tone."""
        return Request("POST", f"/api/call/{part(call_id)}/refuse", shape(Call))

    @operation
    def leave(self, call_id: str) -> Request[Call]:
        """Hangs up, whatever the call is doing. Hanging up twice does no harm: it is repeated when
        no answer comes.
        """
        path = f"/api/call/{part(call_id)}/leave"
        return Request("POST", path, shape(Call), repeatable=True)

    @operation
    def say(self, call_id: str, text: str) -> Request[Any]:
        """Hosted speech, a closed beta: Forbidden, `hosted_voice_gated`, for who is not in it. What
        your agent says by itself goes through the call's audio.
        """
        path = f"/api/call/{part(call_id)}/say"
        return Request("POST", path, lambda shown: shown, body={"text": text})
