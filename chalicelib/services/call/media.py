"""Requests of relays to let sockets in, and their reports about sockets.

The relay reports what happened to its sockets; this module decides what it means for the call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.agent import handshake_headers, not_reached
from chalicelib.domain.answered import Found
from chalicelib.domain.call import Call, Refused, media_moved
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.call_line import CallLine, LineAct, LinePhase, phase
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.failure import Failure
from chalicelib.domain.voice import NOT_REACHED, VoiceSettings
from chalicelib.services.account import agent_token as agent_tokens
from chalicelib.services.call import pressed_keys
from chalicelib.services.call.call_writes import change
from chalicelib.services.call.provider_control import hang_up
from chalicelib.services.call.transition import UnknownCall, follow, settle
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.call_media import Relay
from common import media_token

log = logging.getLogger(__name__)

_MEDIA_ITEM_KEPT_S = 3600

Report = Literal[
    "watch", "agent_hangup", "agent_lost", "no_agent", "media_lost", "max_duration", "dtmf",
    "bridged", "answered_by", "greeting_ended",
]  # fmt: skip

_OWNERS = frozenset(
    {"watch", "agent_lost", "no_agent", "media_lost", "answered_by", "greeting_ended"}
)
"""Reports that only the relay which holds the caller's stream may make."""

_ACT_OF: dict[str, Act] = {
    "agent_hangup": Act.AGENT_HANGUP,
    "agent_lost": Act.AGENT_LOST,
    "no_agent": Act.NO_AGENT,
    "media_lost": Act.MEDIA_LOST,
    "max_duration": Act.MAX_DURATION,
}


class BadToken(Failure):
    """The token is unknown, forged, expired or another call's, or the handshake is not signed."""

    code = "bad_token"


class NotActive(Failure):
    """A provider's stream came for a call that nobody has answered."""

    code = "not_active"


class OwnedElsewhere(Failure):
    """Another relay holds the provider's stream; `relay_url` is its URL for relays."""

    code = "owned_elsewhere"
    member_names = ("relay_url",)

    def __init__(self, relay_url: str | None) -> None:
        super().__init__(relay_url or "")
        self.relay_url = relay_url


class CallOver(Failure):
    """The call has ended; `call` says how."""

    code = "call_over"
    status, title = 410, "The call is over"
    member_names = ("call",)

    def __init__(self, call: Call) -> None:
        super().__init__(call.call_id)
        self.call = call


@dataclass(frozen=True)
class Facts:
    """Details of a report: `digits` and `sequence` of a `dtmf`; `why` the agent was not reached,
    "" once it is there, None: nothing new. `line`: the number of the line that is `bridged`.
    `found`: about the answer.
    """

    digits: str | None = None
    sequence: int | None = None
    why: str | None = None
    line: int | None = None
    found: Found | None = None


@dataclass(frozen=True)
class AgentToDial:
    """The URL at which a call's agent is dialled, and the headers that sign the handshake.

    `others` are URLs of other voice hosts that can take the call; None: the agent is its owner's,
    and speaks Twilio's dialect.
    """

    url: str
    headers: dict[str, str]
    others: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Attachment:
    """The call a socket may join, and the relay that owns its media (None: nobody yet)."""

    call: Call
    owner: str | None


def attach_provider(
    deps: Dependencies, relay: Relay, token: str, url: str, signature: str | None
) -> Attachment:
    """Let a provider's stream in at `relay`, which owns the call's media from now on."""
    call = _call_of(deps, token, "provider")
    if not deps.providers[call.provider].handshake_signed(url, signature):
        log.warning("unsigned media stream refused", extra={"call_id": call.call_id})
        raise BadToken
    if call.state.final:
        raise CallOver(call)
    if call.state is not CallState.ACTIVE:
        raise NotActive
    expires = call.media_expiry + _MEDIA_ITEM_KEPT_S
    moved = media_moved(call, relay.name, deps.now())
    former = deps.stores.media.take(call.call_id, relay, deps.now(), expires, moved)
    if former is not None:
        facts = {"call_id": call.call_id, "from_relay": former, "to_relay": relay.name}
        log.warning("the call's audio has moved to another relay", extra=facts)
    call = follow(deps, call)
    if call.media_line.peer is not None:
        from chalicelib.services.call import pair  # most calls need none of it

        pair.tell_peer(deps, call)
    return Attachment(call, relay.name)


def attach_agent(deps: Dependencies, relay: str, call_id: str, token: str) -> Attachment:
    """Let the agent's socket in at `relay`."""
    call = _call_of(deps, token, "agent")
    if call.call_id != call_id:
        raise BadToken
    if call.state.final:
        raise CallOver(call)
    owner = deps.stores.media.get(call_id)
    if owner.relay not in (None, relay):
        raise OwnedElsewhere(owner.relay_url)
    return Attachment(call, owner.relay)


