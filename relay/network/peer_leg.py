"""The ways between the two calls of a bridge: directly if both are at this relay, or by a socket
between two relays.

Binary messages of the socket are mu-law, as the caller's stream brings it; the only text message is
a key, `{"type": "dtmf", "digit": "5"}`. The relay of the call whose line has `peer_url` connects.
"""

from __future__ import annotations

import asyncio
from typing import Literal
from urllib.parse import urlencode

import msgspec
from picows import WSFrame, WSTransport

from relay import logs
from relay.core.bridge import Bridge
from relay.network.calls import Calls
from relay.network.control import Answer
from relay.network.leg import BINARY, MAX_MESSAGE, Leg, now
from relay.protocol.line import Line
from runtime.websocket import connect

CONNECT_S = 1.0
PING_S = 0.75
"""Seconds without anything from the other relay until it is pinged, and from then until it is given
up: one that hangs closes nothing, and in a call fifty frames a second come."""


class _Key(msgspec.Struct, tag_field="type", tag="dtmf"):
    digit: Literal[
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "A", "B", "C", "D"
    ]  # fmt: skip


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(_Key)


class PeerSocket(Leg):
    """A socket between two relays, of which this one holds the call `call_id`."""

    kind = "peer"
    high_water = 16 * 1024

    def __init__(self, calls: Calls, call_id: str, bridge: Bridge, peer_id: str) -> None:
        super().__init__(calls)
        self.call_id = call_id
        self._bridge_to_join, self._peer_id = bridge, peer_id
        self._given_up = False

    def give_up(self) -> None:
        """Disconnect as soon as it opens, if it ever does: connecting took too long."""
        self._given_up = True

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Become the way to the other call, unless it is not wanted any more."""
        if self._given_up:
            transport.disconnect(False)
            return
        super().on_ws_connected(transport)
        if self._bridge_to_join.peer.joined(self, self._peer_id):
            self.on_joined(self._bridge_to_join)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Clean up: the socket is gone, whoever closed it."""
        if not self._given_up:
            super().on_ws_disconnected(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass audio straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == BINARY  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._fragments or transport.is_close_frame_sent)
        ):
            bridge.peer.hear(self, frame.get_payload_as_bytes(), now())
        else:
            super().on_ws_frame(transport, frame)

    async def request_admission(self) -> Answer:
        """Never called: the application named both calls to each other."""
        raise NotImplementedError

    async def _admit(self) -> None:
        """Do nothing: the token was checked before the upgrade, or the other relay checks it."""

    def on_text(self, text: bytes) -> None:
        """Press a key. Another message is ignored: a newer relay may have more of them."""
        try:
            key = _decoder.decode(text)
        except msgspec.DecodeError:
            return
        if self.bridge is not None:
            self.bridge.peer.press(self, key.digit, now())

    def on_binary(self, payload: bytes) -> None:
        """Play audio that came in fragments."""
        if self.bridge is not None:
            self.bridge.peer.hear(self, payload, now())

    def on_gone(self) -> None:
        """Tell the bridge that the way is gone."""
        if self.bridge is not None:
            self.bridge.peer.gone(self, now())
            self.bridge = None

    def send_ulaw(self, ulaw: bytes, _now: float) -> None:
        """Send the caller's audio."""
        self.send_audio(ulaw)

    def send_key(self, digit: str, _now: float) -> None:
        """Send a key that the caller pressed."""
        self.send_text(_encode({"type": "dtmf", "digit": digit}))


class DirectLink:
    """The way from one call of this relay to another."""

    choked = False
    back: DirectLink
    """The way from the other call to this one."""

    def __init__(self, far: Bridge) -> None:
        self._far = far.peer
        self._open = True

    def send_ulaw(self, ulaw: bytes, at: float) -> None:
        """Play the caller's audio to the other caller. Hot path."""
        self._far.hear(self.back, ulaw, at)

    def send_key(self, digit: str, at: float) -> None:
        """Press a key for the other caller."""
        self._far.press(self.back, digit, at)

    def close(self, _code: int, _reason: str) -> None:
        """Close both ways."""
        if self._open:
            self._open = self.back._open = False
            self._far.gone(self.back, now())


async def connect_peer(calls: Calls, call_id: str, bridge: Bridge, line: Line) -> bool:
    """Connect a call with the other one of its bridge. Return False if that is not possible now."""
    other = calls.held(line.peer or "")
    if other is not None and _join_here(call_id, bridge, line.peer or "", other):
        return True
    if line.peer_url is None:
        return False
    leg = PeerSocket(calls, call_id, bridge, line.peer or "")
    path = f"/media/peer/{line.peer}?{urlencode({'from': call_id})}"
    try:
        async with asyncio.timeout(CONNECT_S):
            await connect(
                lambda: leg,
                line.peer_url.rstrip("/") + path,
                extra_headers={"Authorization": f"Bearer {line.peer_token or ''}"},
                # Cancelled alone, picows leaves the connection open.
                websocket_handshake_timeout=CONNECT_S,
                max_redirects=0,
                enable_auto_ping=True,
                enable_auto_pong=False,
                auto_ping_idle_timeout=PING_S,
                auto_ping_reply_timeout=PING_S,
                max_frame_size=MAX_MESSAGE,
            )
    except BaseException as error:
        leg.give_up()
        if not isinstance(error, Exception):
            raise
        logs.warning("other call not reached", call_id=call_id, why=type(error).__name__)
        return False
    return True


def _join_here(call_id: str, bridge: Bridge, other_id: str, other: Bridge) -> bool:
    """Join two calls of this relay, if each of them wants the other."""
    if not (bridge.peer.expects(other_id) and other.peer.expects(call_id)):
        return False
    there, back = DirectLink(other), DirectLink(bridge)
    there.back, back.back = back, there
    bridge.peer.joined(there, other_id)
    other.peer.joined(back, call_id)
    return True
