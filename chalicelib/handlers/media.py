"""`/media/…`: questions and reports of relays (docs/contracts.md)."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from chalicelib import bootstrap
from chalicelib.domain.agent import MAX_WHY, account_sid
from chalicelib.domain.answered import AnsweredBy, EndedBy, Found
from chalicelib.domain.call import Call
from chalicelib.domain.model import Model
from chalicelib.http import signed_body
from chalicelib.logs import log_context
from chalicelib.services.call import media
from chalicelib.services.call.relay_news import told_to_relay
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.call_media import Relay

routes = Blueprint(__name__)


class Handshake(Model):
    """The provider's WebSocket handshake as the relay saw it."""

    url: str
    signature: str | None = None


class ProviderAttach(Model):
    """A request to let a provider's stream in."""

    leg: Literal["provider"]
    relay: str
    relay_url: str | None = Field(default=None, max_length=2048, pattern=r"^wss?://")
    door_url: str | None = Field(default=None, max_length=2048, pattern=r"^https?://")
    token: str
    handshake: Handshake


class AgentAttach(Model):
    """A request to let an agent's socket in."""

    leg: Literal["agent"]
    relay: str
    call_id: str
    token: str


Why = Annotated[str, BeforeValidator(lambda why: why[:MAX_WHY] if isinstance(why, str) else why)]
"""A reason, cut to what is kept: for its length, a report must not be refused and come for ever."""


class Report(Model):
    """A report about a call's sockets or its pressed keys."""

    relay: str
    call_id: str
    type: media.Report
    digits: str | None = Field(default=None, pattern=r"^[0-9*#A-D]{1,64}$")
    sequence: int | None = Field(default=None, ge=1, lt=2**53)
    why: Why | None = None
    line: int | None = Field(default=None, ge=0, lt=2**53)
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None
    at_ms: int | None = Field(default=None, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _keys_and_their_place(self) -> Report:
        if self.type == "dtmf" and (self.digits is None or self.sequence is None):
            raise ValueError("a dtmf report has digits and a sequence")
        if (self.type == "answered_by") != (self.answered_by is not None):
            raise ValueError("an answered_by report says by whom, and no other does")
        if (self.type == "greeting_ended") != (self.ended_by is not None):
            raise ValueError("a greeting_ended report says by what, and no other does")
        return self

    @property
    def found(self) -> Found | None:
        """Return what was found out of the answer. The end of a greeting says that it is a
        machine's, whatever became of the report before it.
        """
        if self.type == "greeting_ended":
            return Found("machine", self.ended_by, self.at_ms)
        return Found(self.answered_by, None, self.at_ms) if self.answered_by else None


MAX_SEGMENTS = 16
"""Segments of a recording for which a relay asks at a time."""
MAX_START_MS = 25 * 3600 * 1000
"""The latest begin of a segment: calls are at most a day long."""


class RecordingReport(Model):
    """A question where the segments go that begin at these times, or the word that no more come."""

    relay: str
    call_id: str
    recording_id: str
    starts_ms: list[Annotated[int, Field(ge=0, le=MAX_START_MS)]] = Field(
        default_factory=list, max_length=MAX_SEGMENTS
    )
    over: bool = False

    @model_validator(mode="after")
    def _asks_or_tells(self) -> RecordingReport:
        if bool(self.starts_ms) == self.over:
            raise ValueError("either starts_ms or over is wanted")
        return self


_attach: TypeAdapter[ProviderAttach | AgentAttach] = TypeAdapter(
    Annotated[ProviderAttach | AgentAttach, Field(discriminator="leg")]
)


@routes.route("/media/attach", methods=["POST"])
def attach() -> dict[str, Any]:
    """Answer whether a socket may come in."""
    request = _attach.validate_json(_signed_body("/media/attach"))
    deps = bootstrap.dependencies()
    if isinstance(request, ProviderAttach):
        handshake = request.handshake
        attached = media.attach_provider(
            deps,
            Relay(request.relay, request.relay_url, request.door_url),
            request.token,
            handshake.url,
            handshake.signature,
        )
    else:
        attached = media.attach_agent(deps, request.relay, request.call_id, request.token)
    call = attached.call
    return {
        **_call(deps, call),
        "provider_call_id": call.provider_call_id,
        "account_sid": account_sid(call.account_id),
        "owner": attached.owner,
        "agent_detail": call.agent_detail,
    }


@routes.route("/media/report", methods=["POST"])
def report() -> dict[str, Any]:
    """Note what happened to a call's sockets; return the call as it is now."""
    posted = Report.model_validate_json(_signed_body("/media/report"))
    deps = bootstrap.dependencies()
    facts = media.Facts(posted.digits, posted.sequence, posted.why, posted.line, posted.found)
    with log_context(call_id=posted.call_id):
        return _call(deps, media.report(deps, posted.relay, posted.call_id, posted.type, facts))


@routes.route("/media/facts", methods=["POST"])
def facts() -> dict[str, str]:
    """Keep what a relay tells of the audio of a call."""
    from chalicelib.services.call import facts as service  # most processes get no such report

    report = service.read_report(_signed_body("/media/facts"))
    with log_context(call_id=report.call_id):
        service.take_report(bootstrap.dependencies(), report)
    return {}


@routes.route("/media/recording", methods=["POST"])
def recording() -> dict[str, Any]:
    """Answer where segments go; compose a recording that is over."""
    posted = RecordingReport.model_validate_json(_signed_body("/media/recording"))
    from chalicelib.services.call import recordings  # most calls are not recorded

    deps, call_id = bootstrap.dependencies(), posted.call_id
    with log_context(call_id=call_id):
        if posted.over:
            recordings.uploaded(deps, call_id, posted.recording_id)
            return {}
        urls = recordings.upload_urls(deps, call_id, posted.recording_id, posted.starts_ms)
    return {"uploads": {str(start): {"url": url} for start, url in urls.items()}}


class WantedClip(Model):
    """A request for the audio of a clip that a call's far end is to hear."""

    relay: str
    call_id: str
    clip_id: str = Field(max_length=128)


@routes.route("/media/clip", methods=["POST"])
def clip() -> dict[str, str]:
    """Return the mu-law of a clip, in base64."""
    from chalicelib.services.call import clips  # few calls need it

    wanted = WantedClip.model_validate_json(_signed_body("/media/clip"))
    ulaw = clips.audio_for_relay(bootstrap.dependencies(), wanted.call_id, wanted.clip_id)
    return {"ulaw": base64.b64encode(ulaw).decode()}


VOICE_HOST = {"dialect": "chamade", "format": "mulaw", "rate": 8000, "trusted": True}
"""The dialect of voice hosts. They are the operator's own: private addresses are possible."""


def _call(deps: Dependencies, call: Call) -> dict[str, Any]:
    return {**told_to_relay(deps, call), "agent": _agent(media.agent_to_dial(deps, call))}


def _agent(agent: media.AgentToDial | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    dialled = {"url": agent.url, "headers": agent.headers}
    if agent.others is None:
        return dialled
    return {**dialled, **VOICE_HOST, "others": list(agent.others)}


def _signed_body(path: str) -> bytes:
    return signed_body(routes.current_request, path, bootstrap.config().control_secret)
