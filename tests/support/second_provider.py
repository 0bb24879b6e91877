"""A trunking provider that is not Twilio: JSON posts, other field names, another signature.

Only this module knows this format, so calls through it show that no other code needs Twilio's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from chalicelib.providers.base import (
    AskAgain,
    BadForm,
    BadSignature,
    CallStatus,
    CallUpdate,
    Connect,
    Dial,
    HangUp,
    Instruction,
    KeepRinging,
    Reject,
    RemoteStatus,
    Webhook,
)

SECRET = b"secret-of-the-second-provider"
HEADER = "X-Second-Mac"
_PHASES = {
    "alerting": CallStatus.RINGING,
    "finished": CallStatus.COMPLETED,
    "engaged": CallStatus.BUSY,
    "unanswered": CallStatus.NO_ANSWER,
    "broken": CallStatus.FAILED,
}


class Post(BaseModel):
    """A post of the provider."""

    session: str
    caller: str = ""
    called: str = ""
    phase: str = ""


def mac(kind: str, call_id: str | None, body: bytes) -> str:
    """Return the signature of a post."""
    signed = f"{kind} {call_id or ''} ".encode() + body
    return hmac.new(SECRET, signed, hashlib.sha256).hexdigest()


@dataclass
class SecondProvider:
    """A `Provider` whose REST only keeps the requests."""

    name: str = "gateway"
    content_type: str = "application/json"
    placed: list[Dial] = field(default_factory=list)
    steered: list[tuple[str, Instruction]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def parse_webhook(self, webhook: Webhook) -> CallUpdate:
        wanted = mac(webhook.kind, webhook.call_id, webhook.body)
        if not hmac.compare_digest(webhook.headers.get(HEADER.lower()) or "", wanted):
            raise BadSignature
        try:
            members = json.loads(webhook.body)
        except ValueError:
            raise BadForm from None
        post = Post.model_validate(members)
        status = _PHASES.get(post.phase, CallStatus.OTHER)
        return CallUpdate(post.session, post.caller, post.called, status)

    def handshake_signed(self, url: str, signature: str | None) -> bool:
        return signature == "second"

    def document(self, instruction: Instruction, call_id: str | None = None) -> str:
        match instruction:
            case KeepRinging():
                order: dict[str, Any] = {"order": "wait", "ask": "ringing"}
            case Connect(token):
                order = {"order": "bridge", "token": token}
            case Reject(busy):
                order = {"order": "refuse", "busy": busy}
            case HangUp():
                order = {"order": "release"}
            case AskAgain(webhook):
                order = {"order": "wait", "ask": webhook}
        return json.dumps({**order, "call": call_id})

    def dial(self, dial: Dial) -> str:
        self.placed.append(dial)
        return f"session-{len(self.placed)}"

    def steer(self, provider_call_id: str, instruction: Instruction) -> bool:
        self.steered.append((provider_call_id, instruction))
        return True

    def hang_up(self, provider_call_id: str, *, answered: bool) -> None:
        self.ended.append(provider_call_id)

    def status(self, provider_call_id: str) -> RemoteStatus:
        return RemoteStatus.LIVE
