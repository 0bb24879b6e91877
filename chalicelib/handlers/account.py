"""`/api/account…`: open an account, show it, and the token by which its agents recognise us."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from chalicelib.domain.account import account_view
from chalicelib.domain.agent import AgentToken
from chalicelib.domain.model import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.services.account import accounts, agent_token

operations = Operations("account")

SIGN_UPS_AN_HOUR, SIGN_UPS_AN_HOUR_OF_ALL = 5, 100
"""Limits for one source address, and for all addresses together."""

ROTATIONS_AN_HOUR = 20


def _one_line(text: str) -> str:
    if not re.fullmatch(r"[^\x00-\x1f\x7f]+", text):
        raise ValueError("a name is on one line, without control characters, as in Ada's agents")
    return text


class NewAccount(Strict):
    """An account to be opened."""

    name: Annotated[str, AfterValidator(_one_line)] = Field(
        min_length=1,
        max_length=200,
        description="whose account it is, on one line",
        examples=["Ada's agents"],
        json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f]+$"},
    )


@operations.post(
    "/api/account",
    body=NewAccount,
    answer=views.AccountWithKey,
    location=lambda *_: "/api/account",
    problems=("sign_up_closed",),
    example={"name": "Ada's agents"},
    open=True,
    limit=Limit("sign_up", SIGN_UPS_AN_HOUR, 3600, overall=SIGN_UPS_AN_HOUR_OF_ALL),
)
def create_account(request: Request[NewAccount, NoQuery]) -> Answer:
    """Open an account. The answer holds its first API key, and no other answer does.

    Needs no key. The operator may have closed sign-up.
    """
    account, key, clear = accounts.sign_up(request.deps, request.body.name)
    return {**account_view(account), "key_id": key.key_id, "key": clear}


@operations.get("/api/account", answer=views.Account)
def get_account(request: Request[NoBody, NoQuery]) -> Answer:
    """Show your account and its limits."""
    return account_view(accounts.account(request.deps, request.account_id))


@operations.get("/api/account/agent-token", answer=views.AgentToken)
def get_agent_token(request: Request[NoBody, NoQuery]) -> Answer:
    """Show the token by which your agent recognises us when we dial its `agent_url`."""
    return _view(agent_token.current(request.deps, request.account_id))


@operations.post(
    "/api/account/agent-token/rotate",
    answer=views.AgentToken,
    limit=Limit("rotate_agent_token", ROTATIONS_AN_HOUR, 3600),
)
def rotate_agent_token(request: Request[NoBody, NoQuery]) -> Answer:
    """Make a new agent token; the one before is not sent any more."""
    return _view(agent_token.rotate(request.deps, request.account_id))


def _view(token: AgentToken) -> dict[str, str | int]:
    return {"token": token.token, "version": token.version}
