"""`/api/account…` and `/api/keys…`."""

from __future__ import annotations

from chamade.http.operation import Group, Shell, given, operation, part
from chamade.http.request import Request
from chamade.models import (
    Account,
    AgentToken,
    Key,
    NewAccount,
    NewKey,
)
from chamade.operations.shapes import nothing, shape, shapes


class Keys(Group[Shell]):
    """The account's API keys."""

    @operation
    def list(self) -> Request[list[Key]]:
        """List all keys, without their secrets."""
        return Request("GET", "/api/keys", shapes(Key, "keys"))

    @operation
    def create(
        self, label: str | None = None, *, idempotency_key: str | None = None
    ) -> Request[NewKey]:
        """Make another key; this answer alone shows it."""
        return Request(
            "POST",
            "/api/keys",
            shape(NewKey),
            body=given(label=label),
            creates=True,
            idempotency_key=idempotency_key,
        )

    @operation
    def revoke(self, key_id: str) -> Request[None]:
        """Make a key useless, at once."""
        return Request("DELETE", f"/api/keys/{part(key_id)}", nothing)


class AccountOf(Group[Shell]):
    """Your account."""

    @operation
    def get(self) -> Request[Account]:
        """Get your account; all that the API says of it is in `raw`."""
        return Request("GET", "/api/account", shape(Account))

    @operation
    def create(self, name: str) -> Request[NewAccount]:
        """Open an account; this answer alone shows its first key. Needs no key, but an operator who
        lets people sign up (Forbidden, `sign_up_closed`, otherwise).
        """
        path = "/api/account"
        return Request("POST", path, shape(NewAccount), body={"name": name}, keyless=True)

    @operation
    def agent_token(self) -> Request[AgentToken]:
        """Get the token with which the API signs its connections to your agent
        (`chamade.agent.verify`)."""
        return Request("GET", "/api/account/agent-token", shape(AgentToken))

    @operation
    def rotate_agent_token(self) -> Request[AgentToken]:
        """Replace the token; the former one is not used any more."""
        return Request("POST", "/api/account/agent-token/rotate", shape(AgentToken))
