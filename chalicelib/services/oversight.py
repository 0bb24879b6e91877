"""What an operator decides about accounts: limits, betas, suspension, and the end."""

from __future__ import annotations

import contextlib
import logging

from chalicelib.domain.account import Account
from chalicelib.services import endpoints, numbers, trunks
from chalicelib.services.endpoints import UnknownEndpoint
from chalicelib.services.numbers import UnknownNumber
from chalicelib.services.ports import Ports
from chalicelib.services.trunks import NoTrunk

log = logging.getLogger(__name__)

LIMITS = (
    "max_numbers",
    "max_keys",
    "max_concurrent_dials",
    "max_dials_per_minute",
    "max_call_s",
    "rate_factor",
)
"""What of an account can be set; `domain/account.py` says what each means."""


class UnknownAccount(LookupError):
    """No such account."""


def every(ports: Ports) -> list[Account]:
    """All accounts, oldest first."""
    return sorted(ports.accounts.every(), key=lambda each: (each.created_at, each.account_id))


def one(ports: Ports, account_id: str) -> Account:
    """An account. UnknownAccount."""
    found = ports.accounts.get(account_id)
    if found is None:
        raise UnknownAccount(account_id)
    return found


def set_limits(ports: Ports, account_id: str, limits: dict[str, int]) -> Account:
    """Let an account have more or less, from its next request on; what it has, it keeps.
    UnknownAccount, ValueError.
    """
    if unknown := set(limits) - set(LIMITS):
        raise ValueError(f"no such limit: {', '.join(sorted(unknown))}")
    if low := [name for name, value in limits.items() if value < (name == "rate_factor")]:
        raise ValueError(f"{low[0]} is too low")
    return _changed(ports, account_id, limits)


def set_hosted_voice(ports: Ports, account_id: str, granted: bool) -> Account:
    """Let an account take part in the beta of hosted voice, or no more. UnknownAccount."""
    return _changed(ports, account_id, {"hosted_voice": granted})


def suspend(ports: Ports, account_id: str, suspended: bool = True) -> Account:
    """Keep an account out, or let it in again: its keys and sessions open nothing, calls to its
    numbers are rejected. Calls that are up go on to their end. Done twice it puts right what a
    failure left. UnknownAccount.
    """
    account = _changed(ports, account_id, {"suspended": suspended})
    for key in ports.accounts.keys(account_id):
        ports.accounts.suspend_key(key, suspended)
    log.info("account suspended: %s", suspended, extra={"account_id": account_id})
    return account


def close(ports: Ports, account_id: str) -> Account:
    """Suspend an account for good and take back all that it holds. Its calls and events stay to be
    read by the operator. UnknownAccount.
    """
    account = suspend(ports, account_id)
    for line in ports.lines.held_by(account_id):
        with contextlib.suppress(UnknownNumber):
            numbers.release(ports, account_id, line.e164)
    with contextlib.suppress(NoTrunk):
        trunks.disconnect(ports, account_id)
    for endpoint in ports.endpoints.of_account(account_id):
        with contextlib.suppress(UnknownEndpoint):
            endpoints.remove(ports, account_id, endpoint.endpoint_id)
    return account


def _changed(ports: Ports, account_id: str, changes: dict[str, int] | dict[str, bool]) -> Account:
    try:
        ports.accounts.change(account_id, changes)
    except LookupError:
        raise UnknownAccount(account_id) from None
    return one(ports, account_id)
