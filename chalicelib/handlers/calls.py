"""`/api/call…`: dial, see calls, answer, refuse, hang up."""

from __future__ import annotations

from typing import Any, Literal

from chalice.app import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.domain.call import Call, CallState, Direction, public_view
from chalicelib.domain.dialling import DEFAULT_RING_TIMEOUT_S, MIN_CALL_S, RING_TIMEOUT_S
from chalicelib.domain.instant import to_text
from chalicelib.domain.metadata import Metadata
from chalicelib.domain.phone import E164
from chalicelib.domain.trunk import AgentUrl
from chalicelib.http import created, json_body, path_part
from chalicelib.services import answer, call_list, decline, dial, leave
from chalicelib.services.media import agent_token
from chalicelib.services.ports import Ports
from chalicelib.services.transition import own_call

routes = Blueprint(__name__)

AUDIO = {
    "format": "pcm_s16le",
    "sample_rate": 16000,
    "channels": 1,
    "frame_duration_ms": 20,
    "frame_bytes": 640,
}


class NewCall(BaseModel):
    """Body of `POST /api/call`."""

    model_config = ConfigDict(extra="forbid")

    platform: Literal["sip"]
    meeting_url: str = Field(max_length=255)
    caller_id: E164 | None = None
    agent_url: AgentUrl | None = None
    metadata: Metadata = Field(default_factory=dict)
    max_duration_s: int | None = Field(default=None, ge=MIN_CALL_S)
    ring_timeout_s: int = Field(
        default=DEFAULT_RING_TIMEOUT_S, ge=RING_TIMEOUT_S[0], le=RING_TIMEOUT_S[1]
    )


class ListQuery(BaseModel):
    """Query of `GET /api/calls`."""

    model_config = ConfigDict(extra="forbid")

    state: CallState | None = None
    direction: Direction | None = None
    limit: int = Field(default=50, ge=1, le=call_list.MAX_LIMIT)
    cursor: str | None = None


@routes.route("/api/call", methods=["POST"])
def new_call() -> Response:
    """Dial out through the account's trunk."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    body = json_body(routes.current_request, NewCall)
    call = dial.dial(ports, account_id, dial.Wish(**body.model_dump(exclude={"platform"})))
    return created(_view(ports, call), f"/api/call/{call.call_id}")


@routes.route("/api/calls", methods=["GET"])
def list_calls() -> dict[str, Any]:
    """An account's calls, newest first."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    query = ListQuery.model_validate(routes.current_request.query_params or {})
    calls, cursor = call_list.page(ports, account_id, **query.model_dump())
    return {"calls": [_view(ports, call) for call in calls], "next_cursor": cursor}


@routes.route("/api/call/{call_id}", methods=["GET"])
def get_call(call_id: str) -> dict[str, Any]:
    """One call as it is."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return _view(ports, own_call(ports, account_id, path_part(call_id)))


@routes.route("/api/call/{call_id}/accept", methods=["POST"])
def accept(call_id: str) -> dict[str, Any]:
    """Answer a ringing call."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return _view(ports, answer.accept(ports, account_id, path_part(call_id)))


@routes.route("/api/call/{call_id}/refuse", methods=["POST"])
def refuse(call_id: str) -> dict[str, Any]:
    """Decline a ringing call."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return _view(ports, decline.refuse(ports, account_id, path_part(call_id)))


@routes.route("/api/call/{call_id}/leave", methods=["POST"])
def hang_up(call_id: str) -> dict[str, Any]:
    """Hang up."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    return _view(ports, leave.leave(ports, account_id, path_part(call_id)))


def _view(ports: Ports, call: Call) -> dict[str, Any]:
    return {**public_view(call), "audio": None if call.state.final else _audio(ports, call)}


def _audio(ports: Ports, call: Call) -> dict[str, Any]:
    token, expires = agent_token(ports, call)
    return {
        # Without the token: URLs end up in logs.
        "url": f"{ports.relay_url}/media/agent/{call.call_id}",
        "token": token,
        "expires_at": to_text(expires * 1000),
        **AUDIO,
    }
