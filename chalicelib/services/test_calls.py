"""Test calls: the owner of a number calls it from a browser. To everything after the gateway it is
an inbound call like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.domain.phone import BROWSER
from chalicelib.services import dids, numbers
from chalicelib.services.numbers import UnknownNumber
from chalicelib.services.ports import Ports
from chalicelib.services.trunks import NoTrunk, own
from wire.call_ticket import LIFE_S, Ticket


class TestCallsUnavailable(Exception):
    """There are none here, or not to that number."""

    __test__ = False  # pytest's: this is none


@dataclass(frozen=True)
class Invitation:
    """What a browser needs to place its call."""

    url: str = field(repr=False)
    ticket: Ticket


def invite(ports: Ports, account_id: str, e164: str) -> Invitation:
    """A test call to a number of the account's. UnknownNumber, TestCallsUnavailable."""
    provider, trunk_id = _at(ports, account_id, e164)
    host = ports.test_calls
    if host is None:
        raise TestCallsUnavailable("This installation takes no calls from browsers.")
    if provider != host.provider:
        raise TestCallsUnavailable(f"Calls to {e164} come in at {provider}: call it by phone.")
    ticket = Ticket(e164, BROWSER, trunk_id, ports.now() // 1000 + LIFE_S)
    return Invitation(host.url(ticket), ticket)


def _at(ports: Ports, account_id: str, e164: str) -> tuple[str, str | None]:
    """The provider at which calls to the number come in, and the trunk, if it is one's own."""
    try:
        return numbers.owned(ports, account_id, e164).provider, None
    except UnknownNumber:
        pass
    try:
        trunk = own(ports, account_id)
        did = dids.owned(ports, account_id, e164)
    except NoTrunk:
        raise UnknownNumber(e164) from None
    return trunk.provider, did.trunk_id
