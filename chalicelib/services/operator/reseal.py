"""Seal all secrets again with the vault's first key, so that former keys can be removed.

Owners notice nothing: revisions stay, so no trunk is registered again, and no event is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chalicelib.services.delivery import endpoints
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import trunks
from chalicelib.services.operator.account_admin import list_all
from chalicelib.store.vault import BadSeal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResealResult:
    """The number of secrets that were `sealed`, and of trunks and endpoints whose secrets are
    `lost`: none of the keys opens them, so their owners have to set them again.
    """

    sealed: int
    lost: int


def everything(deps: Dependencies) -> ResealResult:
    """Seal every trunk's password and every webhook endpoint's secrets with the first key. It may
    be done twice.
    """
    sealed = lost = 0
    for account in list_all(deps):
        of_account = account.account_id
        work: list[Callable[[], int]] = []
        for trunk in deps.stores.trunks.all_of_account(of_account):
            work.append(partial(trunks.reseal, deps, of_account, trunk.name))
        for endpoint in deps.stores.endpoints.of_account(of_account):
            work.append(partial(endpoints.reseal, deps, of_account, endpoint.endpoint_id))
        for step in work:
            try:
                sealed += step()
            except BadSeal as error:
                log.error("not sealed anew: %s", error, extra={"account_id": of_account})
                lost += 1
    return ResealResult(sealed, lost)
