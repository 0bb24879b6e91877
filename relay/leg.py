"""One WebSocket of a call, as picows sees it: what the provider's and the agent's have in common.

Framing rules that picows leaves to us (fragments, UTF-8, CLOSE, size of a whole message), waiting
for the application to let the socket in, and being a leg for the bridge. What a message means is
in `provider_leg.py` and `agent_leg.py`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from relay import logs
from relay.bridge import OWNED_ELSEWHERE, Bridge
from relay.budget import Budget
from relay.calls import Calls
from relay.control import Answer, RefusedError, UnreachableError

MAX_MESSAGE = 1 << 20
EARLY_MESSAGE = 4 << 10
EARLY_BYTES = 64 << 10
"""What a socket may send before it is let in, in one message and in all; and as much again each
second that it has to wait, lest a stream in real time be closed because the application is slow."""
FRAME_COST = 32
"""What a frame counts for at least: small ones cost time, if not memory."""
now = time.monotonic
"""The clock of every bridge."""
TEXT, BINARY = int(WSMsgType.TEXT.value), int(WSMsgType.BINARY.value)
"""Plain integers: looking an enum's member up costs as much as parsing a frame."""
_CLOSE_GRACE_S = 2.0
_SEND_BUFFER = 64 * 1024
_REFUSALS = {
    "bad_token": (4401, "the token is not good for this call"),
    "not_active": (4409, "the call is not active"),
    "call_over": (4410, "the call is over"),
    "owned_elsewhere": (1013, OWNED_ELSEWHERE),
}


