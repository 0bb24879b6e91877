"""The phones behind the carrier of `make run`: `gateway.callee` and `gateway.caller`.

They connect by the gateway's own sockets (`gateway/legs/socket`), so one program is a phone at the
gateway and a phone here. Each call joins two of the gateway's legs: a phone's socket, and one on
SIP, which the carrier forwards to and from its customer's trunk.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from gateway.calls.leg import Destination, Leg, Release
from gateway.config import Config
from gateway.legs.sip.leg import InboundLeg, SipLeg
from gateway.legs.sip.parties import parties
from gateway.legs.sip.stack import SipStack
from gateway.legs.socket.routes import SocketLegs
from gateway.rtp.ports import NoPortError
from gateway.sids import new_sid
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.dialog.outbound import Dial
from gateway.sip.events import (
    Ended,
    Established,
    Event,
    IncomingCall,
    NotRegistered,
    PingAnswered,
    PingUnanswered,
    Registered,
    Unregistered,
)
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri
from local.layout import HOST

_NUMBER = re.compile(r"\+?[0-9*#]{2,32}", re.ASCII)
_LOOK_EVERY_S = 1.0
_UNREACHABLE, _NO_NUMBER, _OFF, _BROKEN = 503, 404, 480, 500
_STATUS = {
    200: "completed",
    486: "busy", 600: "busy", 603: "busy", 408: "no-answer", 480: "no-answer", 487: "no-answer",
}  # fmt: skip

log = logging.getLogger(__name__)


class Phones:
    """The phones of the carrier's network, and the SIP agent that has all their numbers.

    For the sockets it is what the exchange is at the gateway: it takes the calls that phones place.
    """

    closed = False

    def __init__(self, config: Config, carrier_port: int) -> None:
        """`config` says where SIP listens, and who may connect: whoever has the account SID and
        auth token.
        """
        self.sockets = SocketLegs(config, self)
        self._carrier = (HOST, carrier_port)
        self._rtp_timeout = config.rtp_timeout
        self._stack = SipStack(config, self._happened, lambda _: None)
        self._legs: dict[Call, SipLeg] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for SIP until the end of the block. Raises OSError if the port is taken."""
        await self._stack.start()
        looking = asyncio.create_task(self._keep_listening())
        try:
            yield
        finally:
            looking.cancel()
            self._stack.stop()

    def admit(
        self,
        leg: Leg,
        *,
        to: str,
        from_: str,
        forwarded_from: str | None = None,
        trunk_id: str | None = None,  # noqa: ARG002 - a trunk is the gateway's word
    ) -> None:
        """Call a number of the customer's, for a phone."""
        called = OutboundLeg(self._stack, self._dial(to, from_, forwarded_from), self._legs)
        self._join(leg, called)
        if _NUMBER.fullmatch(to):
            called.ring()
        else:
            leg.reject(_release(_NO_NUMBER, "no number"))

    def _dial(self, to: str, from_: str, forwarded_from: str | None) -> Dial:
        headers = [("P-Asserted-Identity", f"<{SipUri(HOST, from_)}>")]
        if forwarded_from:
            headers.append(("Diversion", f"<{SipUri(HOST, forwarded_from)}>"))
        called = SipUri(HOST, to, port=self._carrier[1])
        return Dial(
            target=str(called),
            to=Address(called),
            from_=Address(SipUri(HOST, "phone")),
            flow=self._stack.endpoint.udp_flow(self._carrier),
            user="phone",
            headers=tuple(headers),
        )

    def _happened(self, event: Event) -> None:
        match event:
            case IncomingCall(call=call):
                self._ring(call)
            case Registered() | NotRegistered() | Unregistered():
                pass  # the phones register nowhere
            case PingAnswered() | PingUnanswered():
                pass  # and ask nobody
            case _:
                leg = self._legs.get(event.call)
                if isinstance(event, Ended):
                    self._legs.pop(event.call, None)
                if leg is not None:
                    leg.happened(event)

    def _ring(self, call: InboundCall) -> None:
        """Ring the phone that has the number; without one the line is like a phone that is off."""
        called = parties(call.invite.headers, call.invite.uri)
        phone = self.sockets.route(Destination(to=called.to, from_=called.from_))
        log.info("%s is called, a phone is %s", called.to, "there" if phone else "not there")
        leg = InboundLeg(self._stack, call, None)
        if phone is None:
            leg.refuse(_OFF, "Temporarily Unavailable")
        elif leg.take():
            self._legs[call] = leg
            self._join(phone, leg)
            phone.ring()

    def _join(self, phone: Leg, leg: InboundLeg | OutboundLeg) -> None:
        call_sid = new_sid("CA")
        phone.attach(End(phone, leg, self._spawn), call_sid)
        leg.attach(End(leg, phone, self._spawn), call_sid)

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_listening(self) -> None:
        """End the calls from which nothing is heard any more."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for leg in list(self._legs.values()):
                leg.look(self._stack.now, self._rtp_timeout)


class OutboundLeg(SipLeg):
    """A call to the carrier's customer. `ring` sends the INVITE."""

    def __init__(self, stack: SipStack, dial: Dial, legs: dict[Call, SipLeg]) -> None:
        """`legs` is where the leg puts itself, so that the call's events reach it."""
        super().__init__(stack, None)
        self._dial, self._legs = dial, legs

    def ring(self) -> None:
        """Send the INVITE."""
        try:
            audio = self._open_audio("offered")
            self.call = self._stack.agent.dial(self._dial, audio.media, self._stack.now)
        except (NoPortError, RuntimeError) as error:
            self._close()
            if self._events is not None:
                self._events.on_hangup(_UNREACHABLE, str(error))
            return
        self._legs[self.call] = self
        self._stack.flush()

    async def answer(self) -> None:
        """Do nothing: the called party answers."""

    def reject(self, release: Release) -> None:
        """Hang up."""
        self.hangup(release)

    def happened(self, event: Event) -> None:
        """Handle an event of this call."""
        super().happened(event)
        if isinstance(event, Established) and self._events is not None and not self.over:
            self._events.on_answered()


class End:
    """One end of a call. It takes the events of its leg and passes them to the other end's."""

    def __init__(
        self, own: Leg, other: Leg, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._own, self._other, self._spawn = own, other, spawn

    def on_trunk(self, trunk_id: str) -> None:
        """Do nothing: the carrier's phones know no trunks."""

    def on_ringing(self) -> None:
        """Let the other end hear that it rings."""
        self._other.ring()

    def on_answered(self) -> None:
        """Answer the other end."""
        self._spawn(self._other.answer())

    def on_audio(self, frame: bytes) -> None:
        """Pass the audio on."""
        self._other.play(frame)

    def on_dtmf(self, digit: str) -> None:
        """Pass on a key."""
        self._other.press(digit)

    def on_hold(self, held: bool) -> None:
        """Do nothing: a phone has no word for it."""

    def on_refer(self, status: int) -> None:
        """Do nothing: nobody is asked."""

    def on_quality(self, quality: str, mos: float) -> None:
        """Do nothing: the carrier tells nobody."""

    def on_media(self, facts: dict[str, str]) -> None:
        """Do nothing: the carrier tells nobody."""

    def on_hangup(self, sip_code: int, reason: str) -> None:
        """End both ends: this one has hung up, or refuses."""
        release = _release(sip_code, reason)
        self._own.hangup(release)
        self._other.reject(release)

    def on_broken(self, reason: str) -> None:
        """End both ends: this one is lost."""
        self.on_hangup(_BROKEN, reason)


def _release(code: int, reason: str) -> Release:
    return Release(_STATUS.get(code, "failed"), code, reason)
