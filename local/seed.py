"""What a new stack starts with: an account with a key, a pool of numbers, one of them activated.

The numbers are from the range that the North American plan reserves for fiction (555-01XX): a call
that escapes reaches nobody.
"""

from __future__ import annotations

from chalicelib.domain.line import Line
from chalicelib.services import accounts, numbers
from chalicelib.services.ports import Ports

POOL = [f"+1555550{last:04d}" for last in range(100, 120)]
FRENCH_POOL = [f"+331990000{last:02d}" for last in range(10, 15)]
"""Reserved for fiction by the French regulator (01 99 00 XX XX)."""


def fill_pool(ports: Ports) -> None:
    """Numbers that are not known yet go into the pool."""
    for country, pool in (("US", POOL), ("FR", FRENCH_POOL)):
        for e164 in pool:
            ports.lines.add_to_pool(Line(e164=e164, country=country, provider="gateway"))


def first_account(ports: Ports) -> str:
    """An account that holds one number; its API key."""
    account, key = accounts.create_account(ports, "Local account")
    numbers.activate(ports, account.account_id, "US")
    return key
