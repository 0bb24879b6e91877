"""A call that comes in: ring, answer or reject it (RFC 3261 13.3, RFC 3262)."""

from __future__ import annotations

from gateway.sip.context import Context
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.dialog import Dialog
from gateway.sip.dialog.media import Media
from gateway.sip.dialog.reliable import ReliableResponses
from gateway.sip.dialog.state import CallState
from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.events import Established, Side
from gateway.sip.syntax.body import session_description
from gateway.sip.syntax.message import Request, respond
from gateway.sip.syntax.uri import parse_sip_uri
from gateway.sip.transaction.server import ServerTransaction

InviteKey = tuple[str, str, int]


def invite_key(invite: Request) -> InviteKey:
    """Return what the branches of one INVITE have in common (RFC 3261 8.2.2.2)."""
    return invite.call_id, invite.from_.tag, invite.cseq.number


def _own_user(invite: Request) -> str:
    """Return the user of our Contact: the one that was called, which the caller knows anyway."""
    try:
        return parse_sip_uri(invite.uri).user
    except SipSyntaxError:
        return ""


class InboundCall(Call):
    """A call that came in. `take` its offer first; then `ring`, `progress`, `answer`, `reject`."""

    def __init__(
        self, context: Context, transaction: ServerTransaction, replaces: Call | None = None
    ) -> None:
        super().__init__(context, transaction.flow, user=_own_user(transaction.request))
        self.invite = transaction.request
        self.replaces = replaces
        """The call in whose place this one shall come (RFC 3891); it is ended on answer."""
        self.dialog = Dialog.of_incoming(
            self.invite, self.tag, int.from_bytes(context.words.random_bytes(2), "big") + 1
        )
        self.call_id = self.invite.call_id
        self.learn(self.invite)
        self.renegotiation.calls_by_us = False
        self._transaction = transaction
        self._reliable = ReliableResponses(self, transaction)
        self._body: bytes | None = None
        self._acknowledged = False
        self._answer_wanted = False
        transaction.user = self
        context.keep(self)
        context.invites.add(self.key)

    # Commands.

    def take(self, media: Media, now: float) -> bool:
        """Take the offer of the INVITE. Return False if it is refused now: 488, 415, 422 or 400.

        `media` answers it, and makes the offer if the INVITE has none.
        """
        self.media = media
        try:
            self.session_timer.check(self.invite)
            offer = session_description(self.invite)
            if offer is not None:
                self._body = media.take_offer(offer)
        except Refusal as refusal:
            self._refuse_call(refusal, now)
            return False
        return True

    def ring(self, now: float) -> None:
        """Tell the caller that it rings (180)."""
        self._provisional(180, b"", now)

    def progress(self, now: float) -> None:
        """Open the audio before the call is answered (183 with our answer)."""
        if self._body is not None:
            self._provisional(183, self._body, now)
            self.agree()

    def answer(self, now: float) -> None:
        """Answer with 200. `Established` follows when the caller has acknowledged it."""
        if self.state not in (CallState.NEW, CallState.EARLY) or self._answer_wanted:
            return
        self._answer_wanted = True
        if not self._reliable.waiting:
            self._send_answer(now)

    def reject(self, now: float, status: int, reason: str = "") -> None:
        """Refuse the call with a final status."""
        self._refuse_call(Refusal(status, reason), now)

    def hangup(self, now: float, reason: str = "") -> None:
        """End the call: a refusal before it is answered, BYE afterwards.

        Between our 200 and its ACK no BYE may be sent (RFC 3261 15); it follows the ACK.
        """
        if self.state in (CallState.NEW, CallState.EARLY):
            self.reject(now, 480, reason)
        elif self.state is CallState.UP and not self._acknowledged:
            self.end(200, reason or "hung up", Side.US)
        else:
            super().hangup(now, reason)

    @property
    def keeps_waiting(self) -> bool:
        """Return whether the ACK of our 200 is still to come; a BYE follows it then."""
        return self.renegotiation.answers.waiting and not self._acknowledged

    def forgotten(self) -> None:
        """Let other branches of the INVITE come."""
        self.context.invites.discard(self.key)

    def dialog_of(self, request: Request) -> Dialog | None:
        """Return the dialog if a request of the far end belongs to it."""
        remote = self.established.remote.tag
        return self.dialog if request.from_.tag == remote else None

    # How it goes on.

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """End a call that the caller has given up."""
        self.reply(transaction, 487, now)
        self._stop_ringing()
        self.end(487, "the caller hung up", Side.THEM)

    def on_no_ack(self, transaction: ServerTransaction, now: float) -> None:
        """Do nothing: a refusal that is not acknowledged has ended the call all the same."""

    def answered_early(self, answer: bytes) -> None:
        """Answer the call with this description: it is the one in force."""
        if self.state is not CallState.UP:
            self._body = answer

    def on_bye(self, reason: str, now: float) -> None:
        """End a call by BYE, which some callers send instead of CANCEL."""
        if self.state in (CallState.NEW, CallState.EARLY):
            self.reply(self._transaction, 487, now)
            self._stop_ringing()
        super().on_bye(reason, now)

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK; the first one establishes the call."""
        first = not self._acknowledged and self.renegotiation.answers.waiting
        if self.state is CallState.ENDED:
            if first and self.renegotiation.answers.on_ack(ack):
                self._acknowledged = True
                if not self.said_bye:
                    self.bye(now)
                self.context.forget(self)
            return
        super().on_ack(ack, now)
        if first and not self.renegotiation.answers.waiting:
            self._acknowledged = True
            if self.state is CallState.UP:
                self.tell(Established(self))

    def on_prack(self, transaction: ServerTransaction, now: float) -> None:
        """Take a PRACK, and send what had to wait for it."""
        self._reliable.on_prack(transaction, now)
        if self._answer_wanted and not self._reliable.waiting:
            self._send_answer(now)

    # Responses.

    def _provisional(self, status: int, body: bytes, now: float) -> None:
        if self.state not in (CallState.NEW, CallState.EARLY) or self._answer_wanted:
            return
        self.state = CallState.EARLY
        if self._body is None and self._reliable.required:
            return  # a reliable response would have to hold our offer (RFC 3261 13.2.1)
        response = respond(self.invite, status, tag=self.tag, headers={"Contact": self.contact})
        if body:
            response.headers.put("Content-Type", "application/sdp")
            response.body = body
        self._reliable.send(response, now)

    def _send_answer(self, now: float) -> None:
        if self.state not in (CallState.NEW, CallState.EARLY):
            return
        if self._body is None:
            self.renegotiation.offered = True
            self._body = self.audio.make_offer("sendrecv")
        self.state = CallState.UP
        headers = self.session_timer.on_request(self.invite, now)
        response = self.reply(self._transaction, 200, now, body=self._body, headers=headers)
        self.renegotiation.answers.start(self._transaction, response, now)
        if not self.renegotiation.offered:
            self.agree()
        if self.replaces is not None:
            self.replaces.hangup(now, "replaced by another call")

    def _refuse_call(self, refusal: Refusal, now: float) -> None:
        if self.state in (CallState.NEW, CallState.EARLY):
            self.refuse(self._transaction, refusal, now)
            self._stop_ringing()
            self.end(refusal.status, refusal.reason, Side.US)

    @property
    def key(self) -> InviteKey:
        """Return what other branches of this INVITE have in common with it."""
        return invite_key(self.invite)

    def _stop_ringing(self) -> None:
        self._reliable.stop()
