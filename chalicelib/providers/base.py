"""The interface of trunking providers: webhooks come in as `CallUpdate`, instructions go out.

Nothing outside `providers/` knows a provider's field names, statuses, headers or documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from chalicelib.domain.answered import DetectAnswer, Found
from chalicelib.domain.failure import Failure
from common.sip_headers import NO_INTRODUCTION, Introduction

if TYPE_CHECKING:
    from chalicelib.domain.call_facts import ProviderFacts, QualityNote


class BadSignature(Failure):
    """A webhook that the provider has not signed."""

    code = "bad_signature"
    status, title = 403, "The signature is missing or wrong"


class BadForm(Failure):
    """The body of a webhook is not what the provider sends."""

    code = "bad_form"


class ProviderError(Exception):
    """The provider could not be reached or refused. The message holds no secret."""


class NotSupported(Exception):
    """The provider, or this call at it, does not do that at all."""


class RemoteStatus(StrEnum):
    """The state of a call at the provider."""

    LIVE = "live"
    OVER = "over"
    UNKNOWN = "unknown"


class CallStatus(StrEnum):
    """The status of a call in a webhook."""

    RINGING = "ringing"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"
    OTHER = "other"
    """Any other, such as one of a call that is being placed."""


OVER = frozenset(CallStatus) - {CallStatus.RINGING, CallStatus.OTHER}
"""The statuses of calls that have ended."""


@dataclass(frozen=True)
class Webhook:
    """A provider's post to our webhook `kind` (`voice`, `status`, …), as it came.

    `call_id`: the call of ours that its URL names, if any. Header names are in lower case.
    """

    kind: str
    call_id: str | None
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class CallUpdate:
    """A webhook in terms of our own: the provider's call, and what happened to it."""

    provider_call_id: str
    from_: str = ""
    to: str = ""
    status: CallStatus = CallStatus.OTHER
    forwarded_from: str | None = None
    trunk_id: str | None = None
    """The trunk that the call came through or goes through, where the provider says so."""
    trunk_source: str | None = None
    """The address that the call came from, if it is in a network of trunks and `trunk_id` is
    None."""
    trusted: bool = True
    """False if the call comes from a network of trunks alone, and not from a carrier of the
    operator's: then no number of the pool rings."""
    sip_call_id: str | None = None
    introduction: Introduction = NO_INTRODUCTION
    """The words of the caller's side beside the numbers, of a call that comes in."""
    sip_code: int | None = None
    """The SIP code by which the far end ended the call, where the provider says so."""
    facts: ProviderFacts | None = None
    """The facts of its audio, where the provider tells them at the end."""
    quality: QualityNote | None = None
    """The quality of its audio, where the provider says that it has changed."""
    redirects_ringing: bool = False
    """True if the provider takes a redirect of this call while it rings (`Provider.steer`)."""
    held: bool | None = None
    """True if the far end has put the call on hold, False if it goes on, None: nothing new."""
    refer_code: int | None = None
    """The SIP code that a REFER has come to, if the post is about one. 202: the far end has agreed,
    and hung up without saying more."""
    found: Found | None = None
    """The facts about the answer, if the post is about that."""
    sequence: int | None = None
    """The place of a status post among those of the call: they may overtake each other."""


@dataclass(frozen=True)
class KeepRinging:
    """Let it ring and ask again after `pause_s`."""

    pause_s: int = 1


@dataclass(frozen=True)
class Connect:
    """Answer, and stream the audio to the relay with this token. `pause_s` waits first."""

    token: str
    pause_s: int = 0


@dataclass(frozen=True)
class Reject:
    """Do not answer: nobody has the number, or (`busy`) its owner does not take the call.

    The only instruction that ends a call which rings: for any other, providers first answer (and
    bill) the call.
    """

    busy: bool = False


@dataclass(frozen=True)
class HangUp:
    """End the call, which was answered."""


@dataclass(frozen=True)
class AskAgain:
    """We cannot decide at this moment: post the same webhook again in a second."""

    webhook: str


Instruction = KeepRinging | Connect | Reject | HangUp | AskAgain
"""An instruction for a provider: its next step with a call."""


@dataclass(frozen=True)
class DialRoute:
    """A trunk that the provider itself knows, and the two numbers as its carrier writes them."""

    trunk_id: str
    to: str
    caller_id: str


@dataclass(frozen=True)
class Dial:
    """A call to be placed. `to` is an E.164 number for a trunk that the provider itself knows, by
    `trunk_id`; else the SIP URI at somebody's trunk, with the credentials it asks for. `routes`:
    the trunks to try in order, that one first, if there are several, or if its carrier wants the
    numbers written otherwise.

    The provider's posts about it have our `call_id`: the provider's id is not known before its
    answer.
    """

    call_id: str
    to: str
    caller_id: str
    ring_timeout_s: int
    max_duration_s: int
    trunk_id: str | None = None
    routes: tuple[DialRoute, ...] = ()
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    introduction: Introduction = NO_INTRODUCTION
    """The name and the headers that the called party shall get."""
    detect_answer: DetectAnswer = "off"


class Provider(Protocol):
    """A trunking provider: it announces calls by webhooks, and gets instructions by documents and
    REST.

    `steer` and `hang_up` only save time: the answer to the provider's next webhook would say the
    same. They raise ProviderError, and nothing depends on them.

    `call_id` is given for calls that we dialled: their webhooks carry it in their URLs' query, as
    the provider's id may reach us by one of them first.
    """

    name: str
    content_type: str
    """The content type of its documents."""
    detects_answer: bool
    """True if it finds out by itself who answered (`Dial.detect_answer`)."""
    refers: bool
    """True if it has the far end's network take calls over (`refer`)."""

    def parse_webhook(self, webhook: Webhook) -> CallUpdate:
        """Check a post's signature, then read it. Raises BadSignature, BadForm, ValidationError."""

    def handshake_signed(self, url: str, signature: str | None) -> bool:
        """Return whether a media stream's WebSocket handshake for `url` comes from this
        provider.
        """

    def document(self, instruction: Instruction, call_id: str | None = None) -> str:
        """Return the instruction in the provider's language, as the answer to a webhook."""

    def dial(self, dial: Dial) -> str:
        """Place a call; return the provider's id of it. Raises ProviderError if it refuses, or if
        the outcome is unknown: then the call may have been placed, and its posts will show it.
        """

    def steer(self, provider_call_id: str, instruction: Instruction) -> bool:
        """Give a live call its instruction now. Return False if the provider takes it only at its
        next poll.
        """

    def hang_up(self, provider_call_id: str, *, answered: bool) -> None:
        """End the call, without answering one that rings (also if `answered` is out of date). A
        call that is over already is no error.
        """

    def refer(self, provider_call_id: str, to: str) -> None:
        """Have the far end's network take an active call over to another number, or SIP URI
        (REFER). How it went, a status webhook tells. Raises NotSupported, ProviderError.
        """

    def status(self, provider_call_id: str) -> RemoteStatus:
        """Return whether the provider still has the call."""
