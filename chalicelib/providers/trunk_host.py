"""Our gateway as the host of trunks: tell it that one was connected, changed or removed."""

from __future__ import annotations

import base64
import logging
from typing import Protocol

from chalicelib.providers.twilio import TwilioAccount
from common.rotation import signing

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0


class TrunkHost(Protocol):
    """The host of trunks. To tell it of a change only saves time, so `changed` never raises."""

    def changed(self, trunk_id: str) -> None:
        """Tell the host that a trunk was connected, changed or disconnected, so that it fetches it
        again.
        """


class GatewayTrunkHost:
    """Our gateway, told by a post without a body (docs/contracts.md)."""

    def __init__(self, gateway: TwilioAccount) -> None:
        self._gateway = gateway

    def changed(self, trunk_id: str) -> None:
        """See `TrunkHost`. The gateway fetches all trunks once a minute in any case."""
        from urllib.request import Request, urlopen

        account = self._gateway
        token = signing(account.auth_token)
        login = base64.b64encode(f"{account.account_sid}:{token}".encode()).decode()
        try:
            request = Request(  # noqa: S310 - the operator's own URL
                f"{account.api_url}/trunks/{trunk_id}/changed",
                data=b"",
                headers={"Authorization": f"Basic {login}"},
            )
            urlopen(request, timeout=TIMEOUT_S).close()  # noqa: S310
        except Exception as error:
            # The message may repeat a URL, never the credentials: they are in a header.
            log.warning("gateway not told of a trunk: %s", error, extra={"trunk_id": trunk_id})
