"""A call that we make: INVITE, its forks, CANCEL, and the first answer."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.sip.context import ALLOW, SUPPORTED, Context
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.cancel import Unheard, cancel_of
from gateway.sip.dialog.dialog import Dialog
from gateway.sip.dialog.fork import Fork, Forks
from gateway.sip.dialog.media import Media
from gateway.sip.dialog.refusals import contacts_of, why
from gateway.sip.dialog.state import CallState
from gateway.sip.errors import Refusal
from gateway.sip.events import Established, Progress, Side
from gateway.sip.exchange import Authoriser, Exchange
from gateway.sip.syntax.body import session_description
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import Failure

_RINGS_AT_MOST = 180.0
"""Seconds without a response after which a ringing call is cancelled (RFC 3261 16.6, timer C)."""
_TOO_SMALL = 422
_MAX_LONGER = 3
"""Times that one call is dialled again with a longer session interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """A call to be made: to whom, as whom and by which way."""

    target: str
    """The request URI."""
    to: Address
    from_: Address
    flow: Flow
    user: str
    """The user part of our Contact."""
    routes: tuple[str, ...] = ()
    """Name-addrs of outbound proxies."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further fields of the INVITE, e.g. P-Asserted-Identity."""
    session_expires: int = 0
    """Seconds of the session timer to ask for; 0: none."""
    heard_within: float | None = None
    """Seconds in which the far end must have said anything about an INVITE, 100 included; then the
    call ends with 408. None: as long as the transaction lasts."""


