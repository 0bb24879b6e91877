"""`/media/attach`, `/media/report`: what relays ask and tell (docs/contracts.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import BaseModel, Field, TypeAdapter

from chalicelib import bootstrap
from chalicelib.domain.call import Call, public_view
from chalicelib.http import signed_body
from chalicelib.logs import log_context
from chalicelib.services import media

routes = Blueprint(__name__)


class Handshake(BaseModel):
    """The provider's WebSocket handshake as the relay saw it."""

    url: str
    signature: str | None = None


class ProviderAttach(BaseModel):
    """A provider's stream wants in."""

    leg: Literal["provider"]
    relay: str
    token: str
    handshake: Handshake


class AgentAttach(BaseModel):
    """An agent's socket wants in."""

    leg: Literal["agent"]
    relay: str
    call_id: str
    token: str


class Report(BaseModel):
    """Something happened to a call's sockets."""

    relay: str
    call_id: str
    type: media.Report


_attach: TypeAdapter[ProviderAttach | AgentAttach] = TypeAdapter(
    Annotated[ProviderAttach | AgentAttach, Field(discriminator="leg")]
)


@routes.route("/media/attach", methods=["POST"])
def attach() -> dict[str, Any]:
    """May this socket come in?"""
    request = _attach.validate_json(_signed_body("/media/attach"))
    ports = bootstrap.ports()
    if isinstance(request, ProviderAttach):
        handshake = request.handshake
        attached = media.attach_provider(
            ports, request.relay, request.token, handshake.url, handshake.signature
        )
    else:
        attached = media.attach_agent(ports, request.relay, request.call_id, request.token)
    return {
        **_call(attached.call),
        "provider_call_id": attached.call.provider_call_id,
        "owner": attached.owner,
    }


@routes.route("/media/report", methods=["POST"])
def report() -> dict[str, Any]:
    """This happened; what is the call now?"""
    told = Report.model_validate_json(_signed_body("/media/report"))
    with log_context(call_id=told.call_id):
        return _call(media.report(bootstrap.ports(), told.relay, told.call_id, told.type))


def _call(call: Call) -> dict[str, Any]:
    shown = public_view(call)
    wanted = ("call_id", "state", "end_reason", "direction", "from", "to", "line", "metadata")
    return {"call": {name: shown[name] for name in wanted}, "ends_at_ms": call.ends_at}


def _signed_body(path: str) -> bytes:
    return signed_body(routes.current_request, path, bootstrap.config().control_secret)
