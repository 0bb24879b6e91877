"""`/api/keys`: the account's API keys."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.domain.account import ApiKey
from chalicelib.http import created, json_body, no_content, path_part
from chalicelib.services import accounts

routes = Blueprint(__name__)


class NewKey(BaseModel):
    """Body of `POST /api/keys`."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(default="", max_length=100)


@routes.route("/api/keys", methods=["GET"])
def list_keys() -> dict[str, Any]:
    """The account's keys, without their secrets."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return {"keys": [_view(key) for key in ports.accounts.keys(account_id)]}


@routes.route("/api/keys", methods=["POST"])
def create() -> Response:
    """One more key; the only answer that shows it."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    wish = json_body(routes.current_request, NewKey)
    key, clear = accounts.create_key(ports, account_id, wish.label)
    return created({**_view(key), "key": clear}, f"/api/keys/{key.key_id}")


@routes.route("/api/keys/{key_id}", methods=["DELETE"])
def revoke(key_id: str) -> Response:
    """Make a key useless."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    accounts.revoke_key(ports, account_id, path_part(key_id))
    return no_content()


def _view(key: ApiKey) -> dict[str, Any]:
    return key.model_dump(mode="json", exclude={"hash", "account_id"})
