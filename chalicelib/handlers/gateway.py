"""`/gateway/trunks/…`: which trunks the gateway registers, and how it goes (docs/contracts.md)."""

from __future__ import annotations

from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib import bootstrap
from chalicelib.domain.shape import Shape
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.http import signed_body
from chalicelib.logs import log_context
from chalicelib.services import trunks

routes = Blueprint(__name__)

_FETCHED = ("trunk_id", "revision", "host", "port", "transport", "username", "realm", "caller_id")


class ListAsked(Shape):
    """Body of `list`."""

    gateway: str
    after: str | None = Field(default=None, max_length=64)


class FetchAsked(Shape):
    """Body of `fetch`."""

    gateway: str
    trunk_id: str


class Told(Shape):
    """Body of `report`."""

    gateway: str
    trunk_id: str
    revision: int
    status: Literal["registering", "registered", "failed"]
    sip_code: int | None = Field(default=None, ge=100, le=699)
    detail: str = ""


@routes.route("/gateway/trunks/list", methods=["POST"])
def list_trunks() -> dict[str, Any]:
    """The trunks to register, a page at a time."""
    asked = ListAsked.model_validate_json(_signed_body("/gateway/trunks/list"))
    listed, more = trunks.list_for_gateway(bootstrap.ports(), asked.after)
    shown = [{"trunk_id": trunk.trunk_id, "revision": trunk.revision} for trunk in listed]
    return {"trunks": shown, "next": more}


@routes.route("/gateway/trunks/fetch", methods=["POST"])
def fetch() -> dict[str, Any]:
    """One trunk, password and all."""
    asked = FetchAsked.model_validate_json(_signed_body("/gateway/trunks/fetch"))
    with log_context(trunk_id=asked.trunk_id):
        trunk, password = trunks.fetch_for_gateway(bootstrap.ports(), asked.trunk_id)
    given = {name: getattr(trunk, name) for name in _FETCHED}
    return {"trunk": {**given, "password": password}}


@routes.route("/gateway/trunks/report", methods=["POST"])
def report() -> dict[str, Any]:
    """How a trunk's registration is doing."""
    told = Told.model_validate_json(_signed_body("/gateway/trunks/report"))
    with log_context(trunk_id=told.trunk_id, gateway=told.gateway):
        revision = trunks.report(
            bootstrap.ports(),
            told.trunk_id,
            revision=told.revision,
            status=TrunkStatus(told.status),
            sip_code=told.sip_code,
            detail=told.detail,
        )
    return {"revision": revision}


def _signed_body(path: str) -> bytes:
    return signed_body(routes.current_request, path, bootstrap.config().gateway_control_secret)
