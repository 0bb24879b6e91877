"""A SIP phone for demonstrations: it calls, is called, plays a clip, and keeps what it hears.

Audio is mu-law at 8 kHz.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from gateway.legs.sip.call_audio import CallAudio
from gateway.rtp.g711 import FRAME, SILENT_FRAME, ULAW_SILENCE
from gateway.rtp.plane import Plane
from gateway.sip.agent import UserAgent
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.dialog.outbound import Dial
from gateway.sip.events import (
    Ended,
    Established,
    Event,
    IncomingCall,
    KeyPressed,
    MediaAgreed,
    NotRegistered,
    PingAnswered,
    PingUnanswered,
    Progress,
    Registered,
    Unregistered,
)
from gateway.sip.exchange import Authoriser
from gateway.sip.network.endpoint import Endpoint
from gateway.sip.session.call_media import CallMedia
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri, parse_sip_uri
from local.layout import HOST, PHONES_RTP

_ANSWERED_WITHIN_S = 20.0
_USER = "phone"
MAX_EVENTS = 100
"""Events that wait for whoever follows what the phone does; the oldest are forgotten."""
Kind = TypeVar("Kind", bound=Event)


class CallFailed(Exception):
    """Nobody has answered; the text is the SIP code and its reason."""


class Talking:
    """A call of the phone; it can be talked on when it is up."""

    def __init__(self, phone: SipPhone, call: Call | None = None) -> None:
        self.call = call
        self.heard = bytearray()
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        """The keys that the far end has pressed."""
        self.ringing = asyncio.Event()
        self.up = asyncio.Event()
        self.played = asyncio.Event()
        self.ended = asyncio.Event()
        self.ending: Ended | None = None
        self.audio = CallAudio(phone.plane, HOST, lambda _: self.hang_up_at_once())
        self.audio.ask(self._next)
        self.audio.listen_for_keys(self.keys.put_nowait)
        self._phone = phone
        self._clip: Iterator[bytes] = iter(())

    async def play(self, clip: bytes) -> None:
        """Play a clip; return when its last frame has been sent."""
        self._clip = (clip[at : at + FRAME] for at in range(0, len(clip), FRAME))
        self.played.clear()
        await self.played.wait()

    def press(self, key: str) -> None:
        """Press a key."""
        self.audio.press(key)

    async def hang_up(self) -> None:
        """Hang up, with a BYE, or with a CANCEL while it rings."""
        self.hang_up_at_once()
        await self.ended.wait()

    def hang_up_at_once(self) -> None:
        """Hang up; do not wait for the end."""
        if self.call is not None:
            self.call.hangup(self._phone.now)
            self._phone.flush()

    async def wait_up(self) -> None:
        """Return when the call is up. Raises CallFailed, or TimeoutError if nobody answers."""
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            await self.up.wait()
        if self.ending is not None:
            raise CallFailed(f"{self.ending.status} {self.ending.reason}")

    def happened(self, event: Event) -> None:
        """Handle an event of this call."""
        match event:
            case MediaAgreed(call=call) if isinstance(call.media, CallMedia):
                self.audio.media = call.media
                if call.media.negotiated is not None:
                    self.audio.agree(call.media.negotiated, self._phone.now)
            case Progress():
                self.ringing.set()
            case Established():
                self.audio.start(self.heard.extend)
                self.up.set()
            case KeyPressed(key=key):
                self.keys.put_nowait(key)
            case Ended():
                self.ending = event
                self.audio.close()
                for waited_for in (self.ringing, self.up, self.played, self.ended):
                    waited_for.set()

    def _next(self) -> bytes:
        frame = next(self._clip, None)
        if frame is None:
            self.played.set()
            return SILENT_FRAME
        return frame.ljust(FRAME, ULAW_SILENCE)


class SipPhone:
    """The phone; made by `async with sip_phone(port)`. It takes calls to any user."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.agent = UserAgent()
        self.endpoint = Endpoint(self.agent, self._happened)
        self._events: asyncio.Queue[Event] = asyncio.Queue(MAX_EVENTS)
        self._incoming: asyncio.Queue[InboundCall] = asyncio.Queue()
        self._calls: dict[Call, Talking] = {}

    @property
    def now(self) -> float:
        """Return the time for commands, in seconds."""
        return self.endpoint.now

    async def tells(self, kind: type[Kind]) -> Kind:
        """Wait for the next event of a kind; return it. Others before it are forgotten."""
        while not isinstance(event := await self._events.get(), kind):
            pass
        return event

    def flush(self) -> None:
        """Send what commands have left to be sent."""
        self.endpoint.flush()

    async def dial(self, uri: str, authoriser: Authoriser | None = None) -> Talking:
        """Call `uri`; return when somebody has answered. Raises CallFailed if nobody does."""
        talking = self.start(uri, authoriser)
        await talking.wait_up()
        return talking

    def start(
        self, uri: str, authoriser: Authoriser | None = None, *, user: str = _USER
    ) -> Talking:
        """Call `uri`; return at once."""
        called = parse_sip_uri(uri)
        dial = Dial(
            target=uri,
            to=Address(called),
            from_=Address(SipUri(HOST, user)),
            flow=self.endpoint.udp_flow((called.host, called.port or 5060)),
            user=user,
        )
        talking = Talking(self)
        talking.call = self.agent.dial(dial, talking.audio.media, self.now, authoriser)
        self._calls[talking.call] = talking
        self.flush()
        return talking

    async def next_call(self) -> InboundCall:
        """Wait for a call; return it, ringing."""
        return await self._incoming.get()

    def talking(self, call: InboundCall) -> Talking:
        """Return the phone's side of a call that came in."""
        return self._calls[call]

    async def answer(self, call: InboundCall) -> Talking:
        """Answer a call that rings. Raises CallFailed if the caller is gone."""
        talking = self.talking(call)
        call.answer(self.now)
        self.flush()
        await talking.wait_up()
        return talking

    async def answer_next(self, ring_s: float = 0.5) -> Talking:
        """Wait for a call, let it ring for `ring_s` seconds, answer it."""
        call = await self.next_call()
        await asyncio.sleep(ring_s)
        return await self.answer(call)

    def _happened(self, event: Event) -> None:
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(event)
        match event:
            case IncomingCall(call=call):
                self._ring(call)
            case Registered() | NotRegistered() | Unregistered():
                pass
            case PingAnswered() | PingUnanswered():
                pass
            case _:
                talking = self._calls.get(event.call)
                if isinstance(event, Ended):
                    self._calls.pop(event.call, None)
                if talking is not None:
                    talking.happened(event)

    def _ring(self, call: InboundCall) -> None:
        talking = Talking(self, call)
        self._calls[call] = talking
        if call.take(talking.audio.media, self.now):
            call.ring(self.now)
            self._incoming.put_nowait(call)


@contextlib.asynccontextmanager
async def sip_phone(port: int) -> AsyncIterator[SipPhone]:
    """Run a phone that listens on `port`."""
    low, high = PHONES_RTP
    plane = Plane(HOST, range(low, high + 1))
    phone = SipPhone(plane)
    await phone.endpoint.start(HOST, port)
    try:
        yield phone
    finally:
        phone.endpoint.stop()
        plane.close()