class OutboundCall(Call):
    """A call that we make. Without `media` nothing can be offered, so it is always there."""

    def __init__(
        self, context: Context, dial: Dial, media: Media, authoriser: Authoriser | None
    ) -> None:
        super().__init__(context, dial.flow, user=dial.user, media=media, authoriser=authoriser)
        self.dial = dial
        self.call_id = context.words.call_id(context.host_of(dial.flow))
        self.session_timer.wanted = dial.session_expires
        self._offered = media
        """The media with our offer out; each fork's answer is taken by a copy."""
        self._offer = b""
        self._cseq = 0
        self._exchange: Exchange | None = None
        self._forks = Forks(self)
        self._longer = 0
        self._hung_up = False
        self._cancelled = False

    # Commands.

    def start(self, now: float) -> None:
        """Send the INVITE."""
        self._offer = self._offered.make_offer("sendrecv")
        self.context.keep(self)
        self._invite(now)

    def hangup(self, now: float, reason: str = "") -> None:
        """End the call: CANCEL as long as nobody has answered, BYE afterwards."""
        if self.state in (CallState.UP, CallState.ENDED):
            super().hangup(now, reason)
            return
        self._hung_up = True
        if self._exchange is not None:
            self._exchange.wanted = False
        self._cancel_if_possible(now)

    def dialog_of(self, request: Request) -> Dialog | None:
        """Return the dialog of a request of the far end, which may be of any fork."""
        fork = self._forks.get(request.from_.tag)
        return fork.dialog if fork is not None else None

    def on_bye(self, reason: str, now: float) -> None:
        """End the call. A called party that rings may not say BYE (RFC 3261 15), but some do."""
        if self.state is CallState.UP:
            super().on_bye(reason, now)
            return
        self.hangup(now)
        self.end(480, reason, Side.THEM)

    def end(self, status: int, reason: str, by: Side, contacts: tuple[str, ...] = ()) -> None:
        """Note the end of the call and tell it, once."""
        self.context.timers.stop(self)
        super().end(status, reason, by, contacts)

    # The INVITE.

    def _invite(self, now: float) -> None:
        dial = self.dial
        request = Request("INVITE", dial.target)
        for route in dial.routes:
            request.headers.add("Route", route)
        request.headers.add("Max-Forwards", 70)
        request.headers.add("From", dial.from_.tagged(self.tag))
        request.headers.add("To", dial.to)
        request.headers.add("Call-ID", self.call_id)
        request.headers.add("CSeq", f"{self._next_cseq()} INVITE")
        request.headers.add("Contact", self.contact)
        request.headers.add("Allow", ALLOW)
        self.session_timer.write_request(request)
        request.headers.put("Supported", ", ".join(sorted(SUPPORTED)))
        for name, value in dial.headers:
            request.headers.add(name, value)
        request.headers.add("Content-Type", "application/sdp")
        request.body = self._offer
        self._exchange = Exchange(
            context=self.context,
            flow=self.flow,
            request=request,
            authoriser=self.authoriser,
            next_cseq=self._next_cseq,
            on_answer=self._on_response,
            on_no_answer=self._on_failure,
        )
        self._exchange.start(now)
        self.context.timers.start(self, "rings too long", now + _RINGS_AT_MOST)
        if dial.heard_within is not None:
            self.context.timers.start(self, "unheard", now + dial.heard_within)

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    def _on_failure(self, failure: Failure, now: float) -> None:  # noqa: ARG002 - a callback
        if self._hung_up:
            self.end(487, "cancelled", Side.US)
        else:
            status = 408 if failure is Failure.TIMEOUT else 503
            self.end(status, failure.value, Side.NETWORK)

    def _on_response(self, response: Response, now: float) -> None:
        if response.status < 200:
            self._on_provisional(response, now)
        elif response.status < 300:
            self._on_success(response, now)
        elif self.state is CallState.ENDED:
            return
        elif response.status == _TOO_SMALL and self._ask_longer(response):
            self._invite(now)
        elif self._hung_up:
            self.end(487, "cancelled", Side.US)
        else:
            self.end(response.status, why(response), Side.THEM, contacts=contacts_of(response))

    def _ask_longer(self, response: Response) -> bool:
        self._longer += 1
        if self._hung_up or self._longer > _MAX_LONGER:
            return False
        return self.session_timer.raise_to(response)

    # Provisional responses.

    def _on_provisional(self, response: Response, now: float) -> None:
        self.context.timers.stop(self, "unheard")
        self._cancel_if_possible(now)
        if self.state is CallState.ENDED or response.status == 100:
            return
        self.context.timers.start(self, "rings too long", now + _RINGS_AT_MOST)
        try:
            fork = self._forks.of(response)
        except Refusal:
            fork = None  # it rings all the same; the final answer may be better
        if fork is not None:
            self.dialog = fork.dialog
            self.learn(response)
            reliable = fork.acknowledge(response, now)
            if reliable is False:
                return  # a repetition
            self._take_early(fork, response, reliable=bool(reliable))
        self.state = CallState.EARLY
        if not self._hung_up:
            self.tell(Progress(self, response.status))

    def _take_early(self, fork: Fork, response: Response, *, reliable: bool) -> None:
        """Take the answer in a provisional response, which is early media."""
        try:
            answer = session_description(response)
            if answer is not None and not fork.settled:
                self._take_answer(fork, answer)
                fork.settled = reliable
        except Refusal:
            return  # the final answer may be better

    def _take_answer(self, fork: Fork, answer: bytes) -> None:
        media = self._offered.fork()
        media.take_answer(answer)
        self.media = fork.media = media
        self.agree()

    # The answer.

    def _on_success(self, response: Response, now: float) -> None:
        try:
            fork = self._forks.of(response)
        except Refusal as refusal:
            self._refuse_answer(response, refusal, now)
            return
        if fork.answered:
            fork.acknowledge_again()
            return
        fork.confirm(response)
        if self.state in (CallState.UP, CallState.ENDED):
            fork.release(now)  # another called party was quicker, or we have hung up
            return
        self.dialog = fork.dialog
        self.context.timers.stop(self)
        if self._hung_up:
            fork.release(now)
            self.end(487, "cancelled", Side.US)
            return
        self._establish(fork, response, now)

    def _refuse_answer(self, response: Response, refusal: Refusal, now: float) -> None:
        """Acknowledge and end an answer that opens no dialog; the call is over if it has no other.

        Without an ACK the called party would go on answering, and without an end the call go on
        waiting.
        """
        fork = self._forks.makeshift(response)
        fork.confirm(response)
        fork.release(now)
        if self.state is not CallState.UP:
            self.end(488, f"the answer cannot be used: {refusal.reason}", Side.US)

    def _establish(self, fork: Fork, response: Response, now: float) -> None:
        """Take the answer of a 2xx; end a call without a usable one at once."""
        self.learn(response)
        self.state = CallState.UP
        try:
            answer = session_description(response)
            if answer is not None and not fork.settled:
                self._take_answer(fork, answer)
            elif fork.media is None:
                raise Refusal(488, "the answer holds no session description")
            elif self.media is not fork.media:
                self.media = fork.media
                self.agree()
        except Refusal as refusal:
            self.bye(now, refusal.reason)
            self.end(488, f"the answer cannot be used: {refusal.reason}", Side.US)
            return
        self.session_timer.on_response(response, now)
        self.tell(Established(self))
        self.renegotiation.proceed(now)

    # CANCEL.

    def _cancel_if_possible(self, now: float) -> None:
        """Send CANCEL once the far end has answered provisionally, not before (9.1)."""
        transaction = self._exchange.transaction if self._exchange is not None else None
        if (
            not self._hung_up
            or self._cancelled
            or transaction is None
            or not 100 <= transaction.status < 200
        ):
            return
        self._cancelled = True
        self.context.transactions.send(cancel_of(transaction.request), self.flow, Unheard(), now)
        transaction.expect_end(now)

    def on_timer(self, name: str, now: float) -> None:
        """Cancel a call that rings too long; end one about which nothing was heard. The latter's
        INVITE is cancelled once something is, and an answer to it gets ACK and BYE.
        """
        given_up = self._hung_up
        self.hangup(now)
        if name == "unheard" and not given_up:
            self.end(408, "nothing was heard of the far end", Side.NETWORK)

    @property
    def invite(self) -> Request:
        """Return the INVITE as it was sent last."""
        if self._exchange is None:
            raise RuntimeError("the call has not been started")
        return self._exchange.request
