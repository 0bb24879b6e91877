"""`/api/trunk…`: a trunk of one's own, and its numbers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from chalicelib.domain.did import Did, DidChanges, NewDid, did_view
from chalicelib.domain.phone import parse_e164
from chalicelib.domain.trunk import Trunk, inbound_uri, public_view
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, Created, Limit, NoBody, NoQuery, Operations
from chalicelib.services import dids, trunks
from chalicelib.services.ports import Ports

operations = Operations("trunks")

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
        "too_many_dids",
        "provider_not_configured",
        "trunk_rate",
        "vault_missing",
        "vault_unavailable",
    ),
    example=_EXAMPLE,
)
def connect_trunk(asked: Asked[TrunkSettings, NoQuery]) -> Answer:
    """Connect your SIP trunk (201), or set it anew as a whole (200).

    What is left out is back at its default; the trunk's numbers stay. Whether it registers
    `get_trunk` tells a few seconds later, and the events `trunk.registered` and `trunk.failed`.
    """
    ports = asked.ports
    trunk, first = trunks.connect(ports, asked.account_id, asked.body)
    view = _view(ports, trunk, ports.dids.of_trunk(trunk.trunk_id))
    return Created(view) if first else view


@operations.get("/api/trunk", answer=views.Trunk, problems=("no_trunk",))
def get_trunk(asked: Asked[NoBody, NoQuery]) -> Answer:
    """The trunk, how it is doing, and its numbers.

    `status` is how it is doing; if it is `failed`, `detail` says what to do about it.
    """
    seen = trunks.see(asked.ports, asked.account_id)
    return _view(asked.ports, seen.trunk, seen.dids)


@operations.delete("/api/trunk", problems=("no_trunk",))
def disconnect_trunk(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Forget the trunk and its numbers; calls that are up go on."""
    trunks.disconnect(asked.ports, asked.account_id)
    return None


@operations.post(
    "/api/trunk/dids",
    body=NewDid,
    answer=views.Did,
    location=lambda did: f"/api/trunk/dids/{did['e164']}",
    problems=("no_trunk", "number_taken", "too_many_dids"),
    example={"e164": "+33199005678", "label": "Desk", "auto_answer": True},
    limit=Limit("add_did", 200, 3600),
    idempotent=True,
)
def add_did(asked: Asked[NewDid, NoQuery]) -> Answer:
    """Add a number of yours (DID) on which calls come in through the trunk."""
    return did_view(dids.add(asked.ports, asked.account_id, asked.body))


@operations.get(
    "/api/trunk/dids/{e164}", answer=views.Did, problems=("no_trunk", "number_not_found")
)
def get_did(asked: Asked[NoBody, NoQuery]) -> Answer:
    """One number of the trunk."""
    return did_view(dids.owned(asked.ports, asked.account_id, _number(asked)))


@operations.patch(
    "/api/trunk/dids/{e164}",
    body=DidChanges,
    answer=views.Did,
    problems=("no_trunk", "number_not_found"),
    example={"auto_answer": False},
)
def change_did(asked: Asked[DidChanges, NoQuery]) -> Answer:
    """Set auto-answer, label or agent URL of a number; what is not given stays."""
    return did_view(dids.change(asked.ports, asked.account_id, _number(asked), asked.body))


@operations.delete("/api/trunk/dids/{e164}", problems=("no_trunk", "number_not_found"))
def remove_did(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Take a number off the trunk; calls to it are rejected from then on."""
    dids.remove(asked.ports, asked.account_id, _number(asked))
    return None


def _number(asked: Asked[BaseModel, BaseModel]) -> str:
    return parse_e164(asked.path["e164"])


def _view(ports: Ports, trunk: Trunk, numbers: list[Did]) -> dict[str, Any]:
    view = {**public_view(trunk), "dids": [did_view(did) for did in numbers]}
    if trunk.provider == "twilio" and ports.twilio_sip_domain:
        view["inbound_uri"] = inbound_uri(ports.twilio_sip_domain)
    return view
