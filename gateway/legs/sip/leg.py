"""The leg of a call on SIP. Implements `Leg` on a call of the user agent and its audio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.calls.leg import LegEvents, Release
from gateway.legs.sip.call_audio import CallAudio
from gateway.legs.sip.referral import Referral, uri_of
from gateway.legs.sip.stack import SipStack
from gateway.rtp.ports import NoPortError
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.events import (
    Ended,
    Established,
    Event,
    KeyPressed,
    MediaAgreed,
    Progress,
    Side,
    TransferProgress,
    TransferRequested,
)
from gateway.sip.session.call_media import CallMedia
from gateway.sip.session.offer_answer import SrtpPolicy
from gateway.telemetry import logs

REASONS = {
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}
"""Reason phrases (RFC 3261 21) for the codes with which callers are refused."""

_SAME_KEY_S = 1.0
"""Seconds within which a key in INFO and the first one in the audio are the same."""
_FALLBACK = 480
_CANCELLED = 487
_AGREED = 202
_NOT_TOLD = 408


class SipLeg:
    """Connects a call of the exchange with one of the user agent, for either direction."""

    def __init__(self, stack: SipStack, trunk_id: str | None) -> None:
        self.trunk_id = trunk_id
        self.call: Call | None = None
        """The user agent's call; None before it is dialled."""
        self._stack = stack
        self._audio: CallAudio | None = None
        self._events: LegEvents | None = None
        self._call_sid = ""
        self._up = asyncio.Event()
        self._over = False
        self._answering = False
        """True if our 200 waits for its ACK."""
        self._held = False
        """True if the far end wants to hear nothing."""
        self._keys_by_rtp = False
        self._key_by_info = ("", 0.0)
        """The last key that came by INFO, and when."""
        self._refer: Referral | None = None
        """A transfer that the far end was asked for, and that has no outcome."""
        self.on_over: Callable[[SipLeg], None] = lambda _: None
        """Called once, when the leg is over."""

    @property
    def over(self) -> bool:
        """Return whether the call is over."""
        return self._over

    # Leg: commands of the call.

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Set the receiver of the events."""
        self._events, self._call_sid = events, call_sid

    def hangup(self, release: Release) -> None:
        """Send BYE, or CANCEL while it rings."""
        if self._over:
            return
        self._close()
        if self.call is not None:
            self.call.hangup(self._stack.now, release.reason)
            self._stack.flush()

    def play(self, frame: bytes) -> None:
        """Send a frame to the far end."""
        if self._audio is not None:
            self._audio.play(frame)

    def press(self, digit: str) -> None:
        """Send a key: a telephone-event, or INFO to a far end that takes none."""
        if self._over or self._audio is None or self.call is None:
            return
        if not self._audio.press(digit) and not self._takes_events:
            self.call.press(digit, self._stack.now)
            self._stack.flush()

    def refer(self, target: str) -> bool:
        """Send REFER. A number is called at the far end's own domain."""
        if self._over or self.call is None or not self._up.is_set() or self._refer is not None:
            return False
        uri = uri_of(target, self.call.established.remote.uri)
        self._refer = Referral(self._stack.now)
        self.call.transfer(uri, self._stack.now)
        self._stack.flush()
        return True

    # Events of the user agent.

    def happened(self, event: Event) -> None:
        """Handle an event of this call."""
        match event:
            case MediaAgreed():
                self._agree()
            case Progress() if not self._over and self._events is not None:
                self._events.on_ringing()
            case Established():
                self._establish()
            case KeyPressed(key=key) if not self._keys_by_rtp:
                self._key_by_info = key, self._stack.now
                self._tell_key(key)
            case TransferRequested(call=call):
                # No transfers: the far end could make us dial any number.
                call.transfers.decline(self._stack.now)
            case TransferProgress(status=status, final=final):
                self._refer_goes(status, final)
            case Ended():
                self._end(event)

    def look(self, now: float, rtp_timeout: float) -> None:
        """End a call from which nothing has been heard for too long; tell how good it is."""
        if self._refer is not None and self._refer.late(now):
            self._refer_goes(_NOT_TOLD, final=True)
        audio = self._audio
        if audio is None:
            return
        change = audio.watch(now)
        if change is not None and self._events is not None:
            self._events.on_quality(change.quality, change.mos)
        if self._up.is_set() and audio.silent_for(now) >= rtp_timeout:
            self.lose(f"no audio came for {rtp_timeout:g} s")

    def lose(self, reason: str) -> None:
        """End a call that is broken on our side or in between."""
        if self._over:
            return
        self._close()
        if self.call is not None:
            self.call.hangup(self._stack.now, reason)
            self._stack.flush()
        if self._events is not None:
            self._events.on_broken(reason)

    def _refer_goes(self, status: int, final: bool) -> None:
        """Tell the outcome of a transfer once, as a final code, whatever stands beside that."""
        if self._refer is None or self._over:
            return
        if not final and status < 200:
            self._refer.heard(self._stack.now)
            return
        self._refer = None
        if self._events is not None:
            # A far end may end its reports with "100 Trying", and keep the outcome to itself.
            self._events.on_refer(status if status >= 200 else _NOT_TOLD)

    # Audio.

    def _open_audio(self, srtp: SrtpPolicy) -> CallAudio:
        """Bind a port. Raises NoPortError."""
        audio = self._stack.audio(lambda error: self.lose(f"the audio broke: {error}"), srtp)
        audio.listen_for_keys(self._on_rtp_key)
        self._audio = audio
        return audio

    @property
    def _takes_events(self) -> bool:
        agreed = self._audio.media.negotiated if self._audio is not None else None
        return agreed is not None and agreed.telephone_event is not None

    def _agree(self) -> None:
        """Send and receive as agreed; the media of a fork that answered is the call's now."""
        media = self.call.media if self.call is not None else None
        audio = self._audio
        if audio is None or not isinstance(media, CallMedia):
            return
        audio.media = media
        if audio.media.negotiated is not None:
            audio.agree(audio.media.negotiated, self._stack.now)
            self._note_hold(audio.media.negotiated.held)

    def _note_hold(self, held: bool) -> None:
        if held != self._held and self._events is not None:
            self._held = held
            self._events.on_hold(held)

    def _establish(self) -> None:
        self._up.set()
        if self._audio is not None and self._events is not None and not self._over:
            self._audio.start(self._events.on_audio)

    def _on_rtp_key(self, key: str) -> None:
        # Some far ends tell a key in both ways; then the one in the audio counts.
        told, at = self._key_by_info
        again = not self._keys_by_rtp and key == told and self._stack.now - at < _SAME_KEY_S
        self._keys_by_rtp = True
        if not again:
            self._tell_key(key)

    def _tell_key(self, key: str) -> None:
        if self._events is not None and not self._over and self._up.is_set():
            self._events.on_dtmf(key)

    # The end.

    def _end(self, event: Ended) -> None:
        if self._over:
            return
        events, up = self._events, self._up.is_set()
        if event.by is Side.THEM and self.call is not None and self.call.transfers.accepted:
            self._refer_goes(_AGREED, final=True)
        broken = event.by is Side.NETWORK and (up or self._answering)
        self._close()
        if events is None:
            return
        if broken:
            events.on_broken(event.reason)
        else:
            events.on_hangup(200 if up else event.status, event.reason)

    def _close(self) -> None:
        if self._over:
            return
        self._over = True
        self.on_over(self)
        self._up.set()  # a task that waits for the answer then checks the state of the call
        if self._audio is not None:
            facts = self._audio.facts()
            if facts and self._events is not None:
                self._events.on_media(facts)
            stats = self._audio.close()
            self._audio = None
            logs.of_call(__name__, self._call_sid).info("audio of the SIP leg", extra=stats)


