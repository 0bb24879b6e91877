"""The facts of one call, and their form in Twilio's webhook parameters and REST resource.

It holds data only; `live_call.py` controls the call. Times are epoch seconds.
Sources: https://www.twilio.com/docs/voice/twiml#request-parameters,
https://www.twilio.com/docs/voice/api/call-resource
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

from common.sip_headers import NO_INTRODUCTION, Introduction
from gateway.calls.leg import Standing
from gateway.sids import new_sid

API_VERSION = "2010-04-01"

Direction = Literal["inbound", "outbound-api"]
Status = Literal[
    "queued",
    "initiated",
    "ringing",
    "in-progress",
    "completed",
    "busy",
    "failed",
    "no-answer",
    "canceled",
]


@dataclass(slots=True, kw_only=True)
class Call:
    """A call, from its first message to 15 minutes after its end."""

    account_sid: str
    to: str
    from_: str
    direction: Direction
    created_at: float
    forwarded_from: str | None = None
    trunk_id: str | None = None
    """The trunk by which the call comes in or goes out."""
    trunk_source: str | None = None
    """The source of an inbound call, if it may be for another trunk whose networks hold it."""
    sip_call_id: str | None = None
    """The `Call-ID` of its INVITE: carriers ask for it."""
    standing: Standing = "local"
    """The kind of source of an inbound call."""
    introduction: Introduction = NO_INTRODUCTION
    sid: str = field(default_factory=lambda: new_sid("CA"))
    status: Status = "queued"
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    sip_code: int | None = None
    refer_status: int | None = None
    """The outcome of the last transfer that the far end was asked for: a final SIP code."""
    media: dict[str, str] = field(default_factory=dict)
    """The facts of its audio, as the last callback has them; of our own dialect."""

    @property
    def answered(self) -> bool:
        """Return whether the call was ever answered."""
        return self.answered_at is not None

    @property
    def ended(self) -> bool:
        """Return whether the call is over."""
        return self.ended_at is not None

    @property
    def duration(self) -> int:
        """Return the whole seconds between answer and end, rounded up; 0 if either is missing."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return max(0, math.ceil(self.ended_at - self.answered_at))

    def params(self) -> dict[str, str]:
        """Return the parameters of every webhook of the call."""
        params = {
            "CallSid": self.sid,
            "AccountSid": self.account_sid,
            "ApiVersion": API_VERSION,
            "From": self.from_,
            "To": self.to,
            "Caller": self.from_,
            "Called": self.to,
            "CallStatus": self.status,
            "Direction": self.direction,
        }
        if self.forwarded_from:
            params["ForwardedFrom"] = self.forwarded_from
        if self.trunk_id:
            params["TrunkSid"] = self.trunk_id
        if self.trunk_source:
            # Whoever can name networks can make a carrier's calls come to us; a peer is listed.
            params |= {"TrunkSource": self.trunk_source, "Standing": self.standing}
        if self.sip_call_id:
            params["SipCallId"] = self.sip_call_id
        return params | self.introduction.fields()

    def status_params(self, sequence: int, now: float) -> dict[str, str]:
        """Return the parameters of a status callback; `sequence` counts the call's callbacks from
        0."""
        params = self.params() | {
            "Timestamp": rfc2822(now),
            "SequenceNumber": str(sequence),
            "CallbackSource": "call-progress-events",
        }
        if self.refer_status is not None:
            params["ReferStatus"] = str(self.refer_status)
        if self.ended:
            params["CallDuration"] = str(self.duration)
            params["Duration"] = str(math.ceil(self.duration / 60))
            if self.sip_code is not None:
                params["SipResponseCode"] = str(self.sip_code)
            params |= self.media | self._timeline()
        return params

    def _timeline(self) -> dict[str, str]:
        """Return the moments of the call in epoch ms; of our own dialect."""
        moments = {
            "InviteAt": self.created_at,
            "RingingAt": self.ringing_at,
            "AnsweredAt": self.answered_at,
        }
        return {name: str(round(at * 1000)) for name, at in moments.items() if at is not None}

    def as_json(self) -> dict[str, Any]:
        """Return the Call resource of the REST API."""
        uri = f"/{API_VERSION}/Accounts/{self.account_sid}/Calls/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "parent_call_sid": None,
            "to": self.to,
            "to_formatted": self.to,
            "from": self.from_,
            "from_formatted": self.from_,
            "status": "queued" if self.status == "initiated" else self.status,
            "direction": self.direction,
            "api_version": API_VERSION,
            "forwarded_from": self.forwarded_from,
            "date_created": rfc2822(self.created_at),
            "date_updated": rfc2822(self.ended_at or self.answered_at or self.created_at),
            "start_time": rfc2822(self.answered_at) if self.answered_at is not None else None,
            "end_time": rfc2822(self.ended_at) if self.ended_at is not None else None,
            "duration": str(self.duration) if self.ended else None,
            "price": None,
            "price_unit": "USD",
            "answered_by": None,
            "caller_name": self.introduction.caller_name or None,
            "phone_number_sid": None,
            "group_sid": None,
            "trunk_sid": self.trunk_id,
            "queue_time": "0",
            "annotation": None,
            "uri": uri + ".json",
            "subresource_uris": {},
        }


def rfc2822(moment: float) -> str:
    """Convert epoch seconds to `Tue, 03 Nov 2026 09:00:00 +0000`."""
    return formatdate(moment).replace("-0000", "+0000")
