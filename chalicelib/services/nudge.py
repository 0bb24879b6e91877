"""Tell the provider at once what its next webhook would be told anyway.

A nudge makes things faster, nothing depends on it: the transition is written before, and a provider
that is slow, down or stricter than we hope only costs time until it asks by itself.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.providers.base import ProviderError
from chalicelib.services.ports import Ports
from chalicelib.services.ring import instruction

log = logging.getLogger(__name__)


def steer(ports: Ports, call: Call) -> None:
    """Give the provider the instruction that follows from the call's state."""
    context = {"call_id": call.call_id, "account_id": call.account_id}
    provider = ports.providers[call.provider]
    try:
        if not provider.steer(call.provider_call_id, instruction(ports, call)):
            log.info("provider takes instructions only when it asks", extra=context)
    except ProviderError as error:
        log.warning("provider not steered: %s", error, extra=context)


def hang_up(ports: Ports, call: Call) -> None:
    """End the provider's call."""
    try:
        ports.providers[call.provider].hang_up(call.provider_call_id)
    except ProviderError as error:
        context = {"call_id": call.call_id, "account_id": call.account_id}
        log.warning("provider did not hang up: %s", error, extra=context)
