"""What the application needs of a trunking provider, whoever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class ProviderError(Exception):
    """The provider could not be reached or refused. The message holds no secret."""


class RemoteStatus(StrEnum):
    """How the provider sees a call."""

    LIVE = "live"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class KeepRinging:
    """Let it ring and ask again in a second."""


@dataclass(frozen=True)
class Connect:
    """Answer, and stream the audio to the relay with this token. `pause_s` waits first."""

    token: str
    pause_s: int = 0


@dataclass(frozen=True)
class Reject:
    """Do not answer: the number is nobody's, or (`busy`) whoever it is does not take the call."""

    busy: bool = False


@dataclass(frozen=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True)
class AskAgain:
    """We could not tell just now: post the same webhook again in a second."""

    webhook: str


Instruction = KeepRinging | Connect | Reject | HangUp | AskAgain
"""What a provider shall do with a call next."""


@dataclass(frozen=True)
class Dial:
    """A call to be placed. `to` is an E.164 number for a trunk that the provider itself knows, by
    `trunk_id`; else the SIP URI at somebody's trunk, with the credentials it asks for.

    The provider's posts about it name `call_id`: its own id is not known before it has answered.
    """

    call_id: str
    to: str
    caller_id: str
    ring_timeout_s: int
    max_duration_s: int
    trunk_id: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class Provider(Protocol):
    """A trunking provider: announces calls by webhook, is steered by documents and REST.

    `steer` and `hang_up` are speed-ups of what the provider's next webhook would be answered
    anyway; they raise ProviderError and nothing depends on them.

    `call_id` is given for calls that we dialled: their webhooks carry it in their URLs' query, as
    the provider's id may reach us by one of them first.
    """

    name: str

    def signed(
        self, kind: str, call_id: str | None, form: Mapping[str, str], signature: str | None
    ) -> bool:
        """True if a post to our webhook `kind` (`voice`, `status`, …) comes from this provider."""

    def handshake_signed(self, url: str, signature: str | None) -> bool:
        """True if a media stream's WebSocket handshake for `url` comes from this provider."""

    def document(self, instruction: Instruction, call_id: str | None = None) -> str:
        """The instruction in the provider's language, as the answer to a webhook."""

    def dial(self, dial: Dial) -> str:
        """Place a call; the provider's id of it. ProviderError if it refuses, or if we cannot tell:
        then the call may be up all the same, and its posts will say so.
        """

    def steer(self, provider_call_id: str, instruction: Instruction) -> bool:
        """Give a live call its instruction now. False if it is only taken at the next poll."""

    def hang_up(self, provider_call_id: str) -> None:
        """End the call, ringing or answered. A call that is over already is no error."""

    def status(self, provider_call_id: str) -> RemoteStatus:
        """Whether the provider still has the call."""
