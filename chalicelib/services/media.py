"""What relays ask and report: may this socket come in, and what has become of the call.

The relay says what happened to its sockets; what that means for the call is decided here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain import media_token
from chalicelib.domain.agent_token import handshake_headers
from chalicelib.domain.call import Call
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.call_moves import Act, CallState
from chalicelib.services import agent_token as agent_tokens
from chalicelib.services import digits as keypad
from chalicelib.services.nudge import hang_up
from chalicelib.services.ports import Ports
from chalicelib.services.transition import UnknownCall, settle
from chalicelib.store.calls import Relay

log = logging.getLogger(__name__)

_MEDIA_ITEM_KEPT_S = 3600

Report = Literal[
    "watch", "agent_hangup", "agent_lost", "no_agent", "media_lost", "max_duration", "dtmf"
]

_LOSSES = frozenset({"watch", "agent_lost", "no_agent", "media_lost"})

_ACT_OF: dict[str, Act] = {
    "agent_hangup": Act.AGENT_HANGUP,
    "agent_lost": Act.AGENT_LOST,
    "no_agent": Act.NO_AGENT,
    "media_lost": Act.MEDIA_LOST,
    "max_duration": Act.MAX_DURATION,
}


class BadToken(Exception):
    """Unknown, forged, expired or foreign token, or a handshake the provider did not sign."""


class NotActive(Exception):
    """A provider's stream for a call that nobody has answered."""


class OwnedElsewhere(Exception):
    """Another relay holds the provider's stream; `relay_url`: where it is reached by relays."""

    def __init__(self, relay_url: str | None) -> None:
        super().__init__(relay_url or "")
        self.relay_url = relay_url


class CallOver(Exception):
    """The call has ended; `call` says how."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.call_id)
        self.call = call


@dataclass(frozen=True)
class Facts:
    """What belongs to a report: `digits` and `sequence` of a `dtmf`, `why` where it is known."""

    digits: str | None = None
    sequence: int | None = None
    why: str | None = None


@dataclass(frozen=True)
class AgentToDial:
    """Where a call's agent is to be reached, and the headers that show whose handshake it is."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Attached:
    """The call a socket may join, and the relay that owns its media (None: nobody yet)."""

    call: Call
    owner: str | None


def attach_provider(
    ports: Ports, relay: Relay, token: str, url: str, signature: str | None
) -> Attached:
    """A provider's stream comes to `relay`, which owns the call's media from now on."""
    call = _call_of(ports, token, "provider")
    if not ports.providers[call.provider].handshake_signed(url, signature):
        log.warning("unsigned media stream refused", extra={"call_id": call.call_id})
        raise BadToken
    if call.state.final:
        raise CallOver(call)
    if call.state is not CallState.ACTIVE:
        raise NotActive
    expires = call.media_expiry + _MEDIA_ITEM_KEPT_S
    ports.calls.take_media(call.call_id, relay, ports.now(), expires)
    return Attached(call, relay.name)


def attach_agent(ports: Ports, relay: str, call_id: str, token: str) -> Attached:
    """The agent's socket comes to `relay`."""
    call = _call_of(ports, token, "agent")
    if call.call_id != call_id:
        raise BadToken
    if call.state.final:
        raise CallOver(call)
    owner = ports.calls.media(call_id)
    if owner.relay not in (None, relay):
        raise OwnedElsewhere(owner.relay_url)
    return Attached(call, owner.relay)


def report(ports: Ports, relay: str, call_id: str, kind: Report, facts: Facts = Facts()) -> Call:
    """Something happened to the call's sockets (or nothing, `watch`): the call after it.

    OwnedElsewhere if a relay that does not hold the call's media (any more) has lost something: it
    is not what the caller hears. What the agent *wants* counts from anywhere.
    """
    call = ports.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise UnknownCall(call_id)
    if facts.why:
        log.warning("relay: %s", facts.why, extra={"call_id": call_id, "report": kind})
    if kind == "dtmf" and facts.digits and facts.sequence is not None:
        # Also of a call that is over by now: who presses a key and hangs up has pressed it.
        keypad.heard(ports, call, facts.digits, facts.sequence)
    if call.state.final:
        return call
    if kind in _LOSSES:
        owner = ports.calls.media(call_id)
        if owner.relay not in (None, relay):
            raise OwnedElsewhere(owner.relay_url)
    act = _ACT_OF.get(kind)
    # An agent may give up a call that it dialled before anybody answers.
    dialling = kind == "agent_hangup" and call.direction == "outbound"
    if act is None or (call.state is not CallState.ACTIVE and not dialling):
        return call
    after = settle(ports, call, act)
    if after.state.final and not call.state.final:
        hang_up(ports, after)
    return after


def agent_to_dial(ports: Ports, call: Call) -> AgentToDial | None:
    """Whom the relay shall dial for an active call that has an agent's URL. Signed anew each time:
    agents may refuse a handshake that was signed long ago, and the token may have been rotated.
    """
    if call.agent_url is None or call.state is not CallState.ACTIVE:
        return None
    token = agent_tokens.current(ports, call.account_id).token
    headers = handshake_headers(token, call.agent_url, call.call_id, ports.now() // 1000)
    return AgentToDial(call.agent_url, headers)


def agent_token(ports: Ports, call: Call) -> tuple[str, int]:
    """The token of the agent's socket and when it expires (epoch s). The same for the same call."""
    expires = call.media_expiry
    return media_token.issue(ports.token_secret, call.call_id, "agent", expires), expires


def _call_of(ports: Ports, token: str, leg: media_token.Leg) -> Call:
    call_id = media_token.check(ports.token_secret, token, leg, ports.now() // 1000)
    call = ports.calls.get(call_id) if call_id else None
    if call is None:
        raise BadToken
    return call
