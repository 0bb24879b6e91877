"""`/api/trunk…`: a trunk of one's own, and its numbers."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.domain.phone import parse_e164
from chalicelib.domain.trunk import (
    Did,
    DidChanges,
    NewDid,
    Trunk,
    TrunkSettings,
    did_view,
    inbound_uri,
    public_view,
)
from chalicelib.http import created, json_body, no_content, path_part
from chalicelib.services import dids, trunks
from chalicelib.services.ports import Ports

routes = Blueprint(__name__)


@routes.route("/api/trunk", methods=["PUT"])
def connect() -> Response | dict[str, Any]:
    """Connect the account's trunk, or set it anew as a whole."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    settings = json_body(routes.current_request, TrunkSettings)
    trunk, first = trunks.connect(ports, account_id, settings)
    view = _view(ports, trunk, ports.trunks.dids(trunk.trunk_id))
    return created(view, "/api/trunk") if first else view


@routes.route("/api/trunk", methods=["GET"])
def see() -> dict[str, Any]:
    """The trunk, how it is doing, and its numbers."""
    ports = bootstrap.ports()
    seen = trunks.see(ports, account(ports, routes.current_request))
    return _view(ports, seen.trunk, seen.dids)


@routes.route("/api/trunk", methods=["DELETE"])
def disconnect() -> Response:
    """Forget the trunk and its numbers."""
    ports = bootstrap.ports()
    trunks.disconnect(ports, account(ports, routes.current_request))
    return no_content()


@routes.route("/api/trunk/dids", methods=["POST"])
def add_did() -> Response:
    """A number on which calls come in through the trunk."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    did = dids.add(ports, account_id, json_body(routes.current_request, NewDid))
    return created(did_view(did), f"/api/trunk/dids/{did.e164}")


@routes.route("/api/trunk/dids/{e164}", methods=["GET"])
def get_did(e164: str) -> dict[str, Any]:
    """One number."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return did_view(dids.owned(ports, account_id, parse_e164(path_part(e164))))


@routes.route("/api/trunk/dids/{e164}", methods=["PATCH"])
def change_did(e164: str) -> dict[str, Any]:
    """Set auto-answer, label or agent URL."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    number = parse_e164(path_part(e164))
    changes = json_body(routes.current_request, DidChanges)
    return did_view(dids.change(ports, account_id, number, changes))


@routes.route("/api/trunk/dids/{e164}", methods=["DELETE"])
def remove_did(e164: str) -> Response:
    """No longer take calls to a number."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    dids.remove(ports, account_id, parse_e164(path_part(e164)))
    return no_content()


def _view(ports: Ports, trunk: Trunk, numbers: list[Did]) -> dict[str, Any]:
    view = {**public_view(trunk), "dids": [did_view(did) for did in numbers]}
    if trunk.provider == "twilio" and ports.twilio_sip_domain:
        view["inbound_uri"] = inbound_uri(ports.twilio_sip_domain)
    return view
