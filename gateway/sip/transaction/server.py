"""The transactions of requests that come: RFC 3261 17.2, with the state that RFC 6026 adds."""

from __future__ import annotations

from typing import ClassVar, Protocol

from gateway.sip.syntax.message import Request, Response, respond
from gateway.sip.transaction.flow import Flow, Outbox
from gateway.sip.transaction.table import T2, State, Table, Transaction
from gateway.sip.transaction.timers import Timers

_S = State


class ServerUser(Protocol):
    """Whoever answers a request."""

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """Note that the INVITE is cancelled; nothing final has been sent yet."""

    def on_no_ack(self, transaction: ServerTransaction, now: float) -> None:
        """Note that a refusal of an INVITE was never acknowledged."""


class ServerTransaction(Transaction):
    """A request that came. `respond` answers it."""

    first: ClassVar[State]

    def __init__(
        self,
        timers: Timers,
        outbox: Outbox,
        request: Request,
        flow: Flow,
        key: tuple[str, ...],
    ) -> None:
        super().__init__(timers, outbox, request, flow)
        self.key = key
        self.user: ServerUser | None = None
        self.status = 0
        """The status of the last response; 0: none yet."""
        self.to = request.headers.get("To")
        """To as the last response has it, with our tag if it has one."""
        self._data = b""

    def start(self, now: float) -> None:
        """Begin to wait for a response."""
        self._enter(self.first, now)

    def repeat(self, now: float) -> None:
        """Take the same request once more."""
        self._step("request", now)

    def respond(self, response: Response, now: float) -> None:
        """Send a response. Nothing may follow a final one but the same 2xx of an INVITE."""
        again = self.state is State.ACCEPTED and 200 <= response.status < 300
        if self.status >= 200 and not again:
            return
        self.status = response.status
        self.to = response.headers.get("To") or self.to
        self._data = bytes(response)
        if response.status < 200:
            self._step("send 1xx", now)
        elif response.status < 300:
            self._step("send 2xx", now)
        else:
            self._step("send 3xx-6xx", now)

    def acknowledge(self, now: float) -> None:
        """Take the ACK of a 3xx to 6xx."""
        self._step("ACK", now)

    def _send(self, now: float) -> None:  # noqa: ARG002 - an action
        if self._data:
            self._outbox.send(self.flow, self._data)

    def _try(self, now: float) -> None:
        """Say 100, so that the INVITE is not sent again, unless something was said (17.2.1)."""
        if not self.status:
            self.respond(respond(self.request, 100), now)

    def _double_g(self, now: float) -> None:
        self._wait_again("G", now, min(2 * self._waits["G"], T2))

    def _miss_ack(self, now: float) -> None:
        if self.user is not None:
            self.user.on_no_ack(self, now)

    def _let_go(self) -> None:
        self.user = None


class InviteServer(ServerTransaction):
    """An INVITE that came: RFC 3261 figure 7, RFC 6026 figure 2."""

    first = State.PROCEEDING
    timers_of = {
        _S.PROCEEDING: ("100",),
        _S.ACCEPTED: ("L",),
        _S.COMPLETED: ("G", "H"),
        _S.CONFIRMED: ("I",),
    }
    table: ClassVar[Table] = {
        (_S.PROCEEDING, "request"): (_S.PROCEEDING, (ServerTransaction._send,)),
        (_S.PROCEEDING, "timer 100"): (_S.PROCEEDING, (ServerTransaction._try,)),
        (_S.PROCEEDING, "send 1xx"): (_S.PROCEEDING, (ServerTransaction._send,)),
        (_S.PROCEEDING, "send 2xx"): (_S.ACCEPTED, (ServerTransaction._send,)),
        (_S.PROCEEDING, "send 3xx-6xx"): (_S.COMPLETED, (ServerTransaction._send,)),
        # The 2xx is repeated by the dialog, not because the INVITE comes again.
        (_S.ACCEPTED, "send 2xx"): (_S.ACCEPTED, (ServerTransaction._send,)),
        (_S.ACCEPTED, "timer L"): (_S.TERMINATED, ()),
        (_S.COMPLETED, "request"): (_S.COMPLETED, (ServerTransaction._send,)),
        (_S.COMPLETED, "timer G"): (
            _S.COMPLETED,
            (ServerTransaction._send, ServerTransaction._double_g),
        ),
        (_S.COMPLETED, "timer H"): (_S.TERMINATED, (ServerTransaction._miss_ack,)),
        (_S.COMPLETED, "ACK"): (_S.CONFIRMED, ()),
        (_S.CONFIRMED, "timer I"): (_S.TERMINATED, ()),
    }


class NonInviteServer(ServerTransaction):
    """Any other request that came: RFC 3261 figure 8."""

    first = State.TRYING
    timers_of = {_S.COMPLETED: ("J",)}
    table: ClassVar[Table] = {
        (_S.TRYING, "request"): (_S.TRYING, (ServerTransaction._send,)),
        (_S.TRYING, "send 1xx"): (_S.TRYING, (ServerTransaction._send,)),
        (_S.TRYING, "send 2xx"): (_S.COMPLETED, (ServerTransaction._send,)),
        (_S.TRYING, "send 3xx-6xx"): (_S.COMPLETED, (ServerTransaction._send,)),
        (_S.COMPLETED, "request"): (_S.COMPLETED, (ServerTransaction._send,)),
        (_S.COMPLETED, "timer J"): (_S.TERMINATED, ()),
    }
    # Trying sends nothing again, since nothing was sent: Proceeding needs no state of its own.
