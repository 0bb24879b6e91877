"""Seed a new stack: an account with a key, a pool of numbers, one of them activated.

The numbers are from the range that the North American plan reserves for fiction (555-01XX): a call
that escapes reaches nobody.
"""

from __future__ import annotations

from chalicelib.domain.line import Line
from chalicelib.services.account import accounts
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import numbers
from chalicelib.services.operator import account_admin

POOL = [f"+1555550{last:04d}" for last in range(100, 160)]
FRENCH_POOL = [f"+331990000{last:02d}" for last in range(10, 15)]
"""Numbers that the French regulator reserves for fiction (01 99 00 XX XX)."""


def fill_pool(deps: Dependencies) -> None:
    """Put the numbers that are not known yet into the pool."""
    for country, pool in (("US", POOL), ("FR", FRENCH_POOL)):
        for e164 in pool:
            deps.stores.lines.add_to_pool(Line(e164=e164, country=country, provider="gateway"))


def first_account(deps: Dependencies) -> str:
    """Open an account that holds one number; return its API key."""
    account, key = accounts.create_account(deps, "Local account")
    numbers.activate(deps, account.account_id, "US")
    return key


def let_speak(deps: Dependencies, account_id: str) -> None:
    """Let the account take part in the beta of hosted voices: here it is the operator's own."""
    account = deps.stores.accounts.get(account_id)
    if account and not account.hosted_voice:
        account_admin.set_hosted_voice(deps, account_id, granted=True)
