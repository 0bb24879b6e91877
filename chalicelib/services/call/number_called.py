"""Find the number that an incoming call is for, and write its other numbers in E.164 form."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from chalicelib.domain.caller_number import in_full, needs_reading
from chalicelib.domain.did import Did
from chalicelib.domain.did_matching import international_forms, match_did, user_part
from chalicelib.domain.line import Line
from chalicelib.domain.phone import called_number
from chalicelib.domain.trunk import GATEWAY_IP, Trunk
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.numbering_plans import DialledIn, plans_of
from common.sip_headers import NO_INTRODUCTION, Introduction


@dataclass(frozen=True)
class Incoming:
    """A call as a provider announces it."""

    provider: str
    provider_call_id: str
    from_: str
    to: str
    forwarded_from: str | None = None
    trunk_id: str | None = None
    """The trunk it came through, where the provider says so."""
    trunk_source: str | None = None
    """The address it came from, if it may be for a trunk that has it in a network."""
    trusted: bool = True
    """False if that network is all that lets the call in."""
    redirects_ringing: bool = False
    """True if the provider takes a redirect of the call while it rings."""
    introduction: Introduction = NO_INTRODUCTION


@dataclass(frozen=True)
class Called:
    """The number that was called, and the trunk that has it (None: it is a routing number)."""

    number: Line | Did
    trunk: Trunk | None = None


def find_called(deps: Dependencies, incoming: Incoming) -> Called | None:
    """Return the number that was called, if it is somebody's. A call through a trunk is for one of
    that trunk's numbers: a carrier cannot make another number ring, whatever it writes.
    """
    if incoming.trunk_id is not None:
        called = _did_called(deps, incoming, incoming.trunk_id)
        if called and called.number.e164 in international_forms(incoming.to):
            return called
        # Others' calls may come from the trunk's registrar: a number in full comes before a guess.
        return _called_by_address(deps, incoming, GATEWAY_IP) or called
    number = called_number(incoming.to)
    line = deps.stores.lines.get(number) if number else None
    if line and line.provider == incoming.provider:
        # A number of the pool rings at its holder or nowhere, even if a trunk claims it.
        return Called(line) if line.account_id and incoming.trusted else None
    place = incoming.provider if incoming.provider != "gateway" else GATEWAY_IP
    return _called_by_address(deps, incoming, place)


def with_full_numbers(deps: Dependencies, incoming: Incoming, called: Called | None) -> Incoming:
    """Return the call with its caller and forwarder in E.164 form, if the trunk tells in which
    country they are dialled as they are written.
    """
    forwarder = incoming.forwarded_from or ""
    if not (needs_reading(incoming.from_) or needs_reading(forwarder)):
        return incoming
    trunk_id = called.trunk.trunk_id if called and called.trunk else incoming.trunk_id
    found = deps.stores.dids.with_trunk(trunk_id) if trunk_id else None
    plans = plans_of(*found) if found else DialledIn(None)
    return replace(
        incoming,
        from_=in_full(incoming.from_, plans),
        forwarded_from=in_full(forwarder, plans) or None,
    )


def _did_called(deps: Dependencies, incoming: Incoming, trunk_id: str) -> Called | None:
    found = deps.stores.dids.with_trunk(trunk_id)
    if found is None or found[0].provider != incoming.provider:
        return None
    trunk, dids = found
    did = match_did(incoming.to, dids, trunk.username)
    called = user_part(incoming.to)
    if did is None and needs_reading(called):
        # Some countries dial another prefix than 0, e.g. 8 or 06.
        did = match_did(in_full(called, plans_of(trunk, dids)), dids)
    return None if did is None else Called(did, trunk)


def _called_by_address(deps: Dependencies, incoming: Incoming, place: str) -> Called | None:
    """Return the number that was called, by who has claimed it at a place that names numbers."""
    if place == GATEWAY_IP and incoming.trunk_source is None:
        return None
    found = (_claimed(deps, incoming, place, e164) for e164 in international_forms(incoming.to))
    return next((called for called in found if called is not None), None)


def _claimed(deps: Dependencies, incoming: Incoming, place: str, e164: str) -> Called | None:
    """Return the number where calls name numbers only, if the call may be for it: at our gateway it
    has to come from a network of the trunk that has the number.
    """
    trunk = deps.stores.dids.claimed_at(place, e164)
    if trunk is None or (place == GATEWAY_IP and not _comes_from(incoming, trunk)):
        return None
    did = deps.stores.dids.get(trunk.trunk_id, e164)
    return None if did is None else Called(did, trunk)


def _comes_from(incoming: Incoming, trunk: Trunk) -> bool:
    try:
        source = ipaddress.ip_address(incoming.trunk_source or "")
    except ValueError:
        return False
    mapped = getattr(source, "ipv4_mapped", None)
    return any((mapped or source) in ipaddress.ip_network(each) for each in trunk.networks)
