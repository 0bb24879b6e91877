"""The SIP trunks of accounts.

An account connects one SIP trunk. With provider `gateway` our gateway registers with it and calls
come in through that registration; with `twilio` nothing registers, the trunk sends its calls to a
SIP domain. The password is not part of a `Trunk`, so no view, event or log of one can show it. What
an owner sets is in `trunk_settings.py`, the trunk's numbers are in `did.py`.
"""

from __future__ import annotations

import base64
import re
import secrets
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.host import Host
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.model import Model
from chalicelib.domain.phone import E164
from chalicelib.domain.trunk_settings import (
    SIP_PORT,
    Countries,
    Provider,
    Realm,
    Transport,
    TrunkSettings,
    Username,
)

MAX_DETAIL = 500
"""Characters of what the gateway says of a registration."""

TRUNK_ID = re.compile(r"trunk_[a-z2-7]{26}", re.ASCII)
"""The form of a trunk's id; other text names no trunk."""


class TrunkStatus(StrEnum):
    """The status of a trunk's registration."""

    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    UNREGISTERED = "unregistered"
    """Nothing registers: the provider is one to which the trunk sends its calls by itself."""


class Trunk(Model):
    """A trunk as it is, without its password.

    `revision` counts the settings of its owner, so that a report about older settings is
    recognised. `status_at`: when the status last changed; `detail`: what to do about it.
    `allowed_countries`: ISO 3166 alpha-2, what may be dialled out to.
    """

    model_config = ConfigDict(frozen=True)

    trunk_id: str
    account_id: str
    provider: Provider = "gateway"
    host: Host
    port: int = Field(default=SIP_PORT, ge=1, le=65535)
    transport: Transport = "udp"
    username: Username
    realm: Realm | None = None
    caller_id: E164 | None = None
    allowed_countries: Countries = ()
    revision: int = 1
    status: TrunkStatus
    sip_code: int | None = None
    detail: str = ""
    status_at: Instant
    created_at: Instant
    updated_at: Instant


def new_trunk_id() -> str:
    """Make a trunk id: `trunk_` and 26 characters of base32, 130 random bits."""
    return "trunk_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]


def apply_settings(
    before: Trunk | None, account_id: str, settings: TrunkSettings, sip_domain: str | None, now: int
) -> Trunk:
    """Return the trunk as `settings` make it: a new one, or the next revision of the one before.

    `sip_domain` is where trunks of provider twilio send their calls; the gateway needs none.
    """
    registers = settings.provider == "gateway"
    return Trunk(
        trunk_id=before.trunk_id if before else new_trunk_id(),
        account_id=account_id,
        **settings.model_dump(exclude={"password"}),
        revision=before.revision + 1 if before else 1,
        status=TrunkStatus.REGISTERING if registers else TrunkStatus.UNREGISTERED,
        detail=(
            f"Registering with {settings.host}. Look again in a few seconds."
            if registers
            else f"Nothing registers. Point the trunk at {inbound_uri(sip_domain or '')}, with "
            "each number in E.164 form."
        ),
        status_at=now,
        created_at=before.created_at if before else now,
        updated_at=now,
    )


def inbound_uri(sip_domain: str) -> str:
    """Return the URI to which a trunk of provider twilio sends its calls; `{number}` is the number
    called."""
    return f"sip:{{number}}@{sip_domain}"


def apply_report(
    trunk: Trunk, status: TrunkStatus, sip_code: int | None, detail: str, now: int
) -> Trunk:
    """Return the trunk after a report of the gateway (about its present revision).

    A failed trunk that is tried again stays failed until it is registered: so its owner can still
    see the reason, and an attempt each minute does not cause an event each minute.
    """
    if trunk.status is TrunkStatus.FAILED and status is TrunkStatus.REGISTERING:
        return trunk
    changes: dict[str, Any] = {
        "status": status,
        "sip_code": sip_code,
        "detail": detail[:MAX_DETAIL],
    }
    if status is not trunk.status:
        changes["status_at"] = now
    return trunk.model_copy(update=changes)


def public_view(trunk: Trunk) -> dict[str, Any]:
    """Return the trunk as REST and events show it."""
    return trunk.model_dump(mode="json", exclude={"account_id"})


def trunk_event(event_type: EventType, trunk: Trunk, now: int) -> Event:
    """Make the event `trunk.connected`, `.disconnected`, `.registered` or `.failed`."""
    return Event(
        event_id=event_id(
            trunk.trunk_id.removeprefix("trunk_"),
            event_type.value,
            f"{trunk.revision:03d}",
            to_text(now),
        ),
        type=event_type,
        account_id=trunk.account_id,
        at=now,
        data={"trunk": public_view(trunk)},
    )
