"""Where a trunk's host is: what the name servers say, less what must not be dialled."""

from __future__ import annotations

import logging

from gateway.ssrf import system_resolver
from gateway.trunk import Trunk
from wire.addresses import forbidden

log = logging.getLogger(__name__)


async def addresses_of(trunk: Trunk, *, ipv6: bool, private: bool) -> list[str]:
    """Its addresses of the family that we speak, in the name servers' order; none if there is no
    such host. Our own networks' only if `private`.
    """
    try:
        addresses = await system_resolver(trunk.host, trunk.port)
    except OSError as error:
        log.warning("%s: %s", trunk.host, error, extra={"trunk_id": trunk.trunk_id})
        return []
    usable = [each for each in addresses if (":" in each) == ipv6]
    return [each for each in usable if private or not forbidden(each)]
