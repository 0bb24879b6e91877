"""The CANCEL of an INVITE of ours (RFC 3261 9.1)."""

from __future__ import annotations

from gateway.sip.syntax.message import Request


def cancel_of(invite: Request) -> Request:
    """Return the CANCEL of an INVITE as it was sent, with the same branch."""
    cancel = Request("CANCEL", invite.uri)
    cancel.headers.add("Via", str(invite.via))
    for name in ("Route", "Max-Forwards", "From", "To", "Call-ID"):
        for value in invite.headers.all(name):
            cancel.headers.add(name, value)
    cancel.headers.add("CSeq", f"{invite.cseq.number} CANCEL")
    return cancel


class Unheard:
    """The user of a CANCEL: what counts is the answer to the INVITE."""

    def on_response(self, *_: object) -> None:
        """Do nothing."""

    def on_failure(self, *_: object) -> None:
        """Do nothing."""