class Leg(WSListener):
    """Base of both kinds. `choked` and the `send_…` are what the bridge uses."""

    kind = ""
    transport: WSTransport
    high_water = 0
    """Bytes waiting to be written beyond which the leg is choked."""

    def __init__(self, calls: Calls) -> None:
        self.choked = False
        self.order = 0
        self.calls = calls
        self.bridge: Bridge | None = None
        self.call_id: str | None = None
        self.close_code: int | None = None
        """With which the peer closed, 0 for none; None: it has not, or just went."""
        self._parts: list[bytes] = []
        self._parts_cost = 0
        self._parts_kind = WSMsgType.BINARY
        self._admission: asyncio.Task[None] | None = None
        self._early_budget = Budget(EARLY_BYTES, EARLY_BYTES)

    # What a kind of leg is made of

    async def ask(self) -> Answer:
        """Ask the application whether this socket may come in."""
        raise NotImplementedError

    def admitted(self, answer: Answer) -> None:
        """It may."""
        raise NotImplementedError

    def on_text(self, text: bytes) -> None:
        """A text message, valid UTF-8."""
        raise NotImplementedError

    def on_binary(self, payload: bytes) -> None:
        """A binary message that the hot path did not take."""
        raise NotImplementedError

    def gone(self) -> None:
        """The socket is gone."""
        raise NotImplementedError

    def lead(self, relay_url: str) -> bool:  # noqa: ARG002
        """Another relay holds the call: lead the peer there. False if that cannot be."""
        return False

    def passed_on(self, frame: WSFrame) -> bool:  # noqa: ARG002
        """Whether a frame of data was for another relay, and has been sent there."""
        return False

    # As a leg of the bridge

    @property
    def closing(self) -> bool:
        """True once the socket is being closed, by whichever side."""
        return self.transport.is_close_frame_sent or self.transport.is_disconnected

    def joined(self, bridge: Bridge) -> None:
        """The bridge has taken it."""
        self.bridge = bridge
        self.calls.waiting.discard(self)
        logs.info("leg in", call_id=self.call_id, leg=self.kind)

    def close(self, code: int, reason: str) -> None:
        """Send CLOSE; the peer has a little time to answer it."""
        transport = self.transport
        if self.closing:
            return
        logs.info("close", call_id=self.call_id, leg=self.kind, code=code, reason=reason)
        # picows types the code as its enum, which lacks the private range, but sends any integer.
        transport.send_close(code, reason[:120])  # type: ignore[arg-type]
        asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, transport.disconnect, False)

    # As a picows listener

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done: ask at once."""
        self.transport = transport
        self.order = next(self.calls.numbers)
        self.send_text: Callable[[bytes], None] = partial(transport.send, TEXT)  # type: ignore[arg-type]
        self.send_audio: Callable[[bytes], None] = partial(transport.send, BINARY)  # type: ignore[arg-type]
        # Kernel buffers grow to megabytes, which is minutes of audio that nobody wants any more.
        sock = transport.underlying_transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        transport.underlying_transport.set_write_buffer_limits(self.high_water)
        self.calls.legs.add(self)
        self.calls.waiting.add(self)
        self.calls.counters.legs[self.kind] += 1
        self._admission = asyncio.get_running_loop().create_task(self._admit())

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """The socket is gone, whoever closed it."""
        self.calls.legs.discard(self)
        self.calls.waiting.discard(self)
        self.calls.counters.legs[self.kind] -= 1
        if self._admission is not None:
            self._admission.cancel()
        self.gone()

    def pause_writing(self) -> None:
        """More than `high_water` bytes wait."""
        self.choked = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.choked = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Everything but the hot path: control frames, fragments, messages that are not audio."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                code = frame.get_close_code()
                self.close_code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
                transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
            transport.disconnect()
        elif transport.is_close_frame_sent or (self.bridge is None and self.passed_on(frame)):
            return
        elif self.bridge is None and self._too_early(frame.payload_size):
            self.close(1008, "too much before this socket was let in")
        elif kind == WSMsgType.PONG:
            return
        elif kind == WSMsgType.PING:
            # Not left to picows, which would queue answers without bound for one who never reads.
            if not self.choked:
                transport.send_pong(frame.get_payload_as_bytes())
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(1002, "reserved bits are set")
        elif (kind == WSMsgType.CONTINUATION) != bool(self._parts):
            self.close(1002, "fragments out of order")
        elif self._parts_cost + frame.payload_size > MAX_MESSAGE:
            self.close(1009, "message too big")
        else:
            self._gather(kind, frame.get_payload_as_bytes(), frame.fin)

    def _too_early(self, size: int) -> bool:
        if self._parts_cost + size > EARLY_MESSAGE:
            return True
        return self._early_budget.spend(max(size, FRAME_COST), now()) > 0

    def _gather(self, kind: WSMsgType, payload: bytes, fin: bool) -> None:
        if not self._parts:
            self._parts_kind = kind
        if not fin:
            self._parts.append(payload)
            self._parts_cost += max(len(payload), FRAME_COST)
            return
        whole = b"".join((*self._parts, payload))
        self._parts.clear()
        self._parts_cost = 0
        if self._parts_kind == WSMsgType.BINARY:
            self.on_binary(whole)
            return
        try:
            whole.decode()
        except UnicodeDecodeError:
            self.close(1007, "text is not UTF-8")
        else:
            self.on_text(whole)

    def refuse(self, error: RefusedError) -> None:
        """Close it with what the application's refusal means."""
        code = error.code or str(error.status)
        self.close(*_REFUSALS.get(code, (1013, "the application did not let this in")))

    async def _admit(self) -> None:
        code = "error"
        try:
            answer = await self.ask()
            if answer.over:
                raise RefusedError(410, "call_over", answer.call)
            self.call_id = answer.call_id
            # One that goes just now must not throw out another that stays.
            if not self.closing:
                self.admitted(answer)
            return
        except RefusedError as error:
            if error.relay_url and self.lead(error.relay_url):
                return
            code = error.code or str(error.status)
            self.refuse(error)
        except UnreachableError as error:
            code = "unreachable"
            logs.warning("no answer to attach", call_id=self.call_id, why=str(error))
            self.close(1013, "the application cannot be reached")
        except Exception:
            logs.exception("attach failed", call_id=self.call_id, leg=self.kind)
            self.close(1011, "internal error")
        self.calls.counters.refused[self.kind, code] += 1
        logs.info("leg refused", call_id=self.call_id, leg=self.kind, code=code)
