"""`/api/keys`: the account's API keys."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.account import key_view
from chalicelib.domain.shape import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, Limit, NoBody, NoQuery, Operations
from chalicelib.services import accounts

operations = Operations("keys")


class NewKey(Strict):
    """What to call the key."""

    label: str = Field(default="", max_length=100, description="who uses it", examples=["laptop"])


@operations.get("/api/keys", answer=views.Keys)
def list_keys(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Your API keys, oldest first, without their secrets."""
    return {"keys": [key_view(key) for key in asked.ports.accounts.keys(asked.account_id)]}


@operations.post(
    "/api/keys",
    body=NewKey,
    answer=views.KeyWithSecret,
    location=lambda key: f"/api/keys/{key['key_id']}",
    problems=("too_many_keys",),
    example={"label": "laptop"},
    limit=Limit("create_key", 20, 3600),
    idempotent=True,
)
def create_key(asked: Asked[NewKey, NoQuery]) -> Answer:
    """Make one more API key. No other answer shows it."""
    key, clear = accounts.create_key(asked.ports, asked.account_id, asked.body.label)
    return {**key_view(key), "key": clear}


@operations.delete("/api/keys/{key_id}", problems=("key_not_found", "last_key"))
def revoke_key(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Make a key useless, at once."""
    accounts.revoke_key(asked.ports, asked.account_id, asked.path["key_id"])
    return None
