"""Tell the provider at once what its next webhook would be told anyway.

This only saves time: the transition is written before, and a provider that does not take the
instruction gets it with its next webhook. While a relay has both legs, no webhook comes, so the
relay also polls the call and hangs up.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.providers.base import ProviderError
from chalicelib.services.call.instructions import instruction
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)


def steer(deps: Dependencies, call: Call) -> bool:
    """Give the provider the instruction that follows from the call's state. Return False if it did
    not take it. Never raises: the act itself is done.
    """
    context = {"call_id": call.call_id, "account_id": call.account_id}
    try:
        provider = deps.providers[call.provider]
        # Only calls that came in are steered, and those have the provider's id from the start.
        if provider.steer(call.provider_call_id or "", instruction(deps, call)):
            return True
        log.info("provider takes instructions only when it asks", extra=context)
    except ProviderError as error:
        log.warning("provider not steered: %s", error, extra=context)
    except Exception:
        log.exception("provider not steered", extra=context)
    return False


def hang_up(deps: Dependencies, call: Call) -> None:
    """End the provider's call. Never raises, like `steer`.

    Without the provider's id there is nothing to end yet: when the id of a call that is over
    becomes known, that call is hung up (`services/call/outbound.py: bind`).
    """
    if call.provider_call_id is None:
        return
    context = {"call_id": call.call_id, "account_id": call.account_id}
    try:
        provider = deps.providers[call.provider]
        provider.hang_up(call.provider_call_id, answered=_is_answered(deps, call))
    except ProviderError as error:
        log.warning("provider did not hang up: %s", error, extra=context)
    except Exception:
        log.exception("provider did not hang up", extra=context)


def _is_answered(deps: Dependencies, call: Call) -> bool:
    """Return whether the provider has answered the call too: until it has opened a stream, a call
    that came in and was accepted here may still ring there.
    """
    if call.answered_at is None:
        return False
    return call.direction == "outbound" or deps.stores.media.get(call.call_id).relay is not None
