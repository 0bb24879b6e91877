"""The transactions of requests that we send: RFC 3261 17.1, with the state that RFC 6026 adds."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Protocol

from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.flow import Flow, Outbox
from gateway.sip.transaction.table import LIFE, T2, Failure, State, Table, Transaction
from gateway.sip.transaction.timers import Timers

_S = State


class ClientUser(Protocol):
    """Whoever sent a request."""

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Take a response: each provisional, the final one, and each 2xx of an INVITE."""

    def on_failure(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """Note that no final response will come."""


class ClientTransaction(Transaction):
    """A request of ours. `start` sends it."""

    first: ClassVar[State]

    def __init__(
        self, timers: Timers, outbox: Outbox, request: Request, flow: Flow, user: ClientUser
    ) -> None:
        # Whoever sent it may go on with it, e.g. sign it anew; the ACK is of what was sent here.
        request = replace(request, headers=request.headers.copy())
        super().__init__(timers, outbox, request, flow)
        self.key = (request.via.branch, request.method)
        self.status = 0
        """The status of the last response; 0: none yet."""
        self._user: ClientUser | None = user
        """Whoever sent the request; None when the transaction is over."""
        self._data = bytes(request)
        self._response: Response | None = None
        self._failure = Failure.TIMEOUT

    def start(self, now: float) -> None:
        """Send the request."""
        self._enter(self.first, now)
        self._send(now)

    def receive(self, response: Response, now: float) -> None:
        """Take a response that belongs to this transaction."""
        self._response = response
        if response.status < 200:
            self._step("1xx", now)
        elif response.status < 300:
            self._step("2xx", now)
        else:
            self._step("3xx-6xx", now)

    def lose_flow(self, now: float) -> None:
        """Fail if no final response has come."""
        self._failure = Failure.FLOW_LOST
        super().lose_flow(now)

    def expect_end(self, now: float) -> None:
        """Fail unless a final response comes within 64 T1: an INVITE has been cancelled (9.1).

        Without that, an INVITE that was answered provisionally waits for ever.
        """
        if self.state is State.PROCEEDING:
            self._wait_again("B", now, LIFE)

    def _send(self, now: float) -> None:  # noqa: ARG002 - an action
        self._outbox.send(self.flow, self._data)

    def _double_a(self, now: float) -> None:
        self._wait_again("A", now, 2 * self._waits["A"])

    def _lengthen_e(self, now: float) -> None:
        """Double timer E up to T2; once something provisional has come, wait T2 (17.1.2.2)."""
        self._wait_again("E", now, T2 if self.status else min(2 * self._waits["E"], T2))

    def _deliver(self, now: float) -> None:
        assert self._response is not None  # noqa: S101 - only `receive` leads here
        self.status = self._response.status
        if self._user is not None:
            self._user.on_response(self, self._response, now)

    def _fail(self, now: float) -> None:
        if self._user is not None:
            self._user.on_failure(self, self._failure, now)

    def _let_go(self) -> None:
        self._user = None

    def _acknowledge(self, now: float) -> None:  # noqa: ARG002 - an action
        """Send the ACK of a 3xx to 6xx, which is the transaction's business (17.1.1.3)."""
        assert self._response is not None  # noqa: S101 - only `receive` leads here
        request = self.request
        ack = Request("ACK", request.uri)
        ack.headers = Headers([("Via", str(request.via))])
        for name in ("Max-Forwards", "Route", "From"):
            for value in request.headers.all(name):
                ack.headers.add(name, value)
        ack.headers.add("To", self._response.headers.get("To"))
        ack.headers.add("Call-ID", request.call_id)
        ack.headers.add("CSeq", f"{request.cseq.number} ACK")
        self._outbox.send(self.flow, bytes(ack))


class InviteClient(ClientTransaction):
    """An INVITE of ours: RFC 3261 figure 5, RFC 6026 figure 1.

    A peer that has said 180 may be silent for ever: only `expect_end` limits that.
    """

    first = State.CALLING
    timers_of = {_S.CALLING: ("A", "B"), _S.ACCEPTED: ("M",), _S.COMPLETED: ("D",)}
    table: ClassVar[Table] = {
        (_S.CALLING, "timer A"): (
            _S.CALLING,
            (ClientTransaction._send, ClientTransaction._double_a),
        ),
        (_S.CALLING, "timer B"): (_S.TERMINATED, (ClientTransaction._fail,)),
        (_S.CALLING, "flow lost"): (_S.TERMINATED, (ClientTransaction._fail,)),
        (_S.CALLING, "1xx"): (_S.PROCEEDING, (ClientTransaction._deliver,)),
        (_S.CALLING, "2xx"): (_S.ACCEPTED, (ClientTransaction._deliver,)),
        (_S.CALLING, "3xx-6xx"): (
            _S.COMPLETED,
            (ClientTransaction._acknowledge, ClientTransaction._deliver),
        ),
        (_S.PROCEEDING, "timer B"): (_S.TERMINATED, (ClientTransaction._fail,)),
        (_S.PROCEEDING, "flow lost"): (_S.TERMINATED, (ClientTransaction._fail,)),
        (_S.PROCEEDING, "1xx"): (_S.PROCEEDING, (ClientTransaction._deliver,)),
        (_S.PROCEEDING, "2xx"): (_S.ACCEPTED, (ClientTransaction._deliver,)),
        (_S.PROCEEDING, "3xx-6xx"): (
            _S.COMPLETED,
            (ClientTransaction._acknowledge, ClientTransaction._deliver),
        ),
        # 2xx are repeated until the dialog's ACK has come, and other forks may answer, too.
        (_S.ACCEPTED, "2xx"): (_S.ACCEPTED, (ClientTransaction._deliver,)),
        (_S.ACCEPTED, "timer M"): (_S.TERMINATED, ()),
        (_S.COMPLETED, "3xx-6xx"): (_S.COMPLETED, (ClientTransaction._acknowledge,)),
        (_S.COMPLETED, "timer D"): (_S.TERMINATED, ()),
        (_S.COMPLETED, "flow lost"): (_S.TERMINATED, ()),
    }


class NonInviteClient(ClientTransaction):
    """Any other request of ours: RFC 3261 figure 6."""

    first = State.TRYING
    timers_of = {_S.TRYING: ("E", "F"), _S.COMPLETED: ("K",)}
    table: ClassVar[Table] = {
        (_S.TRYING, "timer E"): (
            _S.TRYING,
            (ClientTransaction._send, ClientTransaction._lengthen_e),
        ),
        (_S.TRYING, "timer F"): (_S.TERMINATED, (ClientTransaction._fail,)),
        (_S.TRYING, "flow lost"): (_S.TERMINATED, (ClientTransaction._fail,)),
        (_S.TRYING, "1xx"): (_S.TRYING, (ClientTransaction._deliver,)),
        (_S.TRYING, "2xx"): (_S.COMPLETED, (ClientTransaction._deliver,)),
        (_S.TRYING, "3xx-6xx"): (_S.COMPLETED, (ClientTransaction._deliver,)),
        (_S.COMPLETED, "timer K"): (_S.TERMINATED, ()),
        (_S.COMPLETED, "flow lost"): (_S.TERMINATED, ()),
    }
    # Proceeding differs from Trying in nothing but the length of timer E.
