"""`/media/attach`, `/media/report`: what relays ask and tell (docs/contracts.md)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field, TypeAdapter, model_validator

from chalicelib import bootstrap
from chalicelib.domain.agent_token import account_sid
from chalicelib.domain.call import Call, public_view
from chalicelib.domain.shape import Shape
from chalicelib.http import signed_body
from chalicelib.logs import log_context
from chalicelib.services import media
from chalicelib.services.ports import Ports
from chalicelib.store.calls import Relay

routes = Blueprint(__name__)


class Handshake(Shape):
    """The provider's WebSocket handshake as the relay saw it."""

    url: str
    signature: str | None = None


class ProviderAttach(Shape):
    """A provider's stream wants in."""

    leg: Literal["provider"]
    relay: str
    relay_url: str | None = Field(default=None, max_length=2048, pattern=r"^wss?://")
    token: str
    handshake: Handshake


class AgentAttach(Shape):
    """An agent's socket wants in."""

    leg: Literal["agent"]
    relay: str
    call_id: str
    token: str


class Report(Shape):
    """Something happened to a call's sockets, or on its keypad."""

    relay: str
    call_id: str
    type: media.Report
    digits: str | None = Field(default=None, pattern=r"^[0-9*#A-D]{1,64}$")
    sequence: int | None = Field(default=None, ge=1, lt=2**53)
    why: str | None = Field(default=None, max_length=300)

    @model_validator(mode="after")
    def _keys_and_their_place(self) -> Report:
        if self.type == "dtmf" and (self.digits is None or self.sequence is None):
            raise ValueError("a dtmf report has digits and a sequence")
        return self


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
            ports,
            Relay(request.relay, request.relay_url),
            request.token,
            handshake.url,
            handshake.signature,
        )
    else:
        attached = media.attach_agent(ports, request.relay, request.call_id, request.token)
    call = attached.call
    return {
        **_call(ports, call),
        "provider_call_id": call.provider_call_id,
        "account_sid": account_sid(call.account_id),
        "owner": attached.owner,
    }


@routes.route("/media/report", methods=["POST"])
def report() -> dict[str, Any]:
    """This happened; what is the call now?"""
    told = Report.model_validate_json(_signed_body("/media/report"))
    ports = bootstrap.ports()
    facts = media.Facts(told.digits, told.sequence, told.why)
    with log_context(call_id=told.call_id):
        return _call(ports, media.report(ports, told.relay, told.call_id, told.type, facts))


_SHOWN = ("call_id", "state", "end_reason", "direction", "from", "to", "line", "forwarded_from")


def _call(ports: Ports, call: Call) -> dict[str, Any]:
    shown = public_view(call)
    agent = media.agent_to_dial(ports, call)
    return {
        "call": {name: shown[name] for name in (*_SHOWN, "metadata")},
        "ends_at_ms": call.ends_at,
        "agent": agent and asdict(agent),
    }


def _signed_body(path: str) -> bytes:
    return signed_body(routes.current_request, path, bootstrap.config().control_secret)
