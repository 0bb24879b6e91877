"""`/gateway/trunks/…`: the trunks that the gateway connects, and its reports
(docs/contracts.md).
"""

from __future__ import annotations

from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib import bootstrap
from chalicelib.domain.model import Model
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.http import signed_body
from chalicelib.logs import log_context
from chalicelib.services.line import gateway_trunks

routes = Blueprint(__name__)

_FETCHED = {
    "trunk_id",
    "revision",
    "name",
    "host",
    "port",
    "transport",
    "username",
    "realm",
    "caller_id",
    "auth",
    "networks",
    "srtp",
    "outbound_proxy",
    "user_phone",
    "caller_id_in",
    "keep_alive",
}
"""Fields of a trunk that the gateway needs; what is about numbers stays here."""


class ListRequest(Model):
    """Body of `list`."""

    gateway: str
    after: str | None = Field(default=None, max_length=64)


class FetchRequest(Model):
    """Body of `fetch`."""

    gateway: str
    trunk_id: str


class TrunkReport(Model):
    """Body of `report`."""

    gateway: str
    trunk_id: str
    revision: int
    status: Literal["registering", "registered", "ready", "failed"]
    sip_code: int | None = Field(default=None, ge=100, le=699)
    detail: str = ""


@routes.route("/gateway/trunks/list", methods=["POST"])
def list_trunks() -> dict[str, Any]:
    """List the trunks to connect, a page at a time."""
    request = ListRequest.model_validate_json(_signed_body("/gateway/trunks/list"))
    listed, more = gateway_trunks.list_trunks(bootstrap.dependencies(), request.after)
    shown = [{"trunk_id": trunk.trunk_id, "revision": trunk.revision} for trunk in listed]
    return {"trunks": shown, "next": more}


@routes.route("/gateway/trunks/fetch", methods=["POST"])
def fetch() -> dict[str, Any]:
    """Return a trunk with its password, null if it has none."""
    request = FetchRequest.model_validate_json(_signed_body("/gateway/trunks/fetch"))
    with log_context(trunk_id=request.trunk_id):
        trunk, password = gateway_trunks.fetch(bootstrap.dependencies(), request.trunk_id)
    return {"trunk": {**trunk.model_dump(mode="json", include=_FETCHED), "password": password}}


@routes.route("/gateway/trunks/report", methods=["POST"])
def report() -> dict[str, Any]:
    """Note a trunk's status, as the gateway reports it."""
    posted = TrunkReport.model_validate_json(_signed_body("/gateway/trunks/report"))
    with log_context(trunk_id=posted.trunk_id, gateway=posted.gateway):
        revision = gateway_trunks.report(
            bootstrap.dependencies(),
            posted.trunk_id,
            revision=posted.revision,
            status=TrunkStatus(posted.status),
            sip_code=posted.sip_code,
            detail=posted.detail,
        )
    return {"revision": revision}


def _signed_body(path: str) -> bytes:
    return signed_body(routes.current_request, path, bootstrap.config().gateway_control_secret)
