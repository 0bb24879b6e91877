"""Several gateways as one provider: a request goes to the gateway that has the trunk or the call.

Webhooks need none of this: all gateways sign with the same token, and post to the same URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from chalicelib.domain.gateway_lease import GatewayLease, holder
from chalicelib.providers.base import Dial, Instruction, ProviderError, RemoteStatus
from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from common.gateway_tag import tag_in, tag_of

T = TypeVar("T")

Present = Callable[[], Sequence[GatewayLease]]
"""Returns the gateways that are there now."""


class ManyGateways(TwilioProvider):
    """A `Provider` of all gateways."""

    def __init__(self, account: TwilioAccount, present: Present) -> None:
        super().__init__(account)
        self._present = present
        self._at: dict[str, TwilioProvider] = {}

    def dial(self, dial: Dial) -> str:
        """Create a call at the gateway that holds its first trunk. The others of its routes are
        known there, too.
        """
        found = holder(dial.trunk_id or dial.to, self._present())
        if found is None:
            raise ProviderError("no gateway is there")
        return self._gateway(found).dial(dial)

    def steer(self, provider_call_id: str, instruction: Instruction) -> bool:
        """Redirect a live call at its gateway."""
        gateways = self._of_call(provider_call_id)
        if not gateways:
            raise ProviderError("the call's gateway is gone")
        taken = [each.steer(provider_call_id, instruction) for each in gateways]
        return any(taken)

    def hang_up(self, provider_call_id: str, *, answered: bool) -> None:
        """End the call at its gateway. If that is gone, so is the call."""
        for each in self._of_call(provider_call_id):
            each.hang_up(provider_call_id, answered=answered)

    def refer(self, provider_call_id: str, to: str) -> None:
        """Have the call's gateway send REFER. If that is gone, so is the call."""
        gateways = self._of_call(provider_call_id)
        if not gateways:
            raise ProviderError("the call's gateway is gone")
        for each in gateways:
            each.refer(provider_call_id, to)

    def status(self, provider_call_id: str) -> RemoteStatus:
        """Ask the call's gateway. If that is gone, so is the call."""
        found = {each.status(provider_call_id) for each in self._of_call(provider_call_id)}
        for status in (RemoteStatus.LIVE, RemoteStatus.UNKNOWN):
            if status in found:
                return status
        return RemoteStatus.OVER

    def _of_call(self, sid: str) -> list[TwilioProvider]:
        """Return the gateways that may have made a SID: as a rule one, but two names may have the
        same tag."""
        tag = tag_in(sid)
        return [self._gateway(each) for each in self._present() if tag_of(each.name) == tag]

    def _gateway(self, lease: GatewayLease) -> TwilioProvider:
        if lease.url not in self._at:
            self._at[lease.url] = TwilioProvider(replace(self._account, api_url=lease.url))
        return self._at[lease.url]
