"""Tell the provider at once what its next webhook would be told anyway.

A nudge makes things faster, nothing depends on it: the transition is written before, and a provider
that is slow, down or stricter than we hope only costs time until it asks by itself. While a relay
has both legs up nobody asks, so the relay looks at the call now and then and hangs up, too.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.providers.base import ProviderError
from chalicelib.services.ports import Ports
from chalicelib.services.ring import instruction

log = logging.getLogger(__name__)


def steer(ports: Ports, call: Call) -> bool:
    """Give the provider the instruction that follows from the call's state. False if it did not
    take it, for whatever reason: the act itself is done and must not fail now.
    """
    context = {"call_id": call.call_id, "account_id": call.account_id}
    try:
        provider = ports.providers[call.provider]
        # Only calls that came in are steered, and those have the provider's id from the start.
        if provider.steer(call.provider_call_id or "", instruction(ports, call)):
            return True
        log.info("provider takes instructions only when it asks", extra=context)
    except ProviderError as error:
        log.warning("provider not steered: %s", error, extra=context)
    except Exception:
        log.exception("provider not steered", extra=context)
    return False


def hang_up(ports: Ports, call: Call) -> None:
    """End the provider's call. Like `steer`, it never fails what was done already.

    Without the provider's id there is nothing to end yet: whoever learns the id of a call that is
    over hangs it up (`services/outbound.py: bind`).
    """
    if call.provider_call_id is None:
        return
    context = {"call_id": call.call_id, "account_id": call.account_id}
    try:
        ports.providers[call.provider].hang_up(call.provider_call_id)
    except ProviderError as error:
        log.warning("provider did not hang up: %s", error, extra=context)
    except Exception:
        log.exception("provider did not hang up", extra=context)
