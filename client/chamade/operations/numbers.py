"""`/api/number…` and `/api/trunk…`: numbers, and a trunk of your own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chamade.http.operation import Group, Shell, given, operation, part
from chamade.http.request import Request
from chamade.models import (
    Did,
    Number,
    Trunk,
)
from chamade.operations.shapes import nothing, shape, shapes


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
    ) -> Request[Number]:
        """Change what is given; an `agent_url` of "" takes it away."""
        changes = changed(auto_answer, label, agent_url)
        return Request("PATCH", f"/api/number/{part(e164)}", shape(Number), body=changes)

    @operation
    def release(self, e164: str) -> Request[None]:
        """Give a number back. Calls to it are rejected from then on."""
        return Request("DELETE", f"/api/number/{part(e164)}", nothing)


class Dids(Group[Shell]):
    """The numbers of your trunk."""

    @operation
    def list(self) -> Request[list[Did]]:
        """List the numbers of your trunk."""
        return Request("GET", "/api/trunk", shapes(Did, "dids"))

    @operation
    def get(self, e164: str) -> Request[Did]:
        """Get a number of your trunk."""
        return Request("GET", f"/api/trunk/dids/{part(e164)}", shape(Did))

    @operation
    def add(
        self,
        e164: str,
        *,
        label: str | None = None,
        auto_answer: bool | None = None,
        agent_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Did]:
        """Add a number: calls to it ring here from now on."""
        wishes = given(label=label, auto_answer=auto_answer, agent_url=agent_url)
        return Request(
            "POST",
            "/api/trunk/dids",
            shape(Did),
            body={"e164": e164, **wishes},
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
    ) -> Request[Did]:
        """Change what is given; an `agent_url` of "" takes it away."""
        changes = changed(auto_answer, label, agent_url)
        return Request("PATCH", f"/api/trunk/dids/{part(e164)}", shape(Did), body=changes)

    @operation
    def remove(self, e164: str) -> Request[None]:
        """Remove a number: calls to it are rejected from now on."""
        return Request("DELETE", f"/api/trunk/dids/{part(e164)}", nothing)


class TrunkOf(Group[Shell]):
    """Your SIP trunk; an account has one."""

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell)
        self.dids: Dids[Shell] = Dids(shell)

    @operation
    def get(self) -> Request[Trunk]:
        """Get the trunk, with its status and its numbers."""
        return Request("GET", "/api/trunk", shape(Trunk))

    @operation
    def connect(
        self,
        host: str,
        username: str,
        password: str,
        *,
        port: int | None = None,
        transport: str | None = None,
        realm: str | None = None,
        caller_id: str | None = None,
        allowed_countries: Sequence[str] | None = None,
        provider: str | None = None,
    ) -> Request[Trunk]:
        """Connect the trunk, or replace all its settings: what is left out is back at its
        default.
        """
        wishes = given(
            port=port,
            transport=transport,
            realm=realm,
            caller_id=caller_id,
            allowed_countries=allowed_countries,
            provider=provider,
        )
        body = {"host": host, "username": username, "password": password, **wishes}
        return Request("PUT", "/api/trunk", shape(Trunk), body=body)

    @operation
    def disconnect(self) -> Request[None]:
        """Forget the trunk and its numbers. Calls that are up go on."""
        return Request("DELETE", "/api/trunk", nothing)


def changed(auto_answer: bool | None, label: str | None, agent_url: str | None) -> dict[str, Any]:
    """Return the body that changes a number."""
    changes = given(auto_answer=auto_answer, label=label)
    if agent_url is not None:
        changes["agent_url"] = agent_url or None
    return changes
