"""`/api/trunk…`: the account's own trunk, and its numbers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from chalicelib.domain.did import Did, DidChanges, NewDid, did_view
from chalicelib.domain.phone import parse_e164
from chalicelib.domain.trunk import Trunk, inbound_uri, public_view
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.handlers import views
from chalicelib.handlers.operation import (
    Answer,
    Created,
    Limit,
    NoBody,
    NoQuery,
    Operations,
    Request,
)
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import dids, trunks

operations = Operations("trunks")

DIDS_ADDED_AN_HOUR = 200

_EXAMPLE = {
    "host": "sip.carrier.example",
    "username": "acct42",
    "password": "the password of the account",
    "caller_id": "+33199005678",
}


@operations.put(
    "/api/trunk",
    body=TrunkSettings,
    answer=views.Trunk,
    location=lambda _: "/api/trunk",
    problems=(
        "number_taken",
        "number_reserved",
        "too_many_dids",
        "provider_not_configured",
        "trunk_rate",
        "vault_missing",
        "vault_unavailable",
    ),
    example=_EXAMPLE,
)
def connect_trunk(request: Request[TrunkSettings, NoQuery]) -> Answer:
    """Connect your SIP trunk (201), or replace all its settings (200).

    Settings that are left out return to their defaults; the trunk's numbers stay. A few seconds
    later `get_trunk` shows whether it registers, as do the events `trunk.registered` and
    `trunk.failed`.
    """
    deps = request.deps
    trunk, first = trunks.connect(deps, request.account_id, request.body)
    view = _view(deps, trunk, deps.stores.dids.of_trunk(trunk.trunk_id))
    return Created(view) if first else view


@operations.get("/api/trunk", answer=views.Trunk, problems=("no_trunk",))
def get_trunk(request: Request[NoBody, NoQuery]) -> Answer:
    """Show the trunk and its numbers.

    `status` is that of its registration; if it is `failed`, `detail` says what to do about it.
    """
    found = trunks.see(request.deps, request.account_id)
    return _view(request.deps, found.trunk, found.dids)


@operations.delete("/api/trunk", problems=("no_trunk",))
def disconnect_trunk(request: Request[NoBody, NoQuery]) -> Answer:
    """Delete the trunk and its numbers; calls that are up go on."""
    trunks.disconnect(request.deps, request.account_id)
    return None


@operations.post(
    "/api/trunk/dids",
    body=NewDid,
    answer=views.Did,
    location=lambda did: f"/api/trunk/dids/{did['e164']}",
    problems=("no_trunk", "number_taken", "number_reserved", "too_many_dids"),
    example={"e164": "+33199005678", "label": "Desk", "auto_answer": True},
    limit=Limit("add_did", DIDS_ADDED_AN_HOUR, 3600),
    idempotent=True,
)
def add_did(request: Request[NewDid, NoQuery]) -> Answer:
    """Add a number of yours (DID) on which calls come in through the trunk."""
    return did_view(dids.add(request.deps, request.account_id, request.body))


@operations.get(
    "/api/trunk/dids/{e164}", answer=views.Did, problems=("no_trunk", "number_not_found")
)
def get_did(request: Request[NoBody, NoQuery]) -> Answer:
    """Show a number of the trunk."""
    return did_view(dids.owned(request.deps, request.account_id, _number(request)))


@operations.patch(
    "/api/trunk/dids/{e164}",
    body=DidChanges,
    answer=views.Did,
    problems=("no_trunk", "number_not_found"),
    example={"auto_answer": False},
)
def change_did(request: Request[DidChanges, NoQuery]) -> Answer:
    """Set auto-answer, label or agent URL of a number; what is not given stays."""
    return did_view(dids.change(request.deps, request.account_id, _number(request), request.body))


@operations.delete("/api/trunk/dids/{e164}", problems=("no_trunk", "number_not_found"))
def remove_did(request: Request[NoBody, NoQuery]) -> Answer:
    """Take a number off the trunk; calls to it are rejected from then on."""
    dids.remove(request.deps, request.account_id, _number(request))
    return None


def _number(request: Request[BaseModel, BaseModel]) -> str:
    return parse_e164(request.path["e164"])


def _view(deps: Dependencies, trunk: Trunk, numbers: list[Did]) -> dict[str, Any]:
    view = {**public_view(trunk), "dids": [did_view(did) for did in numbers]}
    if trunk.provider == "twilio" and deps.settings.twilio_sip_domain:
        view["inbound_uri"] = inbound_uri(deps.settings.twilio_sip_domain)
    return view