class InboundLeg(SipLeg):
    """The leg of a caller. `take` its offer before it is admitted."""

    def __init__(
        self,
        stack: SipStack,
        call: InboundCall,
        trunk_id: str | None,
        *,
        srtp: SrtpPolicy = "offered",
    ) -> None:
        super().__init__(stack, trunk_id)
        self.call: InboundCall = call
        self._srtp: SrtpPolicy = srtp

    @property
    def sip_call_id(self) -> str:
        """Return the INVITE's Call-ID."""
        return self.call.call_id

    def take(self) -> bool:
        """Take the offer. Return False if the call has been refused, for want of usable audio."""
        try:
            audio = self._open_audio(self._srtp)
        except NoPortError:
            self.refuse(503)
            return False
        if self.call.take(audio.media, self._stack.now):
            return True
        self._close()
        return False

    def refuse(self, code: int, reason: str = "") -> None:
        """Refuse a call that is not admitted."""
        self.call.reject(self._stack.now, code, reason)
        self._close()

    def ring(self) -> None:
        """Send 180."""
        self.call.ring(self._stack.now)
        self._stack.flush()

    async def answer(self) -> None:
        """Send 200; return when the caller has acknowledged it, or is gone."""
        if not self._answering:
            self._answering = True
            self.call.answer(self._stack.now)
            self._stack.flush()
        await self._up.wait()

    def reject(self, release: Release) -> None:
        """Send a final response: the release's own code if it is one that callers may get."""
        if self._over:
            return
        code = release.sip_code if release.sip_code in REASONS else _FALLBACK
        # 487 answers a CANCEL; it makes no sense as a refusal of ours.
        code = _FALLBACK if code == _CANCELLED else code
        if self._answering:
            self.hangup(release)
            return
        self.refuse(code, REASONS[code])
        self._stack.flush()
