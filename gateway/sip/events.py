"""The events that the user agent tells: values that are taken out of it after it was fed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.sip.dialog.call import Call
    from gateway.sip.dialog.inbound import InboundCall
    from gateway.sip.keep_alive import Ping
    from gateway.sip.registration import Registration


class Side(Enum):
    """The side that ended a call."""

    US = "us"
    THEM = "them"
    NETWORK = "network"
    """Nobody: a time-out, or a connection that broke."""


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """Somebody calls. The call has been answered 100; ring, answer or reject it."""

    call: InboundCall


@dataclass(frozen=True, slots=True)
class Progress:
    """The called party's side answered provisionally: 180 rings, 183 has early media."""

    call: Call
    status: int


@dataclass(frozen=True, slots=True)
class MediaAgreed:
    """Offer and answer are exchanged, for the first time or anew: read `call.media`."""

    call: Call


@dataclass(frozen=True, slots=True)
class Established:
    """The call is up: our INVITE was answered 200, or our 200 was acknowledged."""

    call: Call


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The far end pressed a key, one of `0-9*#ABCD`, and told it by INFO."""

    call: Call
    key: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """The far end asks us to call somebody else (REFER). Accept or decline it."""

    call: Call
    target: str
    referred_by: str


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """The far end tells how the transfer that we asked for goes: the status of its own call."""

    call: Call
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; no event of it follows.

    `status` is 200 for a call that was up and hung up, else the code for why it never came up or
    broke. `contacts` are the addresses of a 3xx, which is never followed.
    """

    call: Call
    status: int
    reason: str
    by: Side
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar has accepted us for `expires` seconds; it is refreshed before they are over."""

    registration: Registration
    expires: int


@dataclass(frozen=True, slots=True)
class NotRegistered:
    """A try to register failed; `status` is None if nobody answered.

    The next try is in `retry_in` seconds.
    """

    registration: Registration
    status: int | None
    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The registration has been removed, as was asked, or the registrar did not answer."""

    registration: Registration


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """A far end has answered our OPTIONS, with whatever status: it is there."""

    ping: Ping
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class PingUnanswered:
    """A far end has not answered our OPTIONS, for the so many-th time in a row.

    `status` is that of a proxy on our side that did not reach it; None: nothing came at all.
    """

    ping: Ping
    status: int | None
    reason: str
    in_a_row: int


Event = (
    IncomingCall
    | Progress
    | MediaAgreed
    | Established
    | KeyPressed
    | TransferRequested
    | TransferProgress
    | Ended
    | Registered
    | NotRegistered
    | Unregistered
    | PingAnswered
    | PingUnanswered
)
