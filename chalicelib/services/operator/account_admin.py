"""The operator's decisions about accounts: limits, betas, suspension, closing."""

from __future__ import annotations

import contextlib
import logging

from chalicelib.domain import account as account_rules
from chalicelib.domain.account import Account
from chalicelib.domain.dial_rules import MIN_CALL_S
from chalicelib.services.delivery import endpoints
from chalicelib.services.delivery.endpoints import UnknownEndpoint
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import numbers, trunks
from chalicelib.services.line.numbers import UnknownNumber
from chalicelib.services.line.trunks import NoTrunk
from chalicelib.store.places import MAX_PLACES

log = logging.getLogger(__name__)

LIMITS = (*account_rules.LIMITS, "rate_factor")
"""The limits of an account that can be set, as `domain/account.py` explains them."""


_RANGES: dict[str, tuple[int, int | None]] = {
    "rate_factor": (1, None),
    "max_call_s": (MIN_CALL_S, None),
    "max_concurrent_calls": (0, MAX_PLACES),
    "max_waiting_polls": (0, MAX_PLACES),
}
"""Lowest and highest value, for limits with other bounds than 0 and none."""


class UnknownAccount(LookupError):
    """No such account."""


def list_all(deps: Dependencies) -> list[Account]:
    """Return all accounts, oldest first."""
    return sorted(
        deps.stores.accounts.list_all(), key=lambda each: (each.created_at, each.account_id)
    )


def get_account(deps: Dependencies, account_id: str) -> Account:
    """Return an account. Raises UnknownAccount."""
    found = deps.stores.accounts.get(account_id)
    if found is None:
        raise UnknownAccount(account_id)
    return found


def set_limits(deps: Dependencies, account_id: str, limits: dict[str, int]) -> Account:
    """Set limits of an account, from its next request on; it keeps what it has beyond them. Raises
    UnknownAccount, ValueError.
    """
    if unknown := set(limits) - set(LIMITS):
        raise ValueError(f"no such limit: {', '.join(sorted(unknown))}")
    for name, value in limits.items():
        least, most = _RANGES.get(name, (0, None))
        if value < least:
            raise ValueError(f"{name} is too low: {least} or more")
        if most is not None and value > most:
            raise ValueError(f"{name} is too high: {most} or less")
    return _changed(deps, account_id, limits)


def set_hosted_voice(deps: Dependencies, account_id: str, granted: bool) -> Account:
    """Let an account take part in the beta of hosted voice, or no more. Raises UnknownAccount."""
    return _changed(deps, account_id, {"hosted_voice": granted})


def suspend(deps: Dependencies, account_id: str, suspended: bool = True) -> Account:
    """Suspend an account, or end its suspension. From the next request on, the keys and sessions of
    a suspended account open nothing, and calls to its numbers are rejected. Calls that are up go on
    to their end. Raises UnknownAccount.
    """
    account = _changed(deps, account_id, {"suspended": suspended})
    log.info("account suspended: %s", suspended, extra={"account_id": account_id})
    return account


def close(deps: Dependencies, account_id: str) -> Account:
    """Suspend an account for good and take back all that it holds. The operator can still read its
    calls and events. Raises UnknownAccount.
    """
    account = suspend(deps, account_id)
    for line in deps.stores.lines.held_by(account_id):
        with contextlib.suppress(UnknownNumber):
            numbers.release(deps, account_id, line.e164)
    for trunk in deps.stores.trunks.all_of_account(account_id):
        with contextlib.suppress(NoTrunk):
            trunks.disconnect(deps, account_id, trunk.name)
    for endpoint in deps.stores.endpoints.of_account(account_id):
        with contextlib.suppress(UnknownEndpoint):
            endpoints.remove(deps, account_id, endpoint.endpoint_id)
    return account


def _changed(
    deps: Dependencies, account_id: str, changes: dict[str, int] | dict[str, bool]
) -> Account:
    try:
        deps.stores.accounts.change(account_id, changes)
    except LookupError:
        raise UnknownAccount(account_id) from None
    return get_account(deps, account_id)
