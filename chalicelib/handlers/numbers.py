"""`/api/number…`: routing numbers."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.domain.line import LineChanges, public_view
from chalicelib.domain.phone import parse_e164
from chalicelib.http import created, json_body, no_content, path_part
from chalicelib.services import numbers

routes = Blueprint(__name__)


class Activation(BaseModel):
    """Body of `POST /api/number`."""

    model_config = ConfigDict(extra="forbid")

    country: str = Field(default="US", pattern=r"^[A-Z]{2}$")


@routes.route("/api/number", methods=["POST"])
def activate() -> Response:
    """Take a routing number from the pool."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    wish = json_body(routes.current_request, Activation)
    line = numbers.activate(ports, account_id, wish.country)
    return created(public_view(line), f"/api/number/{line.e164}")


@routes.route("/api/numbers", methods=["GET"])
def list_numbers() -> dict[str, Any]:
    """The account's numbers."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return {"numbers": [public_view(line) for line in ports.lines.held_by(account_id)]}


@routes.route("/api/number/{e164}", methods=["GET"])
def get_number(e164: str) -> dict[str, Any]:
    """One number."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return public_view(numbers.owned(ports, account_id, parse_e164(path_part(e164))))


@routes.route("/api/number/{e164}", methods=["PATCH"])
def change(e164: str) -> dict[str, Any]:
    """Set auto-answer or label."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    number = parse_e164(path_part(e164))
    changes = json_body(routes.current_request, LineChanges)
    return public_view(numbers.change(ports, account_id, number, changes))


@routes.route("/api/number/{e164}", methods=["DELETE"])
def release(e164: str) -> Response:
    """Give a number back."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    numbers.release(ports, account_id, parse_e164(path_part(e164)))
    return no_content()
