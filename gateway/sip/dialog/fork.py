"""A called party of an INVITE, which proxies may send to several (RFC 3261 13.2.2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.dialog.dialog import Dialog
from gateway.sip.errors import Refusal
from gateway.sip.exchange import copy_credentials
from gateway.sip.syntax.message import Response

if TYPE_CHECKING:
    from gateway.sip.dialog.outbound import OutboundCall


class Fork:
    """One called party of an INVITE: its dialog, its ACK, its reliable responses."""

    def __init__(self, call: OutboundCall, dialog: Dialog) -> None:
        self.dialog = dialog
        self.answered = False
        self._call = call
        self._invite_cseq = dialog.local_cseq
        self._last_rseq = 0
        self._ack = b""

    def acknowledge(self, response: Response, now: float) -> bool | None:
        """Send PRACK for a reliable response (RFC 3262 4).

        Return None if it is not reliable, False if it is a repetition or out of order.
        """
        rseq = response.headers.get("RSeq")
        if "100rel" not in response.headers.tokens("Require") or not rseq.isdecimal():
            return None
        number = int(rseq[:10])
        if self._last_rseq and number != self._last_rseq + 1:
            return False
        self._last_rseq = number
        prack = self.dialog.request("PRACK")
        prack.headers.add("RAck", f"{number} {self._invite_cseq} INVITE")
        self._call.send(prack, now, dialog=self.dialog)
        return True

    def confirm(self, response: Response) -> None:
        """Take the 2xx: the route set is final now (13.2.2.4), and acknowledge it."""
        try:
            found = Dialog.of_response(self._call.invite, response)
            self.dialog.routes, self.dialog.target = found.routes, found.target
        except Refusal:
            pass  # those of the provisional response go on being good
        self.answered = True
        ack = self.dialog.request("ACK", cseq=self._invite_cseq)
        copy_credentials(self._call.invite, ack)
        self._ack = self._call.context.send_ack(ack, self._call.flow)

    def acknowledge_again(self) -> None:
        """Send the ACK once more."""
        self._call.context.outbox.send(self._call.flow, self._ack)

    def release(self, now: float) -> None:
        """End the dialog of a called party that is not wanted."""
        self._call.send(self.dialog.request("BYE"), now, dialog=self.dialog)
