"""The pool of numbers, for the operator: its numbers, their holders, adding and removing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.domain.line import Line
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.lines import Claimed, NotFree
from chalicelib.store.reserved import CLAIMED_AT
from chalicelib.store.table import Contention

ADD_TRIES = 10
"""Tries to add a number while others write to the same items."""


class NotInPool(Exception):
    """Somebody holds the number, or there is no such number."""


class UnknownProvider(ValueError):
    """This installation has no provider of that name."""


class NumberClaimed(Exception):
    """The number is one of somebody's trunk: of `account_id`, if it is known."""

    def __init__(self, e164: str, account_id: str | None) -> None:
        super().__init__(e164)
        self.e164, self.account_id = e164, account_id


def claims(deps: Dependencies) -> dict[str, str]:
    """Return all DIDs and caller IDs, and the accounts that have them. Reads the whole table."""
    callers = {
        trunk.caller_id: trunk.account_id
        for trunk in deps.stores.trunks.list_all()
        if trunk.caller_id
    }
    return {**callers, **{e164: did.account_id for e164, did in deps.stores.dids.claimed().items()}}


def add(
    deps: Dependencies,
    e164: str,
    country: str,
    provider: str,
    claimed: Mapping[str, str] | None = None,
) -> bool:
    """Add a number to the pool, so that it can be given out; return False if it is known already.
    Its calls have to be announced to us: that is set at the provider. Raises UnknownProvider,
    NumberClaimed, ValidationError.

    `claimed`: the result of `claims`, for callers that add many. A DID that is added at the same
    moment to a trunk whose calls name numbers only wins or loses in the table; a DID of a trunk
    that registers takes none of the pool's calls.
    """
    if provider not in deps.providers:
        raise UnknownProvider(provider)
    line = Line(e164=e164, country=country, provider=provider)
    found = claims(deps) if claimed is None else claimed
    if line.e164 in found:
        raise NumberClaimed(e164, found[line.e164])
    for _ in tries(ADD_TRIES):
        try:
            return deps.stores.lines.add_to_pool(line)
        except Contention:
            continue
        except Claimed:
            if any(deps.stores.dids.forget_claim(place, line.e164) for place in CLAIMED_AT):
                continue  # the claim was left by a trunk that is gone
            holders = (deps.stores.dids.at(place, line.e164) for place in CLAIMED_AT)
            did = next((each for each in holders if each is not None), None)
            raise NumberClaimed(e164, did.account_id if did else None) from None
    raise Contention


def remove(deps: Dependencies, e164: str) -> None:
    """Take a number that nobody holds out of the pool. Raises NotInPool."""
    try:
        deps.stores.lines.remove_from_pool(e164)
    except NotFree:
        raise NotInPool(e164) from None


def list_all(deps: Dependencies) -> Iterator[Line]:
    """Return all numbers, held and free, by country and number."""
    return iter(sorted(deps.stores.lines.list_all(), key=lambda line: (line.country, line.e164)))


def counts(deps: Dependencies) -> dict[str, tuple[int, int]]:
    """Return country -> how many numbers are held, and how many free."""
    found: dict[str, tuple[int, int]] = {}
    for line in list_all(deps):
        held, free = found.get(line.country, (0, 0))
        found[line.country] = (held + 1, free) if line.account_id else (held, free + 1)
    return found
