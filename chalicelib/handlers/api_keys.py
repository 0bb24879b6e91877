"""`/api/keys`: the account's API keys."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.account import key_view
from chalicelib.domain.model import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.services.account import accounts

operations = Operations("keys")

KEYS_MADE_AN_HOUR = 20


class NewKey(Strict):
    """A key to be made, and its label."""

    label: str = Field(default="", max_length=100, description="who uses it", examples=["laptop"])


@operations.get("/api/keys", answer=views.Keys)
def list_keys(request: Request[NoBody, NoQuery]) -> Answer:
    """List your API keys, oldest first, without their secrets."""
    return {
        "keys": [key_view(key) for key in request.deps.stores.accounts.keys(request.account_id)]
    }


@operations.post(
    "/api/keys",
    body=NewKey,
    answer=views.KeyWithSecret,
    location=lambda key, _: f"/api/keys/{key['key_id']}",
    problems=("too_many_keys",),
    example={"label": "laptop"},
    limit=Limit("create_key", KEYS_MADE_AN_HOUR, 3600),
    idempotent=True,
)
def create_key(request: Request[NewKey, NoQuery]) -> Answer:
    """Make one more API key. No other answer shows it."""
    key, clear = accounts.create_key(request.deps, request.account_id, request.body.label)
    return {**key_view(key), "key": clear}


@operations.delete("/api/keys/{key_id}", problems=("key_not_found", "last_key"))
def revoke_key(request: Request[NoBody, NoQuery]) -> Answer:
    """Make a key useless, at once."""
    accounts.revoke_key(request.deps, request.account_id, request.path["key_id"])
    return None
