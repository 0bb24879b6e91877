"""The audio of one SIP call: its port, its RTP, and the offers and answers about them."""

from __future__ import annotations

import ipaddress
import os
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from gateway.rtp.g711 import SILENT_FRAME
from gateway.rtp.leg import FRAME_MS, Leg
from gateway.rtp.plane import Plane
from gateway.rtp.settings import Direction, Law, Settings
from gateway.rtp.srtp import Keys, Suite
from gateway.rtp.voice_quality import Change, QualityWatch, mos, rating
from gateway.sip.session.agreement import Negotiated
from gateway.sip.session.audio_line import EVENTS
from gateway.sip.session.call_media import CallMedia
from gateway.sip.session.offer_answer import OfferAnswer, SrtpPolicy

MAX_WAITING = 50
"""Frames of 20 ms that wait to be sent; after a stall both clocks catch up, so this is enough."""

SPARE = 1
"""Frames that wait behind the one that is sent; if there are more, silence is left out."""


class CallAudio:
    """Binds a port when it is made; `close` gives it back. Raises NoPortError."""

    def __init__(
        self,
        plane: Plane,
        host: str,
        on_failed: Callable[[Exception], None],
        *,
        srtp: SrtpPolicy = "offered",
    ) -> None:
        """`host` is our address in descriptions."""
        self._plane = plane
        self._leg = Leg()
        self._leg.source = self._next
        self._watch = QualityWatch()
        self._frames: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._host = host
        self._port = plane.open(self._leg, on_failed)
        self.offer_anew(srtp)

    def offer_anew(self, srtp: SrtpPolicy) -> None:
        """Begin offers and answers anew, for another INVITE."""
        exchanges = OfferAnswer(self._host, self._port, os.urandom, srtp=srtp)
        self.media = CallMedia(exchanges, self._host)

    def agree(self, agreed: Negotiated, now: float) -> None:
        """Send and receive as both sides have agreed."""
        self._leg.apply(_settings(agreed), now)

    def start(self, on_frame: Callable[[bytes], None]) -> None:
        """Pass on what is heard: 160 bytes of mu-law every 20 ms."""
        self._leg.sink = on_frame

    def listen_for_keys(self, on_key: Callable[[str], None]) -> None:
        """Pass on the keys that come as telephone-events."""
        self._leg.on_key = on_key

    def play(self, frame: bytes) -> None:
        """Send 160 bytes of mu-law, behind those that wait."""
        self._frames.append(frame)

    def ask(self, source: Callable[[], bytes | None]) -> None:
        """Ask for 160 bytes of mu-law every 20 ms, in place of those that `play` leaves."""
        self._leg.source = source

    def press(self, key: str) -> bool:
        """Send a telephone-event. Return False if the far end takes none, or too many wait."""
        return self._leg.press(key)

    def silent_for(self, now: float) -> float:
        """Return the seconds for which nothing has come though it should have."""
        return self._leg.silent_for(now)

    def watch(self, now: float) -> Change | None:
        """Return a change of the quality of what comes; to be asked about once a second."""
        stats = self._leg.stats()
        return self._watch.note(stats.packets, stats.one_way, now)

    def facts(self) -> dict[str, str]:
        """Return the facts of what came so far, as webhooks have them; {} if nothing came."""
        stats, agreed = self._leg.stats(), self.media.negotiated
        if not stats.received:
            return {}
        packets = stats.packets
        estimate = mos(rating(packets.loss_pct, packets.burst_ratio, stats.one_way))
        facts = {
            "MediaJitter": f"{stats.jitter:.1f}",
            "MediaLoss": f"{packets.loss_pct:.2f}",
            "MediaConcealed": str(stats.concealed * FRAME_MS),
            "MediaMos": f"{estimate:.2f}",
        }
        if agreed is not None:
            facts["MediaCodec"] = agreed.law
        if stats.round_trip is not None:
            facts["MediaRoundTrip"] = f"{stats.round_trip:.1f}"
        return facts

    def close(self) -> dict[str, Any]:
        """Say goodbye and give the port back. Return the counts of the call."""
        stats = {name: value for name, value in asdict(self._leg.stats()).items() if value}
        self._plane.discard(self._leg)
        # The leg forgets us, so that both are freed now, with the keys and buffers of SRTP: garbage
        # would wait for a collection, which holds up the audio of all other calls.
        self._leg.source = self._leg.sink = None
        self._leg.on_key = _nobody_listens
        return stats

    def _next(self) -> bytes | None:
        frames = self._frames
        if not frames:
            return None
        frame = frames.popleft()
        # The call's clock and that of RTP are two. After a stall of the machine, frames are left
        # over that would delay the call for as long as it lasts: silent ones are left out.
        while len(frames) > SPARE and frame == SILENT_FRAME:
            frame = frames.popleft()
        return frame


def _nobody_listens(_key: str) -> None:
    """Ignore a key."""


def _settings(agreed: Negotiated) -> Settings:
    """Return what RTP must know of an agreement.

    Audio goes to where it comes from (latching): many carriers and PBXs are behind a translator.
    """
    sends, receives = agreed.may_send, agreed.may_receive
    direction = {
        (True, True): Direction.SENDRECV,
        (True, False): Direction.SENDONLY,
        (False, True): Direction.RECVONLY,
    }.get((sends, receives), Direction.INACTIVE)
    there = _is_address(agreed.host)
    events = next((each.number for each in agreed.expected if each.name == EVENTS), None)
    srtp = agreed.srtp
    return Settings(
        remote=(agreed.host, agreed.rtp_port) if there else None,
        payload_type=agreed.payload_type,
        law=Law(agreed.law),
        event_type=agreed.telephone_event,
        received_event_type=events,
        ptime=agreed.ptime,
        direction=direction,
        keys=Keys(Suite[srtp.suite], srtp.our_key, srtp.their_key) if srtp else None,
        latching=True,
        remote_rtcp=(agreed.host, agreed.rtcp_port) if there else None,
    )


def _is_address(host: str) -> bool:
    """Return whether audio can be sent there: a name is not looked up, 0.0.0.0 is a hold."""
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
