"""Offers and answers of a call with one audio stream (RFC 3264).

Either side may offer: at first, late (we offer in the 200, the answer is in the ACK), and again
while the call lasts. Whatever cannot be agreed to raises NotAcceptable and changes nothing.

SRTP is a trunk's choice. `off`: plain RTP. `required`: RTP/SAVP with keys, nothing else. `offered`:
RTP/AVP with a=crypto beside it, "opportunistic" (RFC 8643): who knows no SRTP passes the line over
and answers plain RTP, while an offer of RTP/SAVP would leave such a peer no valid answer. A peer
that refuses even that, as FreeSWITCH does by default, is offered `off` in another INVITE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType

from gateway.sip.session import audio_line as audio
from gateway.sip.session import our_line, peer_line
from gateway.sip.session.agreement import Negotiated, State, agree
from gateway.sip.session.audio_line import Direction, Format, Law, NotAcceptable
from gateway.sip.session.our_line import Stream
from gateway.sip.session.peer_line import SrtpPolicy
from gateway.sip.session.sdes import SUITES, Crypto, Srtp
from gateway.sip.session.sdp import Connection, Media, Origin, Session

__all__ = ["Negotiated", "NotAcceptable", "OfferAnswer", "OfferOpen", "SrtpPolicy"]

OFFERED_SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""The suites that every implementation of RFC 4568 has. GCM is taken if the peer offers it."""


class OfferOpen(Exception):
    """An offer while ours has no answer yet. The peer's is refused with 491 (RFC 3261 14.2)."""


