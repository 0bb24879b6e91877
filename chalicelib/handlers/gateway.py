"""`/gateway/trunks/…`: the trunks that the gateway connects, and its reports
(docs/contracts.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib import bootstrap
from chalicelib.domain.model import Model
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.http import signed_body
from chalicelib.logs import log_context
from chalicelib.services.line import gateway_leases, gateway_trunks

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


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class LeaseRequest(Model):
    """Body of `lease`: `machine` is the gateway's name, also if several processes are one gateway;
    `url` is where the application reaches it."""

    gateway: str
    machine: Name
    url: str = Field(max_length=255, pattern=r"^https?://[^/\s?#]+$")
    draining: bool = False
    leaving: bool = False


class ListRequest(Model):
    """Body of `list`."""

    gateway: str
    machine: Name | None = None
    after: str | None = Field(default=None, max_length=64)


class FetchRequest(Model):
    """Body of `fetch`."""

    gateway: str
    machine: Name | None = None
    trunk_id: str


class TrunkReport(Model):
    """Body of `report`."""

    gateway: str
    machine: Name | None = None
    trunk_id: str
    revision: int
    status: Literal["registering", "registered", "ready", "failed"]
    sip_code: int | None = Field(default=None, ge=100, le=699)
    detail: str = ""


class ShedReport(Model):
    """Body of `shed`."""

    gateway: str
    machine: Name | None = None
    trunk_id: str
    count: int = Field(ge=1, le=1_000_000)
    at_ms: int = Field(ge=0)


@routes.route("/gateway/trunks/lease", methods=["POST"])
def lease() -> dict[str, Any]:
    """Renew a gateway's lease, or end it: only where there are several gateways."""
    asked = LeaseRequest.model_validate_json(_signed_body("/gateway/trunks/lease"))
    deps = bootstrap.dependencies()
    if asked.leaving:
        gateway_leases.leave(deps, asked.machine, asked.url)
        return {"division": "", "again_ms": 0}
    standing = gateway_leases.renew(deps, asked.machine, asked.url, draining=asked.draining)
    return {"division": standing.division, "again_ms": standing.again_ms}


@routes.route("/gateway/trunks/list", methods=["POST"])
def list_trunks() -> dict[str, Any]:
    """List the trunks, a page at a time; `ours` says which of them the gateway is to connect."""
    request = ListRequest.model_validate_json(_signed_body("/gateway/trunks/list"))
    deps = bootstrap.dependencies()
    listed, more = gateway_trunks.list_trunks(deps, request.after)
    ours = _ours(request.machine)
    shown = [
        {"trunk_id": each.trunk_id, "revision": each.revision, **ours(each.trunk_id)}
        for each in listed
    ]
    return {"trunks": shown, "next": more}


@routes.route("/gateway/trunks/fetch", methods=["POST"])
def fetch() -> dict[str, Any]:
    """Return a trunk with its password, null if it has none."""
    request = FetchRequest.model_validate_json(_signed_body("/gateway/trunks/fetch"))
    with log_context(trunk_id=request.trunk_id):
        trunk, password = gateway_trunks.fetch(bootstrap.dependencies(), request.trunk_id)
    shown = {**trunk.model_dump(mode="json", include=_FETCHED), "password": password}
    return {"trunk": shown, **_ours(request.machine)(trunk.trunk_id)}


@routes.route("/gateway/trunks/report", methods=["POST"])
def report() -> dict[str, Any]:
    """Note a trunk's status, as the gateway reports it."""
    posted = TrunkReport.model_validate_json(_signed_body("/gateway/trunks/report"))
    with log_context(trunk_id=posted.trunk_id, gateway=posted.gateway):
        revision = gateway_trunks.report(
            bootstrap.dependencies(),
            posted.trunk_id,
            machine=posted.machine,
            revision=posted.revision,
            status=TrunkStatus(posted.status),
            sip_code=posted.sip_code,
            detail=posted.detail,
        )
    return {"revision": revision}


@routes.route("/gateway/trunks/shed", methods=["POST"])
def shed() -> dict[str, Any]:
    """Note that the gateway refused calls of a trunk while the application was behind."""
    posted = ShedReport.model_validate_json(_signed_body("/gateway/trunks/shed"))
    with log_context(trunk_id=posted.trunk_id, gateway=posted.gateway):
        gateway_trunks.note_shed(
            bootstrap.dependencies(), posted.trunk_id, posted.count, posted.at_ms
        )
    return {}


def _ours(machine: str | None) -> Callable[[str], dict[str, bool]]:
    """Return what is added about a trunk: `ours`, where there are several gateways."""
    deps = bootstrap.dependencies()
    if not deps.settings.many_gateways:
        return lambda _: {}
    leases = gateway_leases.present(deps)
    return lambda trunk_id: {"ours": gateway_leases.is_to_register(deps, machine, trunk_id, leases)}


def _signed_body(path: str) -> bytes:
    return signed_body(routes.current_request, path, bootstrap.config().gateway_control_secret)
