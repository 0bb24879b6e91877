"""`/api/number…`: routing numbers."""

from __future__ import annotations

from typing import Any

from chamade.http.operation import Group, Shell, given, operation, part
from chamade.http.request import Request
from chamade.models import Number
from chamade.operations.shapes import nothing, shape, shapes
from chamade.operations.voices import VoiceOptions


class Numbers(Group[Shell]):
    """Routing numbers from the pool."""

    @operation
    def list(self) -> Request[list[Number]]:
        """List your numbers."""
        return Request("GET", "/api/numbers", shapes(Number, "numbers"))

    @operation
    def get(self, e164: str) -> Request[Number]:
        """Get one of your numbers."""
        return Request("GET", f"/api/number/{part(e164)}", shape(Number))

    @operation
    def activate(
        self, country: str | None = None, *, idempotency_key: str | None = None
    ) -> Request[Number]:
        """Get a number from the pool of a country (ISO code)."""
        return Request(
            "POST",
            "/api/number",
            shape(Number),
            body=given(country=country),
            creates=True,
            idempotency_key=idempotency_key,
        )

    @operation
    def change(
        self,
        e164: str,
        *,
        auto_answer: bool | None = None,
        label: str | None = None,
        agent_url: str | None = None,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
    ) -> Request[Number]:
        """Change what is given; an `agent_url` of "" takes it away. `voice`: `own` or `hosted`;
        `voice_settings` are replaced as a whole, and {} are the usual ones.
        """
        changes = changed(auto_answer, label, agent_url, voice, voice_settings)
        return Request("PATCH", f"/api/number/{part(e164)}", shape(Number), body=changes)

    @operation
    def release(self, e164: str) -> Request[None]:
        """Give a number back. Calls to it are rejected from then on."""
        return Request("DELETE", f"/api/number/{part(e164)}", nothing)


def changed(
    auto_answer: bool | None,
    label: str | None,
    agent_url: str | None,
    voice: str | None,
    voice_settings: VoiceOptions | None,
) -> dict[str, Any]:
    """Return the body that changes a number."""
    changes = given(auto_answer=auto_answer, label=label, voice=voice)
    if agent_url is not None:
        changes["agent_url"] = agent_url or None
    if voice_settings is not None:
        changes["voice_settings"] = voice_settings or None
    return changes