def report(
    deps: Dependencies, relay: str, call_id: str, kind: Report, facts: Facts = Facts()
) -> Call:
    """Note what happened to the call's sockets (`watch`: nothing); return the call after it.

    Raises OwnedElsewhere if a relay that does not hold the call's media (any more) reports a loss:
    the caller does not hear that relay. A hang-up of the agent counts from any relay.
    """
    call = deps.stores.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise UnknownCall(call_id)
    if facts.why:
        log.warning("relay: %s", facts.why, extra={"call_id": call_id, "report": kind})
    if kind == "bridged":
        waited = {"ms": deps.now() - call.updated_at, "line": facts.line}
        log.info("the far end hears the other one", extra={"call_id": call_id, **waited})
    if kind == "dtmf" and facts.digits and facts.sequence is not None:
        # Also for a call that is over by now: the caller may press a key and hang up at once.
        pressed_keys.take_report(deps, call, facts.digits, facts.sequence)
    owner = deps.stores.media.get(call_id) if kind in _OWNERS else None
    if kind != "dtmf" and (owner is None or owner.keys_wait):
        pressed_keys.tell_waiting(deps, call)
    if call.state.final:
        return call
    if owner is not None and owner.relay not in (None, relay):
        raise OwnedElsewhere(owner.relay_url)
    if facts.found is not None:
        from chalicelib.services.call import answered  # most calls need none of it

        return answered.note(deps, call, facts.found)
    if facts.why is not None and (call.agent_url is not None or call.voice == "hosted"):
        # What a relay says of a voice host is the operator's to read: it is in the log.
        detail = NOT_REACHED if call.voice == "hosted" else not_reached(facts.why)
        call = _note_agent(deps, call, detail if facts.why else None)
    call = _agent_left(deps, call) if kind == "agent_hangup" else follow(deps, call)
    act = _ACT_OF.get(kind)
    # An agent may give up a call that it dialled before anybody answers.
    dialling = kind == "agent_hangup" and call.direction == "outbound"
    if act is None or (call.state is not CallState.ACTIVE and not dialling):
        return call
    after = settle(deps, call, act, unless=lambda now: _goes_on_without(now.media_line, kind))
    if after.state.final and not call.state.final:
        hang_up(deps, after)
    return after


def _agent_left(deps: Dependencies, call: Call) -> Call:
    """Note that the agent of a call that is being transferred has left, so that there is nobody to
    go back to; return the call as it is now. Any other call is returned as it is.
    """
    if phase(call.media_line) not in _WITHOUT_AGENT:
        return call
    try:
        return change(deps, call, LineAct.AGENT_LEFT)
    except Refused as refused:
        return refused.call


_WITHOUT_AGENT = (LinePhase.COLD, LinePhase.REFER)
"""Phases of a transfer that need no agent any more."""

_OF_THE_AGENT = ("agent_hangup", "agent_lost", "no_agent")


def _goes_on_without(line: CallLine, kind: Report) -> bool:
    """Return whether a call goes on though its agent is gone: its far end is held, or talks to
    somebody else. An agent that hangs up leaves only a far end that waits for a third party.
    """
    if kind not in _OF_THE_AGENT:
        return False
    if line.mode == "hold":
        return kind != "agent_hangup" or phase(line) in _WITHOUT_AGENT
    return line.mode == "bridge"


def _note_agent(deps: Dependencies, call: Call, detail: str | None) -> Call:
    """Note why the agent was not reached, None if it was; return the call as it is now."""
    if call.state is not CallState.ACTIVE or call.agent_detail == detail:
        return call
    return deps.stores.calls.note_agent(call, detail)


def agent_to_dial(deps: Dependencies, call: Call) -> AgentToDial | None:
    """Return the agent that the relay shall dial, if the call is active, joined with no other call,
    and hosted or has an agent's URL. The headers are signed each time: agents may refuse an old
    signature, and the token may be new.
    """
    if call.state is not CallState.ACTIVE or call.media_line.mode == "bridge":
        return None
    if call.voice == "hosted":
        return _voice_host(deps, call)
    if call.agent_url is None:
        return None
    token = agent_tokens.current(deps, call.account_id).token
    headers = handshake_headers(token, call.agent_url, call.call_id, deps.now() // 1000)
    return AgentToDial(call.agent_url, headers)


def _voice_host(deps: Dependencies, call: Call) -> AgentToDial | None:
    if deps.voice_hosts is None or call.voice_host is None:
        log.error("a hosted call has no voice host", extra={"call_id": call.call_id})
        return None
    settings = call.voice_settings or VoiceSettings()
    host = deps.voice_hosts.to_dial(call.call_id, call.voice_host, settings, call.answered_at)
    return AgentToDial(host.url, host.headers, host.others)


def audio_token(deps: Dependencies, call: Call) -> tuple[str, int]:
    """Return the token of the agent's socket and when it expires (epoch s). The same for the same
    call.
    """
    expires = call.media_expiry
    return media_token.issue(deps.secrets.media, call.call_id, "agent", expires), expires


def _call_of(deps: Dependencies, token: str, leg: media_token.Leg) -> Call:
    try:
        call_id = media_token.read(deps.secrets.media, token, leg, deps.now() // 1000)
    except media_token.BadTokenError:
        raise BadToken from None
    call = deps.stores.calls.get(call_id)
    if call is None:
        raise BadToken
    return call
