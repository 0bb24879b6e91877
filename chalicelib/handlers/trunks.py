"""`/api/trunks…`: the account's own trunks, and their numbers; `/api/trunk…` is the one called
`main`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from chalicelib.domain.did import Did, DidChanges, NewDid, did_view
from chalicelib.domain.phone import parse_e164
from chalicelib.domain.trunk import Trunk, inbound_uri, public_view
from chalicelib.domain.trunk_fields import MAIN, parse_name
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.handlers import trunk_views as views
from chalicelib.handlers.numbers import VOICE_PROBLEMS
from chalicelib.handlers.operation import (
    Answer,
    Created,
    Limit,
    NoBody,
    NoQuery,
    Operations,
    Request,
    Run,
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


def _for_each(method: str, path: str, named: str, **declared: Any) -> Callable[[Run], Run]:
    """Declare an operation twice: on the trunk called `main`, at `/api/trunk` and `path`, and on
    any trunk, at `/api/trunks/{name}` and `path`, where it is called `named`.
    """

    def decorate(run: Run) -> Run:
        def run_named(request: Request[Any, Any]) -> Answer:
            return run(request)

        run_named.__name__ = named
        run_named.__doc__ = run.__doc__
        declare = getattr(operations, method)
        declare(f"/api/trunks/{{name}}{path}", **declared)(run_named)
        run.__doc__ = f"{run.__doc__}\n\n    It is the trunk called `{MAIN}`."
        declare(f"/api/trunk{path}", **declared)(run)
        return run

    return decorate


@operations.get("/api/trunks", answer=views.Trunks)
def list_trunks(request: Request[NoBody, NoQuery]) -> Answer:
    """List your trunks with their numbers: `main` first, then by name."""
    found = trunks.see_all(request.deps, request.account_id)
    return {"trunks": [_view(request.deps, each.trunk, each.dids) for each in found]}


@operations.get("/api/trunk-presets", answer=views.TrunkPresets, open=True)
def list_trunk_presets(request: Request[NoBody, NoQuery]) -> Answer:  # noqa: ARG001 - all are alike
    """List the settings that trunks of known carriers and PBXs need.

    Send `settings` of one with what it asks for as the body of `connect_named_trunk`. Needs no key.
    """
    # The models of all presets are made at this import: a cold start should not pay for them.
    from chalicelib.domain.trunk_presets import PRESETS

    return {"presets": [preset.model_dump(mode="json") for preset in PRESETS]}


@_for_each(
    "put",
    "",
    "connect_named_trunk",
    body=TrunkSettings,
    answer=views.Trunk,
    location=lambda _, path: _trunk_path(path),
    problems=(
        "number_taken",
        "number_reserved",
        "too_many_dids",
        "too_many_trunks",
        "provider_not_configured",
        "trunk_rate",
        "vault_missing",
        "vault_unavailable",
    ),
    example=_EXAMPLE,
)
def connect_trunk(request: Request[TrunkSettings, NoQuery]) -> Answer:
    """Connect a SIP trunk of yours (201), or replace all its settings (200).

    Settings that are left out return to their defaults; the trunk's numbers stay. A few seconds
    later its `status` shows whether it registers or answers, as do the events `trunk.registered`
    and `trunk.failed`.
    """
    deps = request.deps
    trunk, first = trunks.connect(deps, request.account_id, request.body, _name(request))
    view = _view(deps, trunk, deps.stores.dids.of_trunk(trunk.trunk_id))
    return Created(view) if first else view


@_for_each("get", "", "get_named_trunk", answer=views.Trunk, problems=("no_trunk",))
def get_trunk(request: Request[NoBody, NoQuery]) -> Answer:
    """Show a trunk and its numbers.

    `status` tells whether calls can go through it; if it is `failed`, `detail` says what to do
    about it.
    """
    found = trunks.see(request.deps, request.account_id, _name(request))
    return _view(request.deps, found.trunk, found.dids)


@_for_each("delete", "", "disconnect_named_trunk", problems=("no_trunk",))
def disconnect_trunk(request: Request[NoBody, NoQuery]) -> Answer:
    """Delete a trunk and its numbers; calls that are up go on."""
    trunks.disconnect(request.deps, request.account_id, _name(request))
    return None


@_for_each(
    "post",
    "/dids",
    "add_did_of_named_trunk",
    body=NewDid,
    answer=views.Did,
    location=lambda did, path: f"{_trunk_path(path)}/dids/{did['e164']}",
    problems=("no_trunk", "number_taken", "number_reserved", "too_many_dids", *VOICE_PROBLEMS),
    example={"e164": "+33199005678", "label": "Desk", "auto_answer": True},
    limit=Limit("add_did", DIDS_ADDED_AN_HOUR, 3600),
    idempotent=True,
)
def add_did(request: Request[NewDid, NoQuery]) -> Answer:
    """Add a number of yours (DID) on which calls come in through the trunk."""
    return did_view(dids.add(request.deps, request.account_id, request.body, _name(request)))


@_for_each(
    "get",
    "/dids/{e164}",
    "get_did_of_named_trunk",
    answer=views.Did,
    problems=("no_trunk", "number_not_found"),
)
def get_did(request: Request[NoBody, NoQuery]) -> Answer:
    """Show a number of the trunk."""
    e164, name = _number(request), _name(request)
    return did_view(dids.owned(request.deps, request.account_id, e164, name))


@_for_each(
    "patch",
    "/dids/{e164}",
    "change_did_of_named_trunk",
    body=DidChanges,
    answer=views.Did,
    problems=("no_trunk", "number_not_found", *VOICE_PROBLEMS),
    example={"auto_answer": False},
)
def change_did(request: Request[DidChanges, NoQuery]) -> Answer:
    """Set auto-answer, label, agent URL or voice of a number; what is not given stays."""
    e164, name = _number(request), _name(request)
    return did_view(dids.change(request.deps, request.account_id, e164, request.body, name))


@_for_each(
    "delete",
    "/dids/{e164}",
    "remove_did_of_named_trunk",
    problems=("no_trunk", "number_not_found"),
)
def remove_did(request: Request[NoBody, NoQuery]) -> Answer:
    """Take a number off the trunk; calls to it are rejected from then on."""
    dids.remove(request.deps, request.account_id, _number(request), _name(request))
    return None


def _number(request: Request[BaseModel, BaseModel]) -> str:
    return parse_e164(request.path["e164"])


def _name(request: Request[BaseModel, BaseModel]) -> str:
    return parse_name(request.path.get("name", MAIN))


def _trunk_path(path: Any) -> str:
    return f"/api/trunks/{path['name']}" if "name" in path else "/api/trunk"


def _view(deps: Dependencies, trunk: Trunk, numbers: list[Did]) -> dict[str, Any]:
    view = {**public_view(trunk), "dids": [did_view(did) for did in numbers]}
    if trunk.provider == "twilio" and deps.settings.twilio_sip_domain:
        view["inbound_uri"] = inbound_uri(deps.settings.twilio_sip_domain)
    return view
