"""`/api/account…`: open an account, see it, and the token with which it knows our sockets."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.account import account_view
from chalicelib.domain.agent_token import AgentToken
from chalicelib.domain.shape import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, Limit, NoBody, NoQuery, Operations
from chalicelib.services import accounts, agent_token

operations = Operations("account")


class NewAccount(Strict):
    """Whose it is."""

    name: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="whose account it is, on one line",
        examples=["Ada's agents"],
    )


@operations.post(
    "/api/account",
    body=NewAccount,
    answer=views.AccountWithKey,
    location=lambda _: "/api/account",
    problems=("sign_up_closed",),
    example={"name": "Ada's agents"},
    open=True,
    limit=Limit("sign_up", 5, 3600, overall=100),
)
def create_account(asked: Asked[NewAccount, NoQuery]) -> Answer:
    """Open an account. The answer holds its first API key, and no other answer does.

    Needs no key. The operator may have closed it.
    """
    account, key, clear = accounts.sign_up(asked.ports, asked.body.name)
    return {**account_view(account), "key_id": key.key_id, "key": clear}


@operations.get("/api/account", answer=views.Account)
def get_account(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Your account and its limits."""
    return account_view(accounts.account(asked.ports, asked.account_id))


@operations.get("/api/account/agent-token", answer=views.AgentToken)
def get_agent_token(asked: Asked[NoBody, NoQuery]) -> Answer:
    """The token by which your agent recognises us when we dial its `agent_url`."""
    return _view(agent_token.current(asked.ports, asked.account_id))


@operations.post(
    "/api/account/agent-token/rotate",
    answer=views.AgentToken,
    limit=Limit("rotate_agent_token", 20, 3600),
)
def rotate_agent_token(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Make a new agent token; the one before is not sent any more."""
    return _view(agent_token.rotate(asked.ports, asked.account_id))


def _view(token: AgentToken) -> dict[str, str | int]:
    return {"token": token.token, "version": token.version}
