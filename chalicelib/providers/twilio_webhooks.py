"""Webhooks in Twilio's dialect: forms, with Twilio's parameters and statuses.

Source: https://www.twilio.com/docs/voice/twiml#twilios-request-to-your-application
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import BeforeValidator, Field

from chalicelib.domain.answered import Found
from chalicelib.domain.model import Model
from chalicelib.providers.base import BadForm, CallStatus, CallUpdate
from common.sip_headers import introduction_in

SIGNATURE = "x-twilio-signature"
TRUSTED = frozenset({"peer", "local"})
"""`Standing` of calls with a `TrunkSource` that our gateway would take without the networks of
trunks."""
MAX_FIELD = 255
"""Characters of a field of a post; the text may come from a stranger."""


def _none_if_blank(text: str) -> str | None:
    return text or None


def _sip_code(text: str) -> int | None:
    """Parse a provider's SIP code; None for a blank or unknown word, since no post is refused for
    it.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else None


def _sequence(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


_ANSWERS = {
    "human": Found("human"),
    "fax": Found("fax"),
    "unknown": Found("unknown"),
    "machine_start": Found("machine"),
    "machine_end_beep": Found("machine", "beep"),
    "machine_end_silence": Found("machine", "silence"),
    "machine_end_other": Found("machine", "timeout"),
}
"""Twilio's `AnsweredBy` (/docs/voice/answering-machine-detection) -> what it says."""
_MAX_DETECTION_MS = 120_000
"""Twilio's own bound is a minute (`MachineDetectionTimeout`)."""


class Post(Model):
    """The parameters of a post that we need; Twilio sends many more."""

    call_sid: str = Field(alias="CallSid", min_length=2, max_length=64)
    from_: str = Field(alias="From", default="", max_length=MAX_FIELD)
    to: str = Field(alias="To", default="", max_length=MAX_FIELD)
    status: str = Field(alias="CallStatus", default="", max_length=32)
    forwarded_from: str | None = Field(alias="ForwardedFrom", default=None, max_length=MAX_FIELD)
    trunk_sid: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        alias="TrunkSid", default=None, max_length=64
    )
    trunk_source: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        alias="TrunkSource", default=None, max_length=64
    )
    standing: str = Field(alias="Standing", default="", max_length=32)
    sip_call_id: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        alias="SipCallId", default=None, max_length=MAX_FIELD
    )
    sip_code: Annotated[int | None, BeforeValidator(_sip_code)] = Field(
        alias="SipResponseCode", default=None
    )
    refer_code: Annotated[int | None, BeforeValidator(_sip_code)] = Field(
        alias="ReferStatus", default=None
    )
    """Our gateway's own."""
    redirect_ringing: str = Field(alias="RedirectRinging", default="", max_length=32)
    """Our gateway's own: what it does with a redirect of a ringing call, `work` or `21220`."""
    hold_status: str = Field(alias="HoldStatus", default="", max_length=32)
    """Our gateway's own: `held` or `unheld` by the far end."""
    sequence: Annotated[int | None, BeforeValidator(_sequence)] = Field(
        alias="SequenceNumber", default=None
    )
    answered_by: str = Field(alias="AnsweredBy", default="", max_length=32)
    detection_ms: Annotated[int | None, BeforeValidator(_sequence)] = Field(
        alias="MachineDetectionDuration", default=None
    )


def parse_form(body: bytes) -> dict[str, str]:
    """Read a form. Blank values are kept: they are signed, too. Raises BadForm."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200))
    except ValueError:
        raise BadForm from None


def update_of(form: dict[str, str]) -> CallUpdate:
    """Read the parameters of a post. Raises ValidationError if they are not Twilio's."""
    post = Post.model_validate(form)
    return CallUpdate(
        **_of_audio(form),
        provider_call_id=post.call_sid,
        from_=post.from_,
        to=post.to,
        status=status_of(post.status),
        forwarded_from=post.forwarded_from,
        trunk_id=post.trunk_sid,
        trunk_source=post.trunk_source,
        trusted=post.trunk_source is None or post.standing in TRUSTED,
        sip_call_id=post.sip_call_id,
        introduction=introduction_in(form),
        sip_code=post.sip_code,
        refer_code=post.refer_code,
        redirects_ringing=post.redirect_ringing == "work",
        held={"held": True, "unheld": False}.get(post.hold_status),
        sequence=post.sequence,
        found=_found(post),
    )


def _of_audio(form: dict[str, str]) -> dict[str, Any]:
    """Read what our gateway tells of a call's audio."""
    if "InviteAt" not in form and "MediaQuality" not in form:
        return {}
    from chalicelib.providers import media_facts  # most webhooks tell nothing of it

    return {"facts": media_facts.facts_of(form), "quality": media_facts.quality_of(form)}


def _found(post: Post) -> Found | None:
    known = _ANSWERS.get(post.answered_by)
    after_ms = post.detection_ms
    if known is None or after_ms is None or after_ms > _MAX_DETECTION_MS:
        return known
    return replace(known, at_ms=after_ms)


def status_of(word: str) -> CallStatus:
    """Return the status that Twilio's word stands for."""
    try:
        return CallStatus(word)
    except ValueError:
        return CallStatus.OTHER
