"""An account's trunk: its owner connects, changes and disconnects it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from chalicelib.domain.did import Did
from chalicelib.domain.event import EventType
from chalicelib.domain.failure import Failure
from chalicelib.domain.host import public_host
from chalicelib.domain.trunk import Trunk, apply_settings, trunk_event
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.services.dependencies import Dependencies
from chalicelib.store import trunk_limits
from chalicelib.store.contention import tries
from chalicelib.store.dids import Taken, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import Record, TrunkChanged
from chalicelib.store.trunks import MAX_MOVED, TrunkExists
from chalicelib.store.vault import Vault

log = logging.getLogger(__name__)


class NoTrunk(Failure, LookupError):
    """The account has no trunk."""

    code = "no_trunk"


class UnknownTrunk(Failure, LookupError):
    """No such trunk (of the gateway's)."""

    code = "trunk_not_found"


class VaultMissing(Failure):
    """No vault is configured, so no password can be sealed."""

    code = "vault_missing"


class PrivateHost(Failure, ValueError):
    """The host can only be one of the operator's own network."""

    code = "invalid"
    field = "host"


class OwnHost(Failure, ValueError):
    """The host is one of this installation's own."""

    code = "invalid"
    field = "host"


class ProviderNotConfigured(Failure):
    """This installation does not have the provider; the message says what is missing."""

    code = "provider_not_configured"


class TooManyConnects(Failure):
    """The account has connected its trunk as often as it may (`limit`) in this hour of the clock;
    the next begins in `retry_after_s`.
    """

    code = "trunk_rate"
    member_names = ("limit",)

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(limit)
        self.limit, self.retry_after_s = limit, retry_after_s


class TooManyDids(Failure):
    """More numbers than the trunk may have (or can take along); `limit` is how many."""

    code = "too_many_dids"

    def __init__(self, limit: int, detail: str) -> None:
        super().__init__(detail)
        self.limit, self.detail = limit, detail


class NumberTaken(Failure):
    """The number is added already, here or (`elsewhere`) to another trunk of the provider."""

    code = "number_taken"

    def __init__(self, e164: str, *, elsewhere: bool) -> None:
        super().__init__(e164)
        self.e164, self.elsewhere = e164, elsewhere


@dataclass(frozen=True)
class TrunkWithNumbers:
    """A trunk and its numbers."""

    trunk: Trunk
    dids: list[Did]


def connect(deps: Dependencies, account_id: str, settings: TrunkSettings) -> tuple[Trunk, bool]:
    """Connect the account's trunk with `settings`; return it, and whether it is the account's
    first. Its numbers stay.

    Two requests at the same moment are done one after the other. Raises VaultMissing, PrivateHost,
    OwnHost, ProviderNotConfigured, TooManyConnects, Reserved (its caller ID); NumberTaken and
    TooManyDids if another provider cannot have its numbers.
    """
    _check(deps, settings)
    vault = _vault(deps)
    _count(deps, account_id)
    for _ in tries():
        before = deps.stores.trunks.record_of_account(account_id)
        now = deps.now()
        trunk = apply_settings(
            before.trunk if before else None,
            account_id,
            settings,
            deps.settings.twilio_sip_domain,
            now,
        )
        sealed = vault.seal(settings.password.get_secret_value(), _context(trunk))
        event = trunk_event(EventType.TRUNK_CONNECTED, trunk, now)
        try:
            if before is None:
                deps.stores.trunks.create(Record(trunk, sealed), event)
            else:
                deps.stores.trunks.change(before, trunk, sealed, event)
        except (TrunkExists, TrunkChanged, Contention):
            continue
        except TooMany:
            raise TooManyDids(
                MAX_MOVED, f"A trunk takes up to {MAX_MOVED} to another provider."
            ) from None
        except Taken as taken:
            raise NumberTaken(str(taken), elsewhere=True) from None
        log.info("trunk connected", extra=facts_of(trunk))
        _tell_host(deps, trunk, before.trunk if before else None)
        return trunk, before is None
    raise Contention


def see(deps: Dependencies, account_id: str) -> TrunkWithNumbers:
    """Return the account's trunk with its numbers. Raises NoTrunk."""
    trunk = deps.stores.trunks.of_account(account_id)
    found = deps.stores.dids.with_trunk(trunk.trunk_id) if trunk else None
    if found is None:
        raise NoTrunk(account_id)
    return TrunkWithNumbers(*found)


def own(deps: Dependencies, account_id: str) -> Trunk:
    """Return the account's trunk. Raises NoTrunk."""
    trunk = deps.stores.trunks.of_account(account_id)
    if trunk is None:
        raise NoTrunk(account_id)
    return trunk


def disconnect(deps: Dependencies, account_id: str) -> None:
    """Delete the account's trunk and its numbers. Calls that are up go on. Raises NoTrunk."""
    for _ in tries():
        before = deps.stores.trunks.record_of_account(account_id)
        if before is None:
            raise NoTrunk(account_id)
        trunk = before.trunk
        try:
            event = trunk_event(EventType.TRUNK_DISCONNECTED, trunk, deps.now())
            deps.stores.trunks.remove(before, event)
        except (TrunkChanged, Contention):
            continue
        log.info("trunk disconnected", extra=facts_of(trunk))
        _tell_host(deps, trunk)
        try:
            deps.stores.trunks.clear_away(trunk)
        except Exception:
            # The trunk itself is deleted; without it, nothing reads its other items.
            log.exception("trunk not cleared away", extra=facts_of(trunk))
        return
    raise Contention


def credentials(deps: Dependencies, trunk: Trunk) -> str:
    """Return the trunk's password, in clear. Raises UnknownTrunk if it was changed or removed since
    it was read: a password goes with its host and username. Raises BadSeal if the vault's key was
    lost.
    """
    record = deps.stores.trunks.record(trunk.trunk_id)
    if record is None or record.trunk.revision != trunk.revision:
        raise UnknownTrunk(trunk.trunk_id)
    return open_password(deps, record)


def open_password(deps: Dependencies, record: Record) -> str:
    """Return a trunk's password, in clear. Raises BadSeal if no key of the vault opens it."""
    return _vault(deps).open(record.sealed_password, _context(record.trunk))


def reseal(deps: Dependencies, account_id: str) -> int:
    """Seal the password of the account's trunk with the vault's first key; return how many were
    sealed. Raises BadSeal if no key of the vault opens it.
    """
    for _ in tries():
        before = deps.stores.trunks.record_of_account(account_id)
        if before is None:
            return 0
        password = open_password(deps, before)
        try:
            deps.stores.trunks.reseal(before, _vault(deps).seal(password, _context(before.trunk)))
        except (TrunkChanged, Contention):
            continue
        return 1
    raise Contention


def providers(deps: Dependencies) -> list[str]:
    """Return the providers whose trunks can be connected here."""
    if deps.vault is None:
        return []
    sip_domain = deps.settings.twilio_sip_domain
    return sorted(name for name in deps.providers if name != "twilio" or sip_domain)


def _check(deps: Dependencies, settings: TrunkSettings) -> None:
    if settings.provider not in deps.providers:
        raise ProviderNotConfigured(f"This installation has no provider {settings.provider}.")
    if settings.provider == "twilio" and not deps.settings.twilio_sip_domain:
        raise ProviderNotConfigured(
            "Trunks of provider twilio need a SIP domain: the operator sets "
            "CHAMADE_TWILIO_SIP_DOMAIN."
        )
    own = next((name for name in settings.sip_domains if name in deps.settings.own_hosts), None)
    if own is not None:
        raise OwnHost(
            f"{own!r} is a host of this installation, which would call itself: give the "
            "host of your carrier"
        )
    if not deps.settings.private_trunks and not public_host(settings.host):
        raise PrivateHost(
            f"{settings.host!r} is not on the public Internet: give the public name or address of "
            "your trunk"
        )


def _count(deps: Dependencies, account_id: str) -> None:
    now = deps.now()
    if not deps.stores.trunk_limits.count_connect(account_id, now):
        raise TooManyConnects(trunk_limits.MAX_CONNECTS, 3600 - now // 1000 % 3600)


def _vault(deps: Dependencies) -> Vault:
    if deps.vault is None:
        raise VaultMissing
    return deps.vault


def _context(trunk: Trunk) -> dict[str, str]:
    """Return the context of a sealed password: it does not open in another trunk's item."""
    return {"account_id": trunk.account_id, "trunk_id": trunk.trunk_id}


def _tell_host(deps: Dependencies, *trunks: Trunk | None) -> None:
    """Tell the gateway of a changed trunk, after the write; nothing depends on it."""
    registers = any(trunk and trunk.provider == "gateway" for trunk in trunks)
    if registers and trunks[0] and deps.trunk_host:
        deps.trunk_host.changed(trunks[0].trunk_id)


def facts_of(trunk: Trunk) -> dict[str, object]:
    """Return the fields that log lines about a trunk have."""
    return {
        "account_id": trunk.account_id,
        "trunk_id": trunk.trunk_id,
        "revision": trunk.revision,
        "provider": trunk.provider,
    }
