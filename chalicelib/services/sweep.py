"""Puts right what a restart or a lost message left behind. Safe to run at any time, any number of
times: it only does what the deadline, the provider or a webhook would have done.

* a call that rang past its deadline is missed; one that we dialled was not answered,
* a call that still rings gets a timer (its execution may have died with the engine),
* a call that is up, but of which the provider knows nothing any more, has failed,
* an event that was not handed out to its account's endpoints is, and a delivery whose execution was
  lost is sent anew.
"""

from __future__ import annotations

import logging
from collections import Counter

from chalicelib.domain.call import Call
from chalicelib.domain.call_moves import Act, CallState
from chalicelib.providers.base import RemoteStatus
from chalicelib.services import deliver, fan_out
from chalicelib.services.miss import expire
from chalicelib.services.ports import Ports
from chalicelib.services.transition import settle

log = logging.getLogger(__name__)


def sweep_deliveries(ports: Ports, *, restarted: bool = False) -> dict[str, int]:
    """How many deliveries were `made` late and `revived`; nothing that there was none of.

    `restarted`: no execution is left, so whatever is due is overdue.
    """
    overdue = {"overdue_ms": 0} if restarted else {}
    done = {"made": fan_out.catch_up(ports), "revived": deliver.revive(ports, **overdue)}
    done = {what: count for what, count in done.items() if count}
    if done:
        log.info("deliveries swept", extra=done)
    return done


def sweep(ports: Ports) -> dict[str, int]:
    """How many calls were `missed`, `unanswered` (outbound), `timed` (given a timer anew),
    `failed`, left `alone`.
    """
    done: Counter[str] = Counter()
    for listed in ports.calls.live():
        try:
            done[_put_right(ports, listed.call_id)] += 1
        except Exception:
            # One call that cannot be put right must not keep the others from it.
            log.exception("sweep", extra={"call_id": listed.call_id})
            done["errors"] += 1
    log.info("sweep done", extra=dict(done))
    return dict(done)


def _put_right(ports: Ports, call_id: str) -> str:
    call = ports.calls.get(call_id)
    if call is None or call.state.final:
        return "alone"
    unanswered = call.state in (CallState.CONNECTING, CallState.RINGING)
    if unanswered and ports.now() >= call.ring_deadline:
        expire(ports, call_id)
        return "missed" if call.direction == "inbound" else "unanswered"
    if _over_at_provider(ports, call):
        settle(ports, call, _end_of(call))
        return "failed"
    if unanswered:
        return "timed" if ports.timer.ensure(call, ports.now()) else "alone"
    return "alone"


def _over_at_provider(ports: Ports, call: Call) -> bool:
    """False also for a call whose provider's id never came: it waits for its deadline."""
    if call.provider_call_id is None:
        return False
    status = ports.providers[call.provider].status(call.provider_call_id)
    return status is RemoteStatus.OVER


def _end_of(call: Call) -> Act:
    if call.state is CallState.ACTIVE:
        return Act.PROVIDER_FAILED
    return Act.CALLER_HANGUP if call.direction == "inbound" else Act.NO_ANSWER
