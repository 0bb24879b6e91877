"""The peer's audio line: the one of an offer that we can take, the one that answers ours."""

from __future__ import annotations

from typing import Literal

from gateway.sip.session import audio_line as audio
from gateway.sip.session import sdes
from gateway.sip.session.audio_line import PLAIN, SECURE, Law, NotAcceptable
from gateway.sip.session.sdes import Crypto, Srtp
from gateway.sip.session.sdp import Media, Session

SrtpPolicy = Literal["off", "offered", "required"]


def choose(
    offer: Session, our_host: str, laws: tuple[Law, ...], policy: SrtpPolicy
) -> tuple[int, Crypto | None]:
    """Return the place of the first usable audio line, and its a=crypto line if it is protected.

    Raise NotAcceptable with the reason why the first audio line is not usable.
    """
    refusals = []
    for at, line in enumerate(offer.media):
        if line.kind != "audio" or line.port == 0:
            continue
        try:
            audio.check_family(audio.host(offer, line), our_host)
            protection = _offered_protection(line, policy)
            audio.law(audio.formats(line), laws)
        except NotAcceptable as why:
            refusals.append(why)
        else:
            return at, protection
    if refusals:
        raise refusals[0]
    reason = "only calls with audio are taken, and the offer has none"
    raise NotAcceptable(reason, audio.NO_AUDIO)


def answering(answer: Session, ours: Session, at: int) -> Media:
    """Return the line that answers our audio. Raise NotAcceptable if it cannot (RFC 3264 6)."""
    if len(answer.media) != len(ours.media):
        raise NotAcceptable(
            f"the answer has {len(answer.media)} m= lines, the offer {len(ours.media)}"
        )
    line, offered = answer.media[at], ours.media[at]
    if line.kind != "audio" or line.port == 0:
        raise NotAcceptable("the answer refuses the audio", audio.NO_AUDIO)
    kind = SECURE if offered.protocol.upper() in SECURE else PLAIN
    if line.protocol.upper() not in kind:
        raise NotAcceptable(
            f"the answer has {line.protocol}, the offer {offered.protocol}", audio.TRANSPORT
        )
    return line


def _offered_protection(line: Media, policy: SrtpPolicy) -> Crypto | None:
    """Return the a=crypto line to be taken; None is plain RTP. Raise NotAcceptable.

    Under RTP/AVP a=crypto counts only for those who do "opportunistic" SRTP (RFC 8643).
    """
    profile = line.protocol.upper()
    if profile not in PLAIN | SECURE:
        raise NotAcceptable(f"{line.protocol} is not spoken here", audio.TRANSPORT)
    if profile in PLAIN and policy == "required":
        raise NotAcceptable(
            f"this trunk takes calls with SRTP only: RTP/SAVP, not {line.protocol}",
            audio.TRANSPORT,
        )
    if profile in SECURE and policy == "off":
        raise NotAcceptable(
            f"SRTP is off for this trunk: RTP/AVP, not {line.protocol}", audio.TRANSPORT
        )
    if policy == "off":
        return None
    usable, reasons = sdes.readable(line)
    best = sdes.best(usable)
    if best is None and profile in SECURE:
        raise NotAcceptable(_no_key("offer", reasons))
    return best


def answered_protection(ours: Media, theirs: Media) -> Srtp | None:
    """Return the protection that an answer chose; None is plain RTP. Raise NotAcceptable.

    An answer repeats tag and suite of one of our lines (RFC 4568 5.1.3). If we offered no key, its
    a=crypto lines mean nothing and are passed over (RFC 8866 5.13).
    """
    offered, _ = sdes.readable(ours)
    secure = ours.protocol.upper() in SECURE
    if not offered or not (secure or theirs.has("crypto")):
        return None
    usable, reasons = sdes.readable(theirs)
    for line in usable:
        for own in offered:
            if (line.tag, line.suite) == (own.tag, own.suite):
                return Srtp(own.suite, own.key, line.key)
        reasons.append(f"{line.suite} with tag {line.tag} was not offered")
    raise NotAcceptable(_no_key("answer", reasons))


def _no_key(where: str, reasons: list[str]) -> str:
    why = "; ".join(reasons[:4]) or "it has no a=crypto line"
    return f"the {where} has no usable key for SRTP: {why}"
