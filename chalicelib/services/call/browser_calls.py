"""Test calls: the owner of a number calls it from a browser. Everything after the gateway handles
it as an inbound call like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.domain.failure import Failure
from chalicelib.domain.phone import BROWSER
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import numbers
from chalicelib.services.line.numbers import UnknownNumber
from common.call_ticket import LIFE_S, Ticket


class BrowserCallsUnavailable(Failure):
    """Test calls are not possible here, or not to that number."""

    code = "test_calls_unavailable"

    __test__ = False  # pytest must not collect it


@dataclass(frozen=True)
class Invitation:
    """The URL and ticket with which a browser places its call."""

    url: str = field(repr=False)
    ticket: Ticket


def invite(deps: Dependencies, account_id: str, e164: str) -> Invitation:
    """Make a test call's invitation to a number of the account. Raises UnknownNumber,
    BrowserCallsUnavailable.
    """
    provider, trunk_id = _at(deps, account_id, e164)
    host = deps.test_calls
    if host is None:
        raise BrowserCallsUnavailable("This installation takes no calls from browsers.")
    if provider != host.provider:
        raise BrowserCallsUnavailable(f"Calls to {e164} come in at {provider}: call it by phone.")
    ticket = Ticket(e164, BROWSER, trunk_id, deps.now() // 1000 + LIFE_S)
    return Invitation(host.url(ticket), ticket)


def _at(deps: Dependencies, account_id: str, e164: str) -> tuple[str, str | None]:
    """Return the provider at which calls to the number come in, and the trunk, if there is one."""
    try:
        return numbers.owned(deps, account_id, e164).provider, None
    except UnknownNumber:
        pass
    having = [
        trunk
        for trunk in deps.stores.trunks.all_of_account(account_id)
        if deps.stores.dids.get(trunk.trunk_id, e164) is not None
    ]
    if not having:
        raise UnknownNumber(
            e164, "It is none of your routing numbers, and none of your trunk's numbers."
        )
    # Browsers call the gateway, so of several trunks with the number one of its own counts.
    trunk = next((each for each in having if each.provider == "gateway"), having[0])
    return trunk.provider, trunk.trunk_id
