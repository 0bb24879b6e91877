"""Our gateways as the hosts of trunks: tell them that a trunk was connected, changed or removed, or
that trunks are divided among them otherwise.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from chalicelib.providers.twilio import TwilioAccount
from common.rotation import signing

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0


class TrunkHost(Protocol):
    """The hosts of trunks. To tell them only saves time, so nothing here ever raises."""

    def changed(self, trunk_id: str) -> None:
        """Tell each host that a trunk was connected, changed or disconnected, so that it fetches it
        again.
        """

    def divided(self, urls: Sequence[str]) -> None:
        """Tell the gateways at these URLs that other trunks may be theirs now."""


class GatewayTrunkHost:
    """Our gateways, told by posts without a body (docs/contracts.md)."""

    def __init__(
        self, gateway: TwilioAccount, urls: Callable[[], Sequence[str]] | None = None
    ) -> None:
        """`urls` returns where the gateways are at this moment; None: one gateway, at its
        account's URL.
        """
        self._gateway = gateway
        self._urls = urls or (lambda: (gateway.api_url,))

    def changed(self, trunk_id: str) -> None:
        """See `TrunkHost`. Gateways fetch all trunks once a minute in any case."""
        try:
            urls = self._urls()
        except Exception as error:
            log.warning("gateways not told of a trunk: %s", error, extra={"trunk_id": trunk_id})
            return
        self._tell(urls, f"/trunks/{trunk_id}/changed", trunk_id=trunk_id)

    def divided(self, urls: Sequence[str]) -> None:
        """See `TrunkHost`. Gateways renew their leases every ten seconds in any case."""
        self._tell(urls, "/trunks/changed")

    def _tell(self, urls: Sequence[str], path: str, **about: str) -> None:
        """Post to all at once: one that is gone takes the whole time-out."""
        if len(urls) == 1:
            self._post(urls[0] + path, about)
            return
        from threading import Thread

        posts = [Thread(target=self._post, args=(url + path, about)) for url in urls]
        for each in posts:
            each.start()
        for each in posts:
            each.join()

    def _post(self, url: str, about: dict[str, str]) -> None:
        from urllib.request import Request, urlopen

        account = self._gateway
        token = signing(account.auth_token)
        login = base64.b64encode(f"{account.account_sid}:{token}".encode()).decode()
        try:
            request = Request(  # noqa: S310 - the operator's own URL
                url, data=b"", headers={"Authorization": f"Basic {login}"}
            )
            urlopen(request, timeout=TIMEOUT_S).close()  # noqa: S310
        except Exception as error:
            # The message may repeat a URL, never the credentials: they are in a header.
            log.warning("gateway not told of a trunk: %s", error, extra=about)
