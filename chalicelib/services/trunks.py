"""An account's trunk: connected, changed, disconnected by its owner; registered by the gateway."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.did import Did
from chalicelib.domain.event import EventType
from chalicelib.domain.host import public_host
from chalicelib.domain.trunk import Trunk, TrunkStatus, connected, reported, trunk_event
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.services.ports import Ports
from chalicelib.store import trunk_limits
from chalicelib.store.dids import Taken, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import Record, TrunkChanged
from chalicelib.store.trunks import MAX_MOVED, TrunkExists
from chalicelib.store.vault import BadSeal, Vault

log = logging.getLogger(__name__)

MAX_TRIES = 25
COLLISION_WAIT_S = 0.03
PAGE = 200
"""Trunks in one answer to the gateway."""

_TOLD_OF = {
    TrunkStatus.REGISTERED: EventType.TRUNK_REGISTERED,
    TrunkStatus.FAILED: EventType.TRUNK_FAILED,
}


class NoTrunk(LookupError):
    """The account has no trunk."""


class UnknownTrunk(LookupError):
    """No such trunk (of the gateway's)."""


class VaultMissing(Exception):
    """Nobody has told the application what to seal passwords with."""


class PrivateHost(ValueError):
    """The host can only be one of the operator's own network."""


class ProviderNotConfigured(Exception):
    """This installation does not have the provider; the message says what is missing."""


class TooManyConnects(Exception):
    """The account has connected its trunk as often as it may (`limit`) in this hour of the clock;
    the next begins in `retry_after_s`.
    """

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(limit)
        self.limit, self.retry_after_s = limit, retry_after_s


class TooManyDids(Exception):
    """More numbers than the trunk may have (or can take along); `limit` is how many."""

    def __init__(self, limit: int, detail: str) -> None:
        super().__init__(detail)
        self.limit, self.detail = limit, detail


class NumberTaken(Exception):
    """The number is added already, here or (`elsewhere`) to another trunk of the provider."""

    def __init__(self, e164: str, *, elsewhere: bool) -> None:
        super().__init__(e164)
        self.e164, self.elsewhere = e164, elsewhere


@dataclass(frozen=True)
class Seen:
    """A trunk and its numbers."""

    trunk: Trunk
    dids: list[Did]


def connect(ports: Ports, account_id: str, settings: TrunkSettings) -> tuple[Trunk, bool]:
    """The account's trunk as `settings` make it, and whether it is its first. Its numbers stay.

    Two who do so at once are served one after the other. VaultMissing, PrivateHost,
    ProviderNotConfigured, TooManyConnects; NumberTaken and TooManyDids if another provider cannot
    have its numbers.
    """
    _check(ports, settings)
    vault = _vault(ports)
    _count(ports, account_id)
    for _ in range(MAX_TRIES):
        before = ports.trunks.record_of_account(account_id)
        now = ports.now()
        trunk = connected(
            before.trunk if before else None, account_id, settings, ports.twilio_sip_domain, now
        )
        sealed = vault.seal(settings.password.get_secret_value(), _context(trunk))
        event = trunk_event(EventType.TRUNK_CONNECTED, trunk, now)
        try:
            if before is None:
                ports.trunks.create(Record(trunk, sealed), event)
            else:
                ports.trunks.change(before, trunk, sealed, event)
        except (TrunkExists, TrunkChanged, Contention):
            step_aside()
            continue
        except TooMany:
            raise TooManyDids(
                MAX_MOVED, f"A trunk takes up to {MAX_MOVED} to another provider."
            ) from None
        except Taken as taken:
            raise NumberTaken(str(taken), elsewhere=True) from None
        log.info("trunk connected", extra=_facts(trunk))
        _tell_host(ports, trunk, before.trunk if before else None)
        return trunk, before is None
    raise Contention


def see(ports: Ports, account_id: str) -> Seen:
    """The account's trunk with its numbers. NoTrunk."""
    trunk = ports.trunks.of_account(account_id)
    found = ports.dids.whole(trunk.trunk_id) if trunk else None
    if found is None:
        raise NoTrunk(account_id)
    return Seen(*found)


def own(ports: Ports, account_id: str) -> Trunk:
    """The account's trunk. NoTrunk."""
    trunk = ports.trunks.of_account(account_id)
    if trunk is None:
        raise NoTrunk(account_id)
    return trunk


def disconnect(ports: Ports, account_id: str) -> None:
    """Forget the account's trunk and its numbers. Calls that are up go on. NoTrunk."""
    for _ in range(MAX_TRIES):
        before = ports.trunks.record_of_account(account_id)
        if before is None:
            raise NoTrunk(account_id)
        trunk = before.trunk
        try:
            ports.trunks.remove(
                before, trunk_event(EventType.TRUNK_DISCONNECTED, trunk, ports.now())
            )
        except (TrunkChanged, Contention):
            step_aside()
            continue
        log.info("trunk disconnected", extra=_facts(trunk))
        _tell_host(ports, trunk)
        try:
            ports.trunks.clear_away(trunk)
        except Exception:
            # It is gone for everybody; what is left of it nobody can reach.
            log.exception("trunk not cleared away", extra=_facts(trunk))
        return
    raise Contention


def credentials(ports: Ports, trunk: Trunk) -> str:
    """The trunk's password, in clear. UnknownTrunk if it was changed or removed since it was read:
    a password goes with its host and username. BadSeal if the vault's key was lost.
    """
    record = ports.trunks.record(trunk.trunk_id)
    if record is None or record.trunk.revision != trunk.revision:
        raise UnknownTrunk(trunk.trunk_id)
    return _vault(ports).open(record.sealed_password, _context(trunk))


def reseal(ports: Ports, account_id: str) -> int:
    """Seal the password of the account's trunk with the vault's first key; how many were sealed.
    BadSeal if no key of the vault opens it.
    """
    for _ in range(MAX_TRIES):
        before = ports.trunks.record_of_account(account_id)
        if before is None:
            return 0
        context = _context(before.trunk)
        password = _vault(ports).open(before.sealed_password, context)
        try:
            ports.trunks.reseal(before, _vault(ports).seal(password, context))
        except (TrunkChanged, Contention):
            step_aside()
            continue
        return 1
    raise Contention


def all_of_gateway(ports: Ports) -> Iterator[Trunk]:
    """Every trunk that the gateway is to register."""
    after: str | None = None
    while True:
        found, after = list_for_gateway(ports, after)
        yield from found
        if after is None:
            return


def list_for_gateway(ports: Ports, after: str | None) -> tuple[list[Trunk], str | None]:
    """A page of the trunks the gateway is to register, and what to ask on with."""
    return ports.trunks.page("gateway", after, PAGE)


def fetch_for_gateway(ports: Ports, trunk_id: str) -> tuple[Trunk, str]:
    """A trunk and its password. UnknownTrunk also for one that is another provider's by now, or
    whose password does not open (the vault's key was lost): its owner is told so.
    """
    record = _gateways(ports, trunk_id)
    trunk = record.trunk
    try:
        return trunk, _vault(ports).open(record.sealed_password, _context(trunk))
    except BadSeal as error:
        log.error("trunk's password does not open: %s", error, extra=_facts(trunk))
    report(
        ports,
        trunk_id,
        revision=trunk.revision,
        status=TrunkStatus.FAILED,
        sip_code=None,
        detail="The stored password cannot be read any more: set it anew with PUT /api/trunk.",
    )
    raise UnknownTrunk(trunk_id)


def report(  # noqa: PLR0913 - a report is what it is
    ports: Ports,
    trunk_id: str,
    *,
    revision: int,
    status: TrunkStatus,
    sip_code: int | None,
    detail: str = "",
) -> int:
    """How the gateway's registration is doing; the revision that counts. A report about another
    one changes nothing. UnknownTrunk.
    """
    for _ in range(MAX_TRIES):
        before = _gateways(ports, trunk_id)
        trunk = before.trunk
        if trunk.revision != revision:
            return trunk.revision
        now = ports.now()
        after = reported(trunk, status, sip_code, detail, now)
        if after == trunk:
            return revision
        told_of = _TOLD_OF.get(after.status) if after.status is not trunk.status else None
        event = trunk_event(told_of, after, now) if told_of else None
        try:
            ports.trunks.report(before, after, event)
        except (TrunkChanged, Contention):
            step_aside()
            continue
        log.info("trunk %s", after.status.value, extra={**_facts(after), "sip_code": sip_code})
        return revision
    raise Contention


def step_aside() -> None:
    """Another write to the same trunk is under way; let it through."""
    time.sleep(random.uniform(0, COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing


def providers(ports: Ports) -> list[str]:
    """Those whose trunks can be connected here."""
    if ports.vault is None:
        return []
    return sorted(name for name in ports.providers if name != "twilio" or ports.twilio_sip_domain)


def _check(ports: Ports, settings: TrunkSettings) -> None:
    if settings.provider not in ports.providers:
        raise ProviderNotConfigured(f"This installation has no provider {settings.provider}.")
    if settings.provider == "twilio" and not ports.twilio_sip_domain:
        raise ProviderNotConfigured(
            "Trunks of provider twilio need a SIP domain: the operator sets "
            "CHAMADE_TWILIO_SIP_DOMAIN."
        )
    if not ports.private_trunks and not public_host(settings.host):
        raise PrivateHost(
            f"{settings.host!r} is not on the public Internet: give the public name or address of "
            "your trunk"
        )


def _count(ports: Ports, account_id: str) -> None:
    now = ports.now()
    if not ports.trunk_limits.count_connect(account_id, now):
        raise TooManyConnects(trunk_limits.MAX_CONNECTS, 3600 - now // 1000 % 3600)


def _gateways(ports: Ports, trunk_id: str) -> Record:
    record = ports.trunks.record(trunk_id)
    if record is None or record.trunk.provider != "gateway":
        raise UnknownTrunk(trunk_id)
    return record


def _vault(ports: Ports) -> Vault:
    if ports.vault is None:
        raise VaultMissing
    return ports.vault


def _context(trunk: Trunk) -> dict[str, str]:
    """What a sealed password belongs to: copied to another trunk's item it does not open."""
    return {"account_id": trunk.account_id, "trunk_id": trunk.trunk_id}


def _tell_host(ports: Ports, *trunks: Trunk | None) -> None:
    """After the write; nothing depends on it."""
    registers = any(trunk and trunk.provider == "gateway" for trunk in trunks)
    if registers and trunks[0] and ports.trunk_host:
        ports.trunk_host.changed(trunks[0].trunk_id)


def _facts(trunk: Trunk) -> dict[str, object]:
    return {
        "account_id": trunk.account_id,
        "trunk_id": trunk.trunk_id,
        "revision": trunk.revision,
        "provider": trunk.provider,
    }
