"""The called parties of an INVITE, which proxies may send to several (RFC 3261 13.2.2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.dialog.dialog import Dialog, contact_of
from gateway.sip.dialog.media import Media
from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.exchange import copy_credentials
from gateway.sip.syntax.message import Response

if TYPE_CHECKING:
    from gateway.sip.dialog.outbound import OutboundCall

MAX_FORKS = 16
"""Called parties of one INVITE that are told apart."""


class Fork:
    """Acknowledges, confirms and releases one called party of an INVITE."""

    def __init__(self, call: OutboundCall, dialog: Dialog) -> None:
        self.dialog = dialog
        self.answered = False
        self.media: Media | None = None
        """The media as this called party has answered our offer; None before it has."""
        self.settled = False
        """True if a reliable response had the answer: the 2xx has no other (RFC 3261 13.2.1)."""
        self.invite_cseq = dialog.local_cseq
        """The number of the INVITE that reached this called party."""
        self._call = call
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
        prack.headers.add("RAck", f"{number} {self.invite_cseq} INVITE")
        self._call.send(prack, now, dialog=self.dialog)
        return True

    def confirm(self, response: Response) -> None:
        """Take the 2xx: the route set is final now (13.2.2.4), and acknowledge it."""
        try:
            found = Dialog.of_response(self._call.invite, response)
            self.dialog.routes, self.dialog.target = found.routes, found.target
        except (Refusal, SipSyntaxError):
            pass  # those that it has go on being good
        self.answered = True
        ack = self.dialog.request("ACK", cseq=self.invite_cseq)
        copy_credentials(self._call.invite, ack)
        self._ack = self._call.context.send_ack(ack, self._call.flow)

    def acknowledge_again(self) -> None:
        """Send the ACK once more."""
        self._call.context.outbox.send(self._call.flow, self._ack)

    def release(self, now: float) -> None:
        """End the dialog of a called party that is not wanted."""
        self._call.send(self.dialog.request("BYE"), now, dialog=self.dialog)


class Forks:
    """The called parties of one INVITE by the tags of their To. There are at most MAX_FORKS."""

    def __init__(self, call: OutboundCall) -> None:
        self._call = call
        self._by_tag: dict[str, Fork] = {}

    def get(self, tag: str) -> Fork | None:
        """Return the called party with a tag; None if it is not known."""
        return self._by_tag.get(tag)

    def of(self, response: Response) -> Fork:
        """Return the called party that sent a response, perhaps a new one.

        Raises Refusal if the response opens no dialog, or if there are too many called parties. One
        that answers takes the place of one that rings.
        """
        invite = self._call.invite
        try:
            tag = response.to.tag
            known = self._by_tag.get(tag)
            if known is not None and known.invite_cseq == invite.cseq.number:
                return known
            fork = Fork(self._call, Dialog.of_response(invite, response))
        except SipSyntaxError as error:
            raise Refusal(400, f"To: {error}") from None
        if not tag and response.status < 200:
            raise Refusal(400, "To: the tag is missing")
        if len(self._by_tag) >= MAX_FORKS and not (response.status >= 200 and self._drop_one()):
            raise Refusal(500, "too many called parties")
        self._by_tag[tag] = fork
        return fork

    def makeshift(self, response: Response) -> Fork:
        """Return a called party whose answer opens no dialog, so that it can be ended.

        It is reached by the way of the INVITE.
        """
        invite = self._call.invite
        try:
            remote = response.to
        except SipSyntaxError:
            remote = invite.to
        dialog = Dialog(
            call_id=invite.call_id,
            local=invite.from_,
            remote=remote,
            target=contact_of(response) or invite.uri,
            routes=invite.headers.values("Route"),
            local_cseq=invite.cseq.number,
        )
        return Fork(self._call, dialog)

    def _drop_one(self) -> bool:
        """Forget a called party that still rings; return False if there is none."""
        ringing = next((tag for tag, fork in self._by_tag.items() if not fork.answered), None)
        if ringing is None:
            return False
        del self._by_tag[ringing]
        return True
