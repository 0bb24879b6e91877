"""The SIP trunks of accounts.

An account connects SIP trunks, each with a name. With provider `gateway` our gateway registers with
a trunk and calls come in through that registration, or it registers nowhere and calls come from the
trunk's networks; with `twilio` the trunk sends its calls to a SIP domain. The password is not part
of a `Trunk`, so no view, event or log of one can show it. What an owner sets is in
`trunk_settings.py`, the trunk's numbers are in `did.py`.
"""

from __future__ import annotations

import base64
import re
import secrets
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, model_validator

from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.host import Host
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.trunk_fields import MAIN, TrunkName, Username, with_usual_srtp
from chalicelib.domain.trunk_settings import SIP_PORT, SIPS_PORT, TrunkOptions, TrunkSettings

MAX_DETAIL = 500
"""Characters of what the gateway says of a registration."""

TRUNK_ID = re.compile(r"trunk_[a-z2-7]{26}", re.ASCII)
"""The form of a trunk's id; other text names no trunk."""


MAX_TRUNKS = 10
"""Trunks of an account."""

GATEWAY_IP = "gateway-ip"
"""The key of claims on numbers whose calls our gateway knows by the address they come from."""


class TrunkStatus(StrEnum):
    """The status of a trunk: of its registration, or of the answers to our OPTIONS."""

    REGISTERING = "registering"
    REGISTERED = "registered"
    READY = "ready"
    """Nothing registers, and the trunk answers: calls come from its networks."""
    FAILED = "failed"
    UNREGISTERED = "unregistered"
    """Nothing registers: the provider is one to which the trunk sends its calls by itself."""


USABLE = frozenset({TrunkStatus.REGISTERED, TrunkStatus.READY})
"""Statuses in which a trunk of our gateway places calls."""


class Trunk(TrunkOptions):
    """A trunk as it is, without its password.

    `revision` counts the settings of its owner, so that a report about older settings is
    recognised. `status_at`: when the status last changed; `detail`: what to do about it.
    `allowed_countries`: ISO 3166 alpha-2, what may be dialled out to.
    """

    model_config = ConfigDict(frozen=True)

    trunk_id: str
    account_id: str
    name: TrunkName = MAIN
    host: Host
    username: Username | None = None
    revision: int = 1
    status: TrunkStatus
    sip_code: int | None = None
    detail: str = ""
    status_at: Instant
    created_at: Instant
    updated_at: Instant

    @model_validator(mode="before")
    @classmethod
    def _usual_srtp(cls, given: Any) -> Any:
        return with_usual_srtp(given)

    @property
    def usual_port(self) -> int:
        """Return the port that is given, or the one of the transport."""
        return self.port or (SIPS_PORT if self.transport == "tls" else SIP_PORT)

    @property
    def claims_at(self) -> str | None:
        """Return the key under which the trunk's numbers are claimed, each for one trunk of all
        accounts: where calls come in that name a number and no trunk. None if calls always name
        the trunk.
        """
        if self.provider != "gateway":
            return self.provider
        return None if self.auth == "register" else GATEWAY_IP


def new_trunk_id() -> str:
    """Make a trunk id: `trunk_` and 26 characters of base32, 130 random bits."""
    return "trunk_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]


def apply_settings(  # noqa: PLR0913 - the facts of a trunk
    before: Trunk | None,
    account_id: str,
    settings: TrunkSettings,
    sip_domain: str | None,
    now: int,
    *,
    name: str = MAIN,
) -> Trunk:
    """Return the trunk as `settings` make it: a new one called `name`, or the next revision of the
    one before.

    `sip_domain` is where trunks of provider twilio send their calls; the gateway needs none.
    """
    connects = settings.provider == "gateway"
    return Trunk(
        trunk_id=before.trunk_id if before else new_trunk_id(),
        account_id=account_id,
        name=before.name if before else name,
        **settings.model_dump(exclude={"password"}),
        revision=before.revision + 1 if before else 1,
        status=TrunkStatus.REGISTERING if connects else TrunkStatus.UNREGISTERED,
        detail=_first_detail(settings, sip_domain),
        status_at=now,
        created_at=before.created_at if before else now,
        updated_at=now,
    )


def _first_detail(settings: TrunkSettings, sip_domain: str | None) -> str:
    if settings.provider == "twilio":
        return (
            f"Nothing registers. Point the trunk at {inbound_uri(sip_domain or '')}, with each "
            "number in E.164 form."
        )
    host = settings.outbound_proxy or settings.host
    if settings.auth == "ip":
        return f"Asking {host} whether it answers. Look again in a few seconds."
    return f"Registering with {settings.host}. Look again in a few seconds."


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
