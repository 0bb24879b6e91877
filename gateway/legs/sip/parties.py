"""Reads the parties of a call as webhooks name them: telephone numbers, else whole URIs; and what
else its INVITE tells the application.

The rules are the SIP library's (`gateway/sip/identity.py`), and those of `common/sip_headers.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.sip_headers import NO_INTRODUCTION, Introduction, introduction
from gateway.sip.identity import Party, parties_of
from gateway.sip.syntax.fields import Headers


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of a call, from its INVITE."""

    to: str
    from_: str
    forwarded_from: str | None
    introduction: Introduction = NO_INTRODUCTION


def parties(headers: Headers, request_uri: str) -> Parties:
    """Return the parties of an incoming call. `request_uri` is that of the carrier's INVITE."""
    who = parties_of(headers, request_uri)
    return Parties(
        to=_text(who.called),
        from_=_text(who.caller),
        forwarded_from=str(who.forwarder) if who.forwarder else None,
        introduction=introduction(
            who.caller.name if who.caller else "",
            who.caller.verstat if who.caller else "",
            headers,
        ),
    )


def _text(found: Party | None) -> str:
    return str(found) if found else "anonymous"
