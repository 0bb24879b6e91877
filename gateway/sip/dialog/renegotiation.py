"""New offers in a call that is up: re-INVITE and UPDATE, from either side (RFC 3261 14, 3311)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.dialog.answer_repeater import AnswerRepeater
from gateway.sip.dialog.state import CallState
from gateway.sip.errors import Refusal
from gateway.sip.events import Side
from gateway.sip.exchange import Exchange, copy_credentials
from gateway.sip.session.audio_line import Direction
from gateway.sip.syntax.body import session_description
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from gateway.sip.dialog.call import Call

_PENDING = 491
_ANSWERED_WITHIN = 60.0
"""Seconds in which a re-INVITE is answered at last; a 100 must not hold it for ever."""
_CALL_IDS_OWNER_WAITS = (2.1, 4.0)
_OTHER_WAITS = (0.0, 2.0)
"""Seconds before a re-INVITE is tried again that crossed another (RFC 3261 14.1)."""


class Renegotiation:
    """The offers of one call after the first one. At most one is out at a time."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._context = call.context
        self.answers = AnswerRepeater(call.context.timers, self._miss_ack)
        """The 2xx of ours that wait for an ACK, the first one of an inbound call included."""
        self.offered = False
        """True if our offer is in a 2xx and the answer is to come in the ACK."""
        self._exchange: Exchange | None = None
        """Our last re-INVITE."""
        self._out = False
        """True if a re-INVITE of ours has no final response yet."""
        self._direction: Direction = "sendrecv"
        self._wanted: Direction | None = None
        """The direction to be offered as soon as nothing else is out."""
        self._ack = (0, b"")
        """CSeq and bytes of our last ACK, for repeated 2xx."""
        self.calls_by_us = True
        """True if we made the Call-ID."""

    # Offers of ours.

    def offer(self, direction: Direction, now: float) -> None:
        """Offer that direction now, or as soon as the call is free for it."""
        self._wanted = direction
        self.proceed(now)

    def refresh(self, now: float) -> None:
        """Send the present session description once more, to refresh the session."""
        if self._wanted is None:
            self.offer(self._direction, now)

    def proceed(self, now: float) -> None:
        """Send the offer that waits, if the call is free for it."""
        call = self._call
        waits = self._context.timers.runs(self, "retry")
        if (
            self._wanted is None
            or self._out
            or self.answers.waiting
            or waits
            or call.state is not CallState.UP
        ):
            return
        self._direction, self._wanted = self._wanted, None
        self._out = True
        request = call.request("INVITE")
        request.headers.add("Contact", call.contact)
        call.session_timer.write_request(request)
        request.headers.add("Content-Type", "application/sdp")
        request.body = call.audio.repeat_offer(self._direction)
        self._exchange = call.send(request, now, self._on_response)
        self._context.timers.start(self, "unanswered", now + _ANSWERED_WITHIN)

    def _on_response(self, response: Response, now: float) -> None:
        if response.status < 200:
            return
        self._context.timers.stop(self, "unanswered")
        if response.status < 300:
            self._accepted(response, now)
            return
        if self._call.state is CallState.ENDED:
            return
        self._out = False
        self._call.audio.rollback()
        if response.status == _PENDING:
            low, high = _CALL_IDS_OWNER_WAITS if self.calls_by_us else _OTHER_WAITS
            self._wanted = self._wanted or self._direction
            self._context.timers.start(self, "retry", now + self._context.words.between(low, high))
        else:
            self._call.session_timer.on_refused(response, now)
        self.proceed(now)

    def _accepted(self, response: Response, now: float) -> None:
        call, exchange = self._call, self._exchange
        if exchange is None or self._ack[0] == exchange.request.cseq.number:
            self._context.outbox.send(call.flow, self._ack[1])
            return
        self._out = False
        call.established.refresh_target(response)
        self._acknowledge(exchange.request)
        if call.state is CallState.ENDED:
            return
        try:
            call.audio.take_answer(session_description(response) or b"")
            call.agree()
        except Refusal:
            # The call goes on as it was; the far end has been told what we hold for agreed.
            call.audio.rollback()
        call.session_timer.on_response(response, now)
        self.proceed(now)

    def _acknowledge(self, invite: Request) -> None:
        """Send the ACK of a 2xx to our INVITE, and keep it for repetitions."""
        cseq = invite.cseq.number
        ack = self._call.established.request("ACK", cseq=cseq)
        copy_credentials(invite, ack)
        self._ack = cseq, self._context.send_ack(ack, self._call.flow)

    # Offers of the far end.

    def on_offer(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a re-INVITE or UPDATE; refuse with 488 what cannot be taken, and go on."""
        call, request = self._call, transaction.request
        if call.state is not CallState.UP and request.method == "INVITE":
            raise Refusal(500, "The first INVITE is not answered yet", Retry_After="1")
        if self._out or self.offered or self.answers.waiting:
            raise Refusal(_PENDING, "Another offer is not settled yet")
        call.session_timer.check(request)
        body = self.answer_to(request)
        call.established.refresh_target(request)
        call.learn(request)
        headers = call.session_timer.on_request(request, now)
        response = call.reply(transaction, 200, now, body=body, headers=headers)
        if request.method == "INVITE":
            self.answers.start(transaction, response, now)
        if body and not self.offered:
            call.agree()

    def answer_to(self, request: Request) -> bytes:
        """Return the body of the 200: an answer, or our offer if a re-INVITE has none."""
        call = self._call
        offer = session_description(request)
        if offer is not None and not call.agreed:
            raise Refusal(_PENDING, "The first offer is not answered yet")
        if offer is not None:
            answer = call.audio.take_offer(offer)
            call.answered_early(answer)
            return answer
        if request.method != "INVITE":
            return b""
        ours = call.audio.make_offer(self._direction)
        self.offered = True
        return ours

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK of a 2xx, with the answer if our offer was in the 2xx."""
        if not self.answers.on_ack(ack):
            return
        if self.offered:
            self.offered = False
            try:
                self._call.audio.take_answer(session_description(ack) or b"")
            except Refusal as refusal:
                self._call.audio.rollback()
                self._call.hangup(now, refusal.reason)
                return
            self._call.agree()
        self.proceed(now)

    def _miss_ack(self, now: float) -> None:
        call = self._call
        if not call.said_bye:
            call.bye(now, "no ACK")
        if call.state is CallState.ENDED:
            call.context.forget(call)
        call.end(408, "the far end did not acknowledge our answer", Side.NETWORK)

    def on_timer(self, name: str, now: float) -> None:
        """Try again after a crossing, or give up a re-INVITE that is not answered."""
        if name == "retry":
            self.proceed(now)
        elif self._exchange is not None and self._exchange.transaction is not None:
            self._exchange.transaction.expect_end(now)

    def stop(self) -> None:
        """Offer nothing more; the call is over. A re-INVITE that is out still has its end."""
        self._context.timers.stop(self, "retry")
        if not self._call.keeps_waiting:
            self.answers.stop()
        self._wanted = None
