"""The look-up of a trunk's host, without the addresses that must not be dialled."""

from __future__ import annotations

import logging

from common.addresses import forbidden
from gateway.trunks.ssrf import system_resolver
from gateway.trunks.trunk import Trunk

log = logging.getLogger(__name__)


async def addresses_of(trunk: Trunk, *, ipv6: bool, private: bool) -> list[str]:
    """Return the host's addresses of our address family, in the name servers' order.

    The list is empty if there is no such host. Addresses of private networks are included only if
    `private`.
    """
    try:
        addresses = await system_resolver(trunk.host, trunk.port)
    except (OSError, UnicodeError) as error:  # UnicodeError: no host can have such a name
        log.warning("%s: %s", trunk.host, error, extra={"trunk_id": trunk.trunk_id})
        return []
    usable = [each for each in addresses if (":" in each) == ipv6]
    return [each for each in usable if private or not forbidden(each)]
