"""Renew the leases of several gateways, and say which of them has a trunk."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from chalicelib.domain.failure import Failure
from chalicelib.domain.gateway_lease import (
    MAX_GATEWAYS,
    GatewayLease,
    ask_again_ms,
    division,
    holder,
    live,
    registers,
)
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.gateway_leases import NameTaken
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)


class OneGateway(Failure):
    """A gateway asks for a lease where the operator has said that there is one gateway."""

    code = "one_gateway"


class GatewayRefused(Failure):
    """There is a live gateway of that name at another URL, or there are as many as may be."""

    code = "gateway_refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True)
class Standing:
    """The answer to a renewal: `division` is another word whenever the gateway's trunks may have
    changed; it renews again after `again_ms`."""

    division: str
    again_ms: int


def renew(deps: Dependencies, name: str, url: str, *, draining: bool) -> Standing:
    """Renew a gateway's lease, or give it one; tell the others if they have to look at their
    trunks. Raises OneGateway, GatewayRefused.
    """
    if not deps.settings.many_gateways:
        raise OneGateway
    if _renewed(deps, name, url, draining):
        log.info("gateway has a new lease", extra={"gateway": name, "draining": draining})
        _tell_others(deps, name)
    now, leases = deps.now(), present(deps)
    return Standing(division(name, leases, now), ask_again_ms(name, leases, now))


def leave(deps: Dependencies, name: str, url: str) -> None:
    """End the lease of a gateway that stops, and tell the others. Raises OneGateway."""
    if not deps.settings.many_gateways:
        raise OneGateway
    deps.stores.gateway_leases.release(name, url)
    log.info("gateway has left", extra={"gateway": name})
    _tell_others(deps, name)


def present(deps: Dependencies) -> list[GatewayLease]:
    """Return the gateways that are there now; none where there is one gateway, which needs no
    lease."""
    if not deps.settings.many_gateways:
        return []
    return live(deps.stores.gateway_leases.all(), deps.now())


def is_to_register(
    deps: Dependencies, gateway: str | None, trunk_id: str, leases: list[GatewayLease]
) -> bool:
    """Return whether a gateway is to register a trunk; with one gateway, it is."""
    if not deps.settings.many_gateways:
        return True
    return gateway is not None and registers(gateway, trunk_id, leases, deps.now())


def is_holder(deps: Dependencies, gateway: str | None, trunk_id: str) -> bool:
    """Return whether this gateway's reports about a trunk count: with one gateway they do. One that
    drains has handed its trunks over.
    """
    if not deps.settings.many_gateways:
        return True
    found = holder(trunk_id, present(deps))
    return found is not None and found.name == gateway


def _renewed(deps: Dependencies, name: str, url: str, draining: bool) -> bool:
    leases = deps.stores.gateway_leases
    others = [each for each in present(deps) if each.name != name]
    if len(others) >= MAX_GATEWAYS:
        raise GatewayRefused(f"There are {MAX_GATEWAYS} gateways already.")
    for _ in tries():
        try:
            return leases.renew(name, url, draining=draining, now=deps.now())
        except NameTaken as taken:
            left = (taken.until - deps.now()) // 1000 + 1
            raise GatewayRefused(
                f"A gateway at another URL is called {name}, for {left} s more: give each gateway "
                "a GATEWAY_ID of its own."
            ) from None
        except Contention:
            continue
    raise Contention


def _tell_others(deps: Dependencies, name: str) -> None:
    """Have the other gateways look at their trunks now; otherwise they do within ten seconds."""
    host = deps.trunk_host
    if host is not None:
        host.divided([each.url for each in present(deps) if each.name != name])
