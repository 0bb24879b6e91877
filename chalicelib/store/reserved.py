"""Numbers of the pool are never a DID or a caller ID, and the other way round.

The two sides have items of their own (`lines.py`, `dids.py`). Each side's transaction has
a condition on the other side's item, so that of two writes at the same moment one loses.
"""

from __future__ import annotations

from chalicelib.domain.failure import Failure
from chalicelib.domain.trunk import GATEWAY_IP
from chalicelib.store.table import Table, Write, check


class Reserved(Failure):
    """The number is one of the pool, held or free."""

    code = "number_reserved"

    def __init__(self, e164: str) -> None:
        super().__init__(e164)
        self.e164 = e164


def line_key(e164: str) -> tuple[str, str]:
    """Return the key of a number of the pool."""
    return f"NUMBER#{e164}", "NUMBER"


CLAIMED_AT = ("twilio", GATEWAY_IP)
"""Places of claims. Calls there name the number only, so it is on one trunk of all accounts."""


def pointer_key(place: str, e164: str) -> tuple[str, str]:
    """Return the key of the item that names the trunk of a number, at one of `CLAIMED_AT`."""
    return f"DID#{place}#{e164}", "DID"


def not_of_the_pool(e164: str) -> Write:
    """Return the condition, for a transaction that gives a number to an account, that it is not in
    the pool.
    """
    return check(*line_key(e164), "attribute_not_exists(pk)")


def refuse_of_the_pool(table: Table, e164: str) -> None:
    """Raise Reserved if the number is one of the pool now."""
    if table.get(*line_key(e164)) is not None:
        raise Reserved(e164)
