"""Transfers: REFER and the NOTIFYs that tell how it goes (RFC 3515, 3892, 3891)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.sip.dialog.state import CallState
from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.events import TransferProgress, TransferRequested
from gateway.sip.syntax.headers import Address, Valued
from gateway.sip.syntax.message import REASONS, Request, Response
from gateway.sip.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from gateway.sip.dialog.call import Call

_FRAGMENT = "message/sipfrag"
_EXPIRES = 60
_DECIDED_WITHIN = 30.0
"""Seconds until a REFER that nobody accepts is refused: the far end gives it up after 32."""


class Transfer:
    """The transfer of one call, asked for by us or by the far end; one at a time each way."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._asked = False
        self._cseq = self._former = 0
        """The CSeq of the REFER that we sent last, and of the one before it; 0: none."""
        self.accepted = False
        """True if the far end has accepted (2xx) the transfer that we asked for last."""
        self._refer: ServerTransaction | None = None
        """A REFER of the far end that is not answered yet."""
        self._reporting = 0
        """The CSeq of the REFER whose progress we report; 0: none."""

    # Asked for by us.

    def ask(self, target: str, now: float, replaces: Call | None) -> None:
        """Send a REFER. Its progress is told by `TransferProgress`."""
        call = self._call
        request = call.request("REFER")
        request.headers.add("Contact", call.contact)
        request.headers.add("Refer-To", f"<{target}{_replaces(replaces)}>")
        request.headers.add("Referred-By", f"<{call.established.local.uri}>")
        self._asked, self.accepted = True, False
        self._cseq, self._former = request.cseq.number, self._cseq
        call.send(request, now, self._on_response)

    def _on_response(self, response: Response, now: float) -> None:  # noqa: ARG002 - a callback
        self.accepted = self.accepted or 200 <= response.status < 300
        if response.status >= 300:
            self._asked = False
            self._call.tell(TransferProgress(self._call, response.status, final=True))

    def on_notify(self, transaction: ServerTransaction, now: float) -> None:
        """Take the progress of a transfer that we asked for."""
        request = transaction.request
        if not self._asked or _word(request, "Event") != "refer":
            raise Refusal(489, "This side has not asked for such events", Allow_Events="refer")
        self._call.reply(transaction, 200, now)
        if self._former and _id(request) == str(self._former):
            return  # late news of a transfer that was given up
        final = _word(request, "Subscription-State") == "terminated"
        status = _status_in(request.body)
        if status is None and not final:
            return
        if final:
            self._asked = False
        self._call.tell(TransferProgress(self._call, status or 500, final))

    # Asked for by the far end.

    def on_refer(self, transaction: ServerTransaction, now: float) -> None:
        """Tell that the far end wants us to call somebody else; `accept` or `decline` answers."""
        request = transaction.request
        targets = request.headers.all("Refer-To")
        if len(targets) != 1:
            raise Refusal(400, "Refer-To must be there once")
        if self._refer is not None or self._reporting:
            raise Refusal(491, "Another transfer is on its way")
        try:
            target = str(Address.parse(targets[0]).uri)
        except SipSyntaxError as error:
            raise Refusal(400, f"Refer-To: {error}") from None
        self._refer = transaction
        self._call.context.timers.start(self, "undecided", now + _DECIDED_WITHIN)
        referrer = request.headers.get("Referred-By") or str(request.from_.uri)
        self._call.tell(TransferRequested(self._call, target, referrer))

    def decline(self, now: float, status: int = 603) -> None:
        """Refuse the transfer that the far end asked for."""
        if self._refer is not None:
            self._call.context.timers.stop(self)
            self._call.reply(self._refer, status, now)
            self._refer = None

    def on_timer(self, name: str, now: float) -> None:  # noqa: ARG002 - there is one timer
        """Refuse a transfer that nobody has decided about, or whose call is over."""
        self.decline(now)

    def accept(self, now: float) -> None:
        """Accept the transfer; `report` its progress afterwards."""
        if self._refer is not None and self._call.state is CallState.UP:
            self._call.context.timers.stop(self)
            self._reporting = self._refer.request.cseq.number
            self._call.reply(self._refer, 202, now)
            self._refer = None
            self.report(100, now)

    def report(self, status: int, now: float) -> None:
        """Tell the far end the status of the call that it asked for; a final one is the last."""
        if not self._reporting or self._call.state is not CallState.UP:
            return
        request = self._call.request("NOTIFY")
        request.headers.add("Contact", self._call.contact)
        request.headers.add("Event", f"refer;id={self._reporting}")
        state = f"active;expires={_EXPIRES}" if status < 200 else "terminated;reason=noresource"
        request.headers.add("Subscription-State", state)
        request.headers.add("Content-Type", f"{_FRAGMENT};version=2.0")
        request.body = f"SIP/2.0 {status} {REASONS.get(status, '')}\r\n".encode("ascii")
        if status >= 200:
            self._reporting = 0
        self._call.send(request, now)


def _replaces(call: Call | None) -> str:
    """Return the Replaces header in a URI, by which the target ends that call (RFC 3891 3)."""
    if call is None:
        return ""
    dialog = call.established
    value = f"{dialog.call_id};to-tag={dialog.remote.tag};from-tag={dialog.local.tag}"
    return f"?Replaces={quote(value, safe='')}"


def _word(request: Request, name: str) -> str:
    try:
        return Valued.parse(request.headers.get(name)).value.strip().lower()
    except SipSyntaxError:
        return ""


def _id(request: Request) -> str | None:
    """Return the REFER that a NOTIFY is about (RFC 3515 2.4.6); None if it does not say."""
    try:
        return Valued.parse(request.headers.get("Event")).params.get("id")
    except SipSyntaxError:
        return None


def _status_in(body: bytes) -> int | None:
    """Return the status of a sipfrag's first line; None if it is none."""
    words = body.lstrip().split(None, 2)
    if len(words) < 2 or not words[0].upper().startswith(b"SIP/"):
        return None
    status = words[1]
    # `int` refuses a text of thousands of digits with an error.
    usual = len(status) == 3 and status.isdigit()
    return int(status) if usual and 100 <= int(status) <= 699 else None
