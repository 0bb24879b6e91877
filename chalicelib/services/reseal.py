"""All that is sealed, sealed anew with the vault's first key, so that former keys can go.

Nobody notices: revisions stay, so that no trunk is registered anew, and no event is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chalicelib.services import endpoints, trunks
from chalicelib.services.oversight import every
from chalicelib.services.ports import Ports
from chalicelib.store.vault import BadSeal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resealed:
    """How many secrets were `sealed`, and of how many trunks and endpoints they are `lost`: none
    of the keys opens them, so their owners have to set them anew.
    """

    sealed: int
    lost: int


def everything(ports: Ports) -> Resealed:
    """Every trunk's password and every webhook endpoint's secrets. Done twice it is as well."""
    sealed = lost = 0
    for account in every(ports):
        of_account = account.account_id
        work: list[Callable[[], int]] = [partial(trunks.reseal, ports, of_account)]
        for endpoint in ports.endpoints.of_account(of_account):
            work.append(partial(endpoints.reseal, ports, of_account, endpoint.endpoint_id))
        for step in work:
            try:
                sealed += step()
            except BadSeal as error:
                log.error("not sealed anew: %s", error, extra={"account_id": of_account})
                lost += 1
    return Resealed(sealed, lost)
