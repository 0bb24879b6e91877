"""A call: what calls in and out have in common once there is a dialog."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.sip.context import ALLOW, SUPPORTED, Context
from gateway.sip.dialog.dialog import Dialog
from gateway.sip.dialog.in_dialog import OnResponse, send_in_dialog
from gateway.sip.dialog.info import dtmf_body, parse_dtmf
from gateway.sip.dialog.media import Media
from gateway.sip.dialog.renegotiation import Renegotiation
from gateway.sip.dialog.session_timer import SessionTimer
from gateway.sip.dialog.state import CallState
from gateway.sip.dialog.transfer import Transfer
from gateway.sip.errors import Refusal
from gateway.sip.events import Ended, Event, KeyPressed, MediaAgreed, Side
from gateway.sip.exchange import Authoriser, Exchange
from gateway.sip.session.audio_line import Direction
from gateway.sip.syntax.body import SDP
from gateway.sip.syntax.grammar import quote
from gateway.sip.syntax.message import Request, Response, respond
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.server import ServerTransaction

_LONGEST_REASON = 200


class Call:
    """A call of either direction. Commands take the time; what happens is told as events."""

    def __init__(
        self,
        context: Context,
        flow: Flow,
        *,
        user: str,
        media: Media | None = None,
        authoriser: Authoriser | None = None,
    ) -> None:
        self.context = context
        self.flow = flow
        self.media = media
        self.user = user
        """The user part of our Contact."""
        self.authoriser = authoriser
        self.state = CallState.NEW
        self.dialog: Dialog | None = None
        self.agreed = False
        """True if an offer has been answered."""
        self.allowed: set[str] = set()
        """The methods that the far end takes, in lower case; empty if it does not say."""
        self.said_bye = False
        """True if the far end has said BYE: it needs none of ours."""
        self.tag = context.words.tag()
        self.call_id = ""
        self.renegotiation = Renegotiation(self)
        self.session_timer = SessionTimer(self)
        self.transfers = Transfer(self)

    @property
    def audio(self) -> Media:
        """Return the media of a call that has some."""
        if self.media is None:
            raise RuntimeError("the call has no media yet: take its offer first")
        return self.media

    @property
    def contact(self) -> str:
        """Return our Contact."""
        return self.context.contact(self.flow, self.user)

    @property
    def established(self) -> Dialog:
        """Return the dialog of a call that has one."""
        if self.dialog is None:
            raise RuntimeError("the call has no dialog yet")
        return self.dialog

    # Commands.

    def hangup(self, now: float, reason: str = "") -> None:
        """End the call, whatever its state is."""
        if self.state is CallState.UP:
            self.bye(now, reason)
            self.end(200, reason or "hung up", Side.US)

    def hold(self, direction: Direction, now: float) -> None:
        """Change the direction of the audio: `sendonly` puts the far end on hold."""
        self.renegotiation.offer(direction, now)

    def press(self, key: str, now: float) -> None:
        """Send a key by INFO, for far ends that take no telephone-events."""
        if self.state is CallState.UP:
            request = self.request("INFO")
            request.headers.add("Content-Type", "application/dtmf-relay")
            request.body = dtmf_body(key)
            self.send(request, now)

    def transfer(self, target: str, now: float, *, replaces: Call | None = None) -> None:
        """Ask the far end to call `target` instead of us; with `replaces`, in that call's place."""
        if self.state is CallState.UP:
            self.transfers.ask(target, now, replaces)

    # Requests of ours.

    def request(self, method: str) -> Request:
        """Return a request in the dialog."""
        return self.established.request(method)

    def send(
        self,
        request: Request,
        now: float,
        on_response: OnResponse | None = None,
        *,
        dialog: Dialog | None = None,
    ) -> Exchange:
        """Send a request in the dialog; the call ends if the far end does not know it any more.

        `dialog` is that of another fork.
        """
        return send_in_dialog(self, request, now, on_response, dialog or self.established)

    def bye(self, now: float, reason: str = "") -> None:
        """Send BYE with a Reason (RFC 3326)."""
        request = self.request("BYE")
        if reason:
            # One line: the reason may be the far end's own words, or an operator's.
            text = quote(" ".join(reason.split())[:_LONGEST_REASON])
            request.headers.add("Reason", f"SIP;cause=200;text={text}")
        self.send(request, now)

    # Requests of the far end.

    def on_request(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a request in the dialog."""
        try:
            dialog = self.dialog_of(transaction.request)
            if dialog is None:
                raise Refusal(481, "")
            dialog.check_order(transaction.request)
            if dialog is self.dialog and self.state is not CallState.ENDED:
                self._handle(transaction, now)
            else:
                self._handle_aside(transaction, dialog, now)
        except Refusal as refusal:
            self.refuse(transaction, refusal, now)

    def _handle_aside(self, transaction: ServerTransaction, dialog: Dialog, now: float) -> None:
        """Answer a request of a call that is over, or of a called party that is not the call's."""
        if transaction.request.method == "BYE":
            self.said_bye = self.said_bye or dialog is self.dialog
            self.reply(transaction, 200, now)
        elif self.state in (CallState.UP, CallState.ENDED):
            raise Refusal(481, "")
        else:
            raise Refusal(491, "Another called party is heard at present")

    def forgotten(self) -> None:
        """Do what is left to do when no message finds the call any more."""

    def dialog_of(self, request: Request) -> Dialog | None:
        """Return the dialog of a request of the far end; None if it is of none."""
        raise NotImplementedError

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK of a 2xx of ours."""
        self.renegotiation.on_ack(ack, now)

    def _handle(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        match request.method:
            case "BYE":
                self.said_bye = True
                self.reply(transaction, 200, now)
                reason = request.headers.get("Reason")
                self.on_bye(reason or "the far end hung up", now)
            case "INVITE" | "UPDATE":
                self.renegotiation.on_offer(transaction, now)
            case "INFO":
                self._on_info(transaction, now)
            case "OPTIONS":
                self.reply(transaction, 200, now, headers={"Allow": ALLOW, "Accept": SDP})
            case "PRACK":
                self.on_prack(transaction, now)
            case "REFER":
                self.transfers.on_refer(transaction, now)
            case "NOTIFY":
                self.transfers.on_notify(transaction, now)
            case _:
                raise Refusal(405, "", Allow=ALLOW)

    def on_prack(self, transaction: ServerTransaction, now: float) -> None:  # noqa: ARG002
        """Refuse a PRACK: this call has sent nothing that is to be acknowledged."""
        raise Refusal(481, "This PRACK acknowledges nothing")

    def on_bye(self, reason: str, now: float) -> None:  # noqa: ARG002 - subclasses need the time
        """End a call that the far end has ended."""
        self.end(200, reason, Side.THEM)

    def _on_info(self, transaction: ServerTransaction, now: float) -> None:
        """Answer an INFO; one with a key is told. Others are 200 as well (RFC 6086 4.2.2)."""
        pressed = parse_dtmf(transaction.request)
        self.reply(transaction, 200, now)
        if pressed is not None:
            self.tell(KeyPressed(self, *pressed))

    # Responses of ours.

    def reply(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        body: bytes = b"",
        headers: Mapping[str, object] = MappingProxyType({}),
    ) -> Response:
        """Answer a request; INVITE, UPDATE and REFER get our Contact as well."""
        request = transaction.request
        response = respond(request, status, tag=self.tag, headers=headers)
        if request.method in ("INVITE", "UPDATE", "REFER") and 100 < status < 300:
            response.headers.put("Contact", self.contact)
            response.headers.put("Allow", ALLOW)
            response.headers.put("Supported", ", ".join(sorted(SUPPORTED)))
        if body:
            response.headers.put("Content-Type", SDP)
            response.body = body
        self.context.respond(transaction, response, now)
        return response

    def refuse(self, transaction: ServerTransaction, refusal: Refusal, now: float) -> None:
        """Answer a request with the status and the reason of a refusal."""
        self.context.refuse(transaction, refusal, now, tag=self.tag)

    # The end.

    def end(self, status: int, reason: str, by: Side, contacts: tuple[str, ...] = ()) -> None:
        """Note the end of the call and tell it, once."""
        if self.state is CallState.ENDED:
            return
        self.state = CallState.ENDED
        self.session_timer.stop()
        self.renegotiation.stop()
        self.context.tell(Ended(self, status, reason, by, contacts))
        if not self.keeps_waiting:
            self.context.forget(self)

    @property
    def keeps_waiting(self) -> bool:
        """Return whether something must still be received after the end."""
        return False

    def agree(self) -> None:
        """Note and tell that an offer has been answered."""
        self.agreed = True
        self.tell(MediaAgreed(self))

    def tell(self, event: Event) -> None:
        """Tell an event of the call, unless it is over."""
        if self.state is not CallState.ENDED:
            self.context.tell(event)

    def answered_early(self, answer: bytes) -> None:
        """Note an answer to a new offer that came before the call was answered."""

    def learn(self, message: Request | Response) -> None:
        """Note the methods that the far end takes."""
        if "Allow" in message.headers:
            self.allowed = message.headers.tokens("Allow")

    def lose(self, status: int, reason: str, now: float) -> None:
        """End a call whose far end is gone; a BYE is sent all the same (RFC 5057 5.1)."""
        if self.state is CallState.UP:
            self.bye(now, reason)
            self.end(status, reason, Side.NETWORK)
