"""The phones behind the carrier of `make run`: `gateway.callee` and `gateway.caller`.

They connect by the gateway's own sockets (`gateway/legs/socket`), so one program is a phone at the
gateway and a phone here. Each call joins a phone's socket with a call of the SIP stack, which the
carrier forwards to and from its customer's trunk.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine
from typing import Any

from baresip import BaresipError, Call, CallState, Event, Runtime, StackEvent, UserAgent
from baresip.errors import split_status

from common import g711
from gateway.calls.leg import Destination, Leg, Release
from gateway.config import Config
from gateway.legs.sip.child.audio import PCM_FRAME, CallAudio
from gateway.legs.sip.child.early import EarlyEvents
from gateway.legs.sip.child.native import StackThread
from gateway.legs.sip.headers import parties
from gateway.legs.socket.routes import SocketLegs
from gateway.media.ticker import Ticker
from gateway.sids import new_sid
from local.layout import HOST

_NUMBER = re.compile(r"\+?[0-9*#]{2,32}", re.ASCII)
_EARLY_FRAMES = 25
"""Frames of a phone that are kept while SIP answers, which takes some milliseconds."""
_STATUS = {
    486: "busy", 600: "busy", 603: "busy", 408: "no-answer", 480: "no-answer", 487: "no-answer",
}  # fmt: skip

log = logging.getLogger(__name__)


class Phones:
    """The phones of the carrier's network, and the SIP agent that has all their numbers.

    For the sockets it is what the exchange is at the gateway: it takes the calls that phones place.
    """

    closed = False

    def __init__(
        self, runtime: Runtime, agent: UserAgent, carrier_port: int, config: Config
    ) -> None:
        """`config` says who may connect: whoever has the account SID and auth token."""
        self.sockets = SocketLegs(config, self)
        self._agent, self._carrier_port = agent, carrier_port
        self._stack = StackThread(runtime)
        self._early = EarlyEvents(runtime)
        self._ticker = Ticker()
        self._tasks: set[asyncio.Task[None]] = set()
        agent.on_incoming(self._ring)

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
        headers = {"P-Asserted-Identity": f"<sip:{from_}@{HOST}>"}
        if forwarded_from:
            headers["Diversion"] = f"<sip:{forwarded_from}@{HOST}>"
        joint = Joint(self, leg)
        if _NUMBER.fullmatch(to):
            self.spawn(self._dial(joint, f"sip:{to}@{HOST}:{self._carrier_port}", headers))
        else:
            joint.over(404, "no number")

    def spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        """Run a command of the SIP stack. It fails if the call is over, which is told elsewhere."""

        async def done() -> None:
            try:
                await doing
            except BaresipError as error:
                log.info("%s", error)

        task = asyncio.create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def reject(self, call: Call, code: int, reason: str) -> None:
        """Refuse a call of the customer's with a SIP code."""
        self.spawn(self._stack.reject(call.handle, code, reason))

    @property
    def ticker(self) -> Ticker:
        """Return the clock of the audio of all calls."""
        return self._ticker

    def _ring(self, call: Call) -> None:
        """Ring the phone that has the number; without one the line is like a phone that is off."""
        self._early.take(call)  # made at the first event, so it has missed none
        called = parties(call.headers or {}, call.peer or "")
        leg = self.sockets.route(Destination(to=called.to, from_=called.from_))
        log.info("%s is called, a phone is %s", called.to, "there" if leg else "not there")
        if leg is None:
            self.reject(call, 480, "Temporarily Unavailable")
            return
        joint = Joint(self, leg)
        joint.join(call)
        leg.ring()

    async def _dial(self, joint: Joint, uri: str, headers: dict[str, str]) -> None:
        try:
            call = await self._agent.dial(uri, headers)
        except (BaresipError, ValueError) as error:
            joint.over(503, str(error))
            return
        joint.join(call)
        for event in self._early.take(call):
            call._on_stack_event(event)  # these came before the object existed


class Joint:
    """A phone's socket and a SIP call, joined. It takes the events of both."""

    def __init__(self, phones: Phones, leg: Leg) -> None:
        self._phones, self._leg = phones, leg
        self._call: Call | None = None
        self._audio: CallAudio | None = None
        self._early: list[bytes] = []
        self._dialled = self._over = False
        leg.attach(self, new_sid("CA"))

    def join(self, call: Call) -> None:
        """Join a SIP call, which has not been answered yet."""
        self._call, self._dialled = call, call.state is CallState.OUTGOING
        call.on(self._happened)
        call.on_dtmf(lambda pressed: self._leg.press(pressed.digit))
        if self._over:  # the phone was faster
            self._phones.spawn(call.hangup())

    def over(self, code: int, reason: str) -> None:
        """Tell the phone that the call is over, once."""
        if self._over:
            return
        self._over = True
        self._phones.ticker.discard(self._tick)
        status = "completed" if code == 200 else _STATUS.get(code, "failed")
        self._leg.hangup(Release(status, code, reason))

    # Events of the phone: `LegEvents`.

    def on_ringing(self) -> None:
        """Do nothing: the SIP stack has sent its 180 already."""

    def on_answered(self) -> None:
        """Answer the SIP call."""
        if self._call is not None:
            self._phones.spawn(self._call.answer(video=True))  # see gateway/legs/sip/child/calls.py

    def on_audio(self, frame: bytes) -> None:
        """Pass the phone's audio on."""
        if self._audio is not None:
            self._audio.say(g711.decode(frame))
        elif len(self._early) < _EARLY_FRAMES:
            self._early.append(frame)

    def on_dtmf(self, digit: str) -> None:
        """Pass on a key of the phone's."""
        if self._call is not None:
            self._phones.spawn(self._call.send_dtmf(digit))

    def on_hangup(self, sip_code: int, reason: str) -> None:
        """End the SIP call: the phone has hung up, or refuses."""
        call = self._call
        if call is not None and call.state is CallState.INCOMING:
            self._phones.reject(call, sip_code, reason)
        elif call is not None and call.state is not CallState.CLOSED:
            self._phones.spawn(call.hangup())
        self.over(sip_code, reason)

    def on_broken(self, reason: str) -> None:
        """End the SIP call: the phone is lost."""
        self.on_hangup(480, reason)

    # Events of the SIP call.

    def _happened(self, event: StackEvent) -> None:
        match event.event:
            case Event.CALL_RINGING | Event.CALL_PROGRESS if self._dialled:
                self._leg.ring()
            case Event.CALL_ESTABLISHED:
                self._talk()
            case Event.CALL_CLOSED if self._audio is not None:
                self.over(200, "the far end has hung up")
            case Event.CALL_CLOSED:
                code, reason = split_status(event.text or "")
                self.over(code or 487, reason or "the far end is gone")

    def _talk(self) -> None:
        if self._call is None or self._audio is not None or self._over:
            return
        self._audio = CallAudio(0, self._call)
        for frame in self._early:
            self._audio.say(g711.decode(frame))
        self._phones.ticker.add(self._tick)
        if self._dialled:
            self._phones.spawn(self._leg.answer())

    def _tick(self) -> None:
        """Pass on the audio that came by SIP since the last tick."""
        assert self._audio is not None
        pcm = self._audio.heard()
        for at in range(0, len(pcm), PCM_FRAME):
            self._leg.play(g711.encode(pcm[at : at + PCM_FRAME]))
