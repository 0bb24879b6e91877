"""One WebSocket of a call, as a picows listener: the base of the provider's and the agent's.

It holds the framing rules that picows leaves to us (fragments, UTF-8, CLOSE, size of a whole
message), asks the application for admission, and is a leg of the bridge. `provider_leg.py` and
`agent_leg.py` handle the messages.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from common.budget import Budget
from relay import logs
from relay.core.admission import Arrival
from relay.core.bridge import OWNED_ELSEWHERE, Bridge
from relay.network.calls import Calls
from relay.network.connections import Connection, Connections
from relay.network.control import Answer, NoAnswerError, RefusedError

MAX_MESSAGE = 1 << 20
EARLY_MESSAGE = 4 << 10
EARLY_BYTES = 64 << 10
"""Bytes that a socket may send before it is admitted: in one message, and in all. Each second that
it waits it may send as many again, so that a slow application does not close a stream."""
FRAME_COST = 32
"""Bytes that a frame counts as, at least: small frames cost time, if not memory."""
now = time.monotonic
"""The clock of every bridge."""
TEXT, BINARY = int(WSMsgType.TEXT.value), int(WSMsgType.BINARY.value)
"""As plain integers: an enum's look-up takes as long as parsing a frame. On the hot path frames are
read as bytes: for 20 ms of audio a copy takes less than a view."""
_SEND_BUFFER = 64 * 1024
_REFUSALS = {
    "bad_token": (4401, "the token is not good for this call"),
    "not_active": (4409, "the call is not active"),
    "call_over": (4410, "the call is over"),
    "owned_elsewhere": (1013, OWNED_ELSEWHERE),
}


class Leg(WSListener):
    """A leg's socket. The bridge uses `choked`, `order`, `close` and the `send_…`."""

    kind = ""
    transport: WSTransport
    arrival: Arrival | None = None
    """The arrival that admission counts; None: the relay opened the connection."""
    accepted: tuple[Connections, Connection] | None = None
    """The counter of TCP connections, and this socket's own."""
    high_water = 0
    """Bytes that wait to be written beyond which the leg is choked."""

    def __init__(self, calls: Calls) -> None:
        self.choked = False
        self.order = 0
        self.calls = calls
        self.bridge: Bridge | None = None
        self.call_id: str | None = None
        self.close_code: int | None = None
        """The code in the peer's CLOSE, 0 if it had none; None: no CLOSE came."""
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._fragments_type = WSMsgType.BINARY
        self._admission_task: asyncio.Task[None] | None = None
        self._is_waiting = False
        self._early_budget = Budget(EARLY_BYTES, EARLY_BYTES)

    # Implemented by each kind of leg

    async def request_admission(self) -> Answer:
        """Ask the application to admit this socket. RefusedError, NoAnswerError."""
        raise NotImplementedError

    def on_admitted(self, answer: Answer) -> None:
        """Join the call: the application has admitted this socket."""
        raise NotImplementedError

    def on_text(self, text: bytes) -> None:
        """Handle a text message, which is valid UTF-8."""
        raise NotImplementedError

    def on_binary(self, payload: bytes) -> None:
        """Handle a binary message that the hot path did not take."""
        raise NotImplementedError

    def on_gone(self) -> None:
        """Leave the call: the socket is gone."""
        raise NotImplementedError

    def pipe_to(self, relay_url: str) -> bool:  # noqa: ARG002
        """Pipe the peer to the relay that holds the call. Return False if that is impossible."""
        return False

    def forward(self, frame: WSFrame) -> bool:  # noqa: ARG002
        """Send a frame of data to the call's owner. Return False if the peer is not piped."""
        return False

    # As a leg of the bridge

    @property
    def closing(self) -> bool:
        """Return whether the socket is being closed, by whichever side."""
        return self.transport.is_close_frame_sent or self.transport.is_disconnected

    def on_joined(self, bridge: Bridge) -> None:
        """Pass messages on to the bridge from now on: it has attached this leg."""
        self.bridge = bridge
        self.leave_waiting()
        logs.info("leg in", call_id=self.call_id, leg=self.kind)

    def close(self, code: int, reason: str) -> None:
        """Send CLOSE, and give the peer a little time to answer it."""
        transport = self.transport
        if self.closing:
            return
        logs.info("close", call_id=self.call_id, leg=self.kind, code=code, reason=reason)
        # picows types the code as its enum, which lacks the private range, but sends any integer.
        transport.send_close(code, reason[:120])  # type: ignore[arg-type]
        self._await_close()

    def leave_waiting(self) -> None:
        """Free the place among the sockets that wait for admission."""
        if self._is_waiting and self.arrival is not None:
            self._is_waiting = False
            self.calls.admission.leave(self.arrival)

    def disconnect(self) -> None:
        """Disconnect at once, without CLOSE."""
        self.transport.disconnect(False)

    def _await_close(self) -> None:
        """Disconnect unless the peer closes the connection soon."""
        self.leave_waiting()
        self.calls.closing.add(self)

    # As a picows listener

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Set the socket up and ask for admission: the upgrade is done."""
        self.transport = transport
        self.order = next(self.calls.socket_numbers)
        self.send_text: Callable[[bytes], None] = partial(transport.send, TEXT)  # type: ignore[arg-type]
        self.send_audio: Callable[[bytes], None] = partial(transport.send, BINARY)  # type: ignore[arg-type]
        # A kernel's buffer grows to megabytes: minutes of audio that is outdated when it is sent.
        sock = transport.underlying_transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        transport.underlying_transport.set_write_buffer_limits(self.high_water)
        if self.accepted is not None:
            connections, connection = self.accepted
            connections.request_came(connection)
        if self.arrival is not None:
            self._is_waiting = True
            self.calls.admission.enter(self.arrival)
        self.calls.legs.add(self)
        self.calls.counters.legs[self.kind] += 1
        self._admission_task = asyncio.get_running_loop().create_task(self._admit())

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """Clean up: the socket is gone, whoever closed it."""
        self.calls.legs.discard(self)
        self.calls.closing.remove(self)
        self.leave_waiting()
        self.calls.counters.legs[self.kind] -= 1
        if self._admission_task is not None:
            self._admission_task.cancel()
        self.on_gone()

    def pause_writing(self) -> None:
        """Be choked: more than `high_water` bytes wait to be written."""
        self.choked = True

    def resume_writing(self) -> None:
        """Be choked no more: the peer has caught up."""
        self.choked = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle all but the hot path: control frames, fragments, messages that are not audio."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                code = frame.get_close_code()
                self.close_code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
                transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
            # Closes once all is written, which never happens if the peer does not read.
            transport.disconnect()
            self._await_close()
        elif transport.is_close_frame_sent or (self.bridge is None and self.forward(frame)):
            return
        elif self.bridge is None and self._too_early(frame.payload_size):
            self.close(1008, "too much before this socket was let in")
        elif kind == WSMsgType.PONG:
            return
        elif kind == WSMsgType.PING:
            # Not left to picows, which would queue PONGs without bound for a peer that never reads.
            if not self.choked:
                transport.send_pong(frame.get_payload_as_bytes())
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(1002, "reserved bits are set")
        elif (kind == WSMsgType.CONTINUATION) != bool(self._fragments):
            self.close(1002, "fragments out of order")
        elif self._fragments_bytes + frame.payload_size > MAX_MESSAGE:
            self.close(1009, "message too big")
        else:
            self._assemble(kind, frame.get_payload_as_bytes(), frame.fin)

    def _too_early(self, size: int) -> bool:
        if self._fragments_bytes + size > EARLY_MESSAGE:
            return True
        return self._early_budget.spend(max(size, FRAME_COST), now()) > 0

    def _assemble(self, kind: WSMsgType, payload: bytes, fin: bool) -> None:
        if not self._fragments:
            self._fragments_type = kind
        if not fin:
            self._fragments.append(payload)
            self._fragments_bytes += max(len(payload), FRAME_COST)
            return
        whole = b"".join((*self._fragments, payload))
        self._fragments.clear()
        self._fragments_bytes = 0
        if self._fragments_type == WSMsgType.BINARY:
            self.on_binary(whole)
            return
        try:
            whole.decode()
        except UnicodeDecodeError:
            self.close(1007, "text is not UTF-8")
        else:
            self.on_text(whole)

    def refuse(self, error: RefusedError) -> None:
        """Close with the code that stands for the application's refusal."""
        code = error.code or str(error.status)
        self.close(*_REFUSALS.get(code, (1013, "the application did not let this in")))

    async def _admit(self) -> None:
        code = "error"
        # A relay that was held up may find that the peer has gone by now: this is cancelled then,
        # and takes no call from the relay at which the peer is.
        for _ in range(2):
            await asyncio.sleep(0)
        try:
            answer = await self.request_admission()
            if answer.over:
                raise RefusedError(410, "call_over", answer.call)
            self.call_id = answer.call_id
            # A socket that is closing must not replace another that stays.
            if not self.closing:
                self.on_admitted(answer)
            return
        except RefusedError as error:
            if error.relay_url and self.pipe_to(error.relay_url):
                return
            code = error.code or str(error.status)
            self.refuse(error)
        except NoAnswerError as error:
            code = "unreachable"
            logs.warning("no answer to attach", call_id=self.call_id, why=str(error))
            self.close(1013, "the application cannot be reached")
        except Exception:
            logs.exception("attach failed", call_id=self.call_id, leg=self.kind)
            self.close(1011, "internal error")
        self.calls.counters.refused[self.kind, code] += 1
        logs.info("leg refused", call_id=self.call_id, leg=self.kind, code=code)