class OfferAnswer:
    """The exchanges of one call. `host` and `port` are where we receive RTP; RTCP comes to the
    next port. `random_bytes(n)` returns n bytes, for keys and for the session's id.
    """

    def __init__(
        self,
        host: str,
        port: int,
        random_bytes: Callable[[int], bytes],
        *,
        srtp: SrtpPolicy = "off",
        laws: tuple[Law, ...] = audio.LAWS,
    ) -> None:
        self._connection = Connection(host)
        self._port = port
        self._random = random_bytes
        self._policy = srtp
        self._laws = laws
        self._id = str(int.from_bytes(random_bytes(4)) >> 1)  # some peers keep it in 32 bits
        self._sent: Session | None = None
        self._state = self._before = State()

    @property
    def negotiated(self) -> Negotiated | None:
        """Return what holds now. An offer without an answer, or a refused one, changes nothing."""
        return self._state.negotiated

    @property
    def open(self) -> bool:
        """Return whether an offer of ours has no answer yet."""
        return self._state.open

    def make_offer(self, direction: Direction | None = None, *, rekey: bool = False) -> Session:
        """Offer everything we can do, as a late offer must (RFC 3261 14.2).

        Payload types and SRTP keys stay as they are; `rekey` makes a new key (RFC 4568 7.1.4).
        `direction` holds until another is given.
        """
        state = self._ready(direction)
        if rekey:
            state = replace(state, keys=MappingProxyType({}))
        agreed = state.negotiated
        suites = self._suites_to_offer(agreed)
        state = self._with_keys(state, suites)
        stream = Stream(
            state.formats(self._names_to_offer(agreed)),
            state.wants,
            agreed.ptime if agreed else audio.DEFAULT_PTIME,
            tuple(Crypto(tag, suite, state.keys[suite]) for tag, suite in enumerate(suites, 1)),
            agreed is not None and agreed.rtcp_mux,
        )
        line = our_line.describe(self._port, self._protocol_to_offer(state), stream)
        return self._offer(state, line)

    def repeat_offer(self, direction: Direction | None = None) -> Session:
        """Offer what we described last, unchanged but for a new direction: for a session refresh
        (RFC 4028 7.4) and for hold.
        """
        state = self._ready(direction)
        if state.ours is None:
            return self.make_offer(direction)
        return self._offer(state, our_line.turned(state.ours.media[state.at], state.wants))

    def take_offer(self, offer: Session, direction: Direction | None = None) -> Session:
        """Agree to an offer and return the answer. Raise NotAcceptable: it is answered 488.

        All lines but the first usable audio line are refused, each at its place (RFC 3264 6).
        """
        state = self._ready(direction)
        at, protection = peer_line.choose(offer, self._connection.address, self._laws, self._policy)
        theirs = offer.media[at]
        state = state.learn(theirs)
        crypto: tuple[Crypto, ...] = ()
        srtp = None
        if protection is not None:
            state = self._with_keys(state, (protection.suite,))
            our_key = state.keys[protection.suite]
            crypto = (replace(protection, key=our_key),)
            srtp = Srtp(protection.suite, our_key, protection.key)
        stream = Stream(
            self._formats_to_answer(theirs),
            audio.join(*audio.ways(state.wants, offer, theirs)),
            audio.ptime(theirs),
            crypto,
            theirs.has("rtcp-mux"),
        )
        line = our_line.describe(self._port, theirs.protocol, stream)
        agreed = agree(offer, at, line, state.wants, srtp)
        lines = (line if i == at else our_line.refused(m) for i, m in enumerate(offer.media))
        answer = self._description(lines, offer.times)
        self._before = self._state
        self._state = replace(state, ours=answer, at=at, negotiated=agreed)
        return answer

    def take_answer(self, answer: Session) -> Negotiated:
        """Agree to the answer to our offer. Raise NotAcceptable: the offer stays open.

        An answer in an unreliable provisional response is a preview (RFC 3261 13.2.1), and carriers
        send another in the 200: let a copy of this object take each of them.
        """
        state = self._state
        if not state.open or state.ours is None:
            raise ValueError("there is no offer of ours that waits for an answer")
        line = state.ours.media[state.at]
        theirs = peer_line.answering(answer, state.ours, state.at)
        audio.check_family(audio.host(answer, theirs), self._connection.address)
        srtp = peer_line.answered_protection(line, theirs)
        agreed = agree(answer, state.at, line, state.wants, srtp)
        # Our own numbers last: what we described stays what we receive with.
        state = state.learn(theirs).learn(line)
        self._state = self._before = replace(state, negotiated=agreed, open=False)
        return agreed

    def rollback(self) -> None:
        """Return to what held before the last offer, ours or the peer's: it was refused, or the
        request that carried it failed.
        """
        self._state = self._before

    def _ready(self, direction: Direction | None) -> State:
        """Return the state to begin an exchange from. Raise OfferOpen."""
        if self._state.open:
            raise OfferOpen("our offer has no answer yet")
        return replace(self._state, wants=direction or self._state.wants)

    def _names_to_offer(self, agreed: Negotiated | None) -> list[str]:
        """Return the encodings to offer, the law in use first. Comfort noise is offered only if the
        peer did: who is offered it may leave out silence, which agents want to hear.
        """
        laws = sorted(self._laws, key=lambda law: agreed is None or law != agreed.law)
        noise = agreed is not None and agreed.comfort_noise is not None
        return [*laws, audio.EVENTS, *([audio.NOISE] if noise else [])]

    def _formats_to_answer(self, theirs: Media) -> tuple[Format, ...]:
        """Return the formats of an answer: the peer's first law, its events, its comfort noise."""
        found = audio.formats(theirs)
        wanted = (self._laws, (audio.EVENTS,), (audio.NOISE,))
        return tuple(chosen for names in wanted if (chosen := audio.first(found, *names)))

    def _suites_to_offer(self, agreed: Negotiated | None) -> tuple[str, ...]:
        """Return the suites to offer: at first all, later the one in use."""
        if agreed is not None:
            return (agreed.srtp.suite,) if agreed.srtp else ()
        return OFFERED_SUITES if self._policy != "off" else ()

    def _protocol_to_offer(self, state: State) -> str:
        if state.ours is not None:
            return state.ours.media[state.at].protocol
        return "RTP/SAVP" if self._policy == "required" else "RTP/AVP"

    def _with_keys(self, state: State, suites: Iterable[str]) -> State:
        """Return the state that has a key for each suite."""
        missing = {
            suite: self._random(SUITES[suite]) for suite in suites if suite not in state.keys
        }
        return replace(state, keys=MappingProxyType({**state.keys, **missing}))

    def _offer(self, state: State, line: Media) -> Session:
        """Open an offer with an audio line, and keep the lines that were refused (RFC 3264 8)."""
        old = state.ours.media if state.ours else (line,)
        lines = (line if i == state.at else our_line.refused(m) for i, m in enumerate(old))
        offer = self._description(lines, state.ours.times if state.ours else ("0 0",))
        self._before = self._state
        self._state = replace(state.learn(line), ours=offer, open=True)
        return offer

    def _description(self, lines: Iterable[Media], times: tuple[str, ...]) -> Session:
        """Describe our side. The version grows only if anything changed since what we sent last
        (RFC 3264 8), refused or not.
        """
        media, version = tuple(lines), 1
        if self._sent is not None:
            version = int(self._sent.origin.version)
            if (self._sent.media, self._sent.times) != (media, times):
                version += 1
        origin = Origin("-", self._id, str(version), self._connection)
        self._sent = Session(origin, self._connection, media, times=times)
        return self._sent
