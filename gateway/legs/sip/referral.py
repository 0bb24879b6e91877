"""A transfer that the far end of a call was asked for (REFER, RFC 3515): how long it may take, and
whom it leads to.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.sip.syntax.uri import SipUri, Uri, UriParams, escape_user

TOLD_WITHIN_S = 32.0
"""Seconds in which a far end that was asked must have told anything: those of a transaction."""
RINGS_AT_MOST_S = 180.0
"""Seconds from one word of it to the next, while the other party rings (RFC 3261 16.6, timer C)."""


class Referral:
    """The time that a far end has to tell the outcome."""

    def __init__(self, now: float) -> None:
        self._until = now + TOLD_WITHIN_S

    def heard(self, now: float) -> None:
        """Note that the far end has told how it goes."""
        self._until = now + RINGS_AT_MOST_S

    def late(self, now: float) -> bool:
        """Return whether the far end has said nothing for too long."""
        return now >= self._until


def uri_of(target: str, far_end: Uri) -> str:
    """Return the URI to be called: a number is one of the far end's own domain."""
    if not target.startswith("+"):
        return target
    if not isinstance(far_end, SipUri):
        return f"tel:{target}"
    named = far_end.params.get("user") == "phone"
    params = UriParams({"user": "phone"}) if named else UriParams()
    return str(replace(far_end.bare(), user=escape_user(target), params=params))
