"""An account's trunks: their owner connects, changes and disconnects them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from chalicelib.domain.did import Did
from chalicelib.domain.event import EventType
from chalicelib.domain.failure import Failure
from chalicelib.domain.trunk import MAX_TRUNKS, Trunk, apply_settings, trunk_event
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.trunk_checks import check_settings
from chalicelib.store import trunk_limits
from chalicelib.store.contention import tries
from chalicelib.store.dids import Taken, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import Record, TrunkChanged
from chalicelib.store.trunks import TrunkExists, TrunksFull
from chalicelib.store.vault import Vault

log = logging.getLogger(__name__)


class NoTrunk(Failure, LookupError):
    """The account has no trunk of that name."""

    code = "no_trunk"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.detail = "" if name == MAIN else f"You have no trunk {name}."


class TooManyTrunks(Failure):
    """The account has as many trunks as it may; `limit` is how many."""

    code = "too_many_trunks"
    member_names = ("limit",)

    def __init__(self) -> None:
        super().__init__()
        self.limit = MAX_TRUNKS


class UnknownTrunk(Failure, LookupError):
    """No such trunk (of the gateway's)."""

    code = "trunk_not_found"


class VaultMissing(Failure):
    """No vault is configured, so no password can be sealed."""

    code = "vault_missing"


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
    """The number is added already, here or (`elsewhere`) to another trunk whose calls name numbers
    only.
    """

    code = "number_taken"

    def __init__(self, e164: str, *, elsewhere: bool, trunk: str = MAIN) -> None:
        super().__init__(e164)
        self.e164, self.elsewhere, self.trunk = e164, elsewhere, trunk


@dataclass(frozen=True)
class TrunkWithNumbers:
    """A trunk and its numbers."""

    trunk: Trunk
    dids: list[Did]


def connect(
    deps: Dependencies, account_id: str, settings: TrunkSettings, name: str = MAIN
) -> tuple[Trunk, bool]:
    """Connect the account's trunk of that name with `settings`; return it, and whether it is new.
    Its numbers stay.

    Two requests at the same moment are done one after the other. Raises VaultMissing, UnfitSetting,
    ProviderNotConfigured, TooManyConnects, TooManyTrunks, Reserved (its caller ID); NumberTaken and
    TooManyDids if the claims on its numbers cannot move.
    """
    check_settings(deps, settings, name)
    vault = _vault(deps)
    _count(deps, account_id)
    for _ in tries():
        before = deps.stores.trunks.record_of_account(account_id, name)
        now = deps.now()
        trunk = apply_settings(
            before.trunk if before else None,
            account_id,
            settings,
            deps.settings.twilio_sip_domain,
            now,
            name=name,
        )
        sealed = _sealed(vault, settings, trunk)
        event = trunk_event(EventType.TRUNK_CONNECTED, trunk, now)
        try:
            if before is None:
                deps.stores.trunks.create(Record(trunk, sealed), event)
            else:
                deps.stores.trunks.change(before, trunk, sealed, event)
        except (TrunkExists, TrunkChanged, Contention):
            continue
        except TrunksFull:
            raise TooManyTrunks from None
        except TooMany as full:
            raise TooManyDids(
                full.most, f"A trunk takes up to {full.most} to another provider or auth."
            ) from None
        except Taken as taken:
            raise NumberTaken(str(taken), elsewhere=True) from None
        log.info("trunk connected", extra=facts_of(trunk))
        _tell_host(deps, trunk, before.trunk if before else None)
        return trunk, before is None
    raise Contention


def see(deps: Dependencies, account_id: str, name: str = MAIN) -> TrunkWithNumbers:
    """Return the account's trunk of that name with its numbers. Raises NoTrunk."""
    trunk = deps.stores.trunks.of_account(account_id, name)
    found = deps.stores.dids.with_trunk(trunk.trunk_id) if trunk else None
    if found is None:
        raise NoTrunk(name)
    return TrunkWithNumbers(*found)


def see_all(deps: Dependencies, account_id: str) -> list[TrunkWithNumbers]:
    """Return all trunks of the account with their numbers: `main` first, then by name."""
    listed = deps.stores.trunks.all_of_account(account_id)
    found = (deps.stores.dids.with_trunk(trunk.trunk_id) for trunk in listed)
    return [TrunkWithNumbers(*each) for each in found if each is not None]


def own(deps: Dependencies, account_id: str, name: str = MAIN) -> Trunk:
    """Return the account's trunk of that name. Raises NoTrunk."""
    trunk = deps.stores.trunks.of_account(account_id, name)
    if trunk is None:
        raise NoTrunk(name)
    return trunk


def disconnect(deps: Dependencies, account_id: str, name: str = MAIN) -> None:
    """Delete the account's trunk of that name and its numbers. Calls that are up go on. Raises
    NoTrunk.
    """
    for _ in tries():
        before = deps.stores.trunks.record_of_account(account_id, name)
        if before is None:
            raise NoTrunk(name)
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


def credentials(deps: Dependencies, trunk: Trunk) -> str | None:
    """Return the trunk's password, in clear, if it has one. Raises UnknownTrunk if it was changed
    or removed since it was read: a password goes with its host and username. Raises BadSeal if the
    vault's key was lost.
    """
    record = deps.stores.trunks.record(trunk.trunk_id)
    if record is None or record.trunk.revision != trunk.revision:
        raise UnknownTrunk(trunk.trunk_id)
    return open_password(deps, record)


def open_password(deps: Dependencies, record: Record) -> str | None:
    """Return a trunk's password, in clear, if it has one. Raises BadSeal if no key of the vault
    opens it.
    """
    if record.sealed_password is None:
        return None
    return _vault(deps).open(record.sealed_password, _context(record.trunk))


def reseal(deps: Dependencies, account_id: str, name: str) -> int:
    """Seal the password of the account's trunk of that name with the vault's first key; return how
    many were sealed. Raises BadSeal if no key of the vault opens it.
    """
    for _ in tries():
        before = deps.stores.trunks.record_of_account(account_id, name)
        password = None if before is None else open_password(deps, before)
        if before is None or password is None:
            return 0
        try:
            deps.stores.trunks.reseal(before, _vault(deps).seal(password, _context(before.trunk)))
        except (TrunkChanged, Contention):
            continue
        return 1
    raise Contention


def _count(deps: Dependencies, account_id: str) -> None:
    now = deps.now()
    if not deps.stores.trunk_limits.count_connect(account_id, now):
        raise TooManyConnects(trunk_limits.MAX_CONNECTS, 3600 - now // 1000 % 3600)


def _vault(deps: Dependencies) -> Vault:
    if deps.vault is None:
        raise VaultMissing
    return deps.vault


def _sealed(vault: Vault, settings: TrunkSettings, trunk: Trunk) -> str | None:
    """Return the password sealed for this trunk, if there is one."""
    if settings.password is None:
        return None
    return vault.seal(settings.password.get_secret_value(), _context(trunk))


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
        "trunk": trunk.name,
        "revision": trunk.revision,
        "provider": trunk.provider,
    }
