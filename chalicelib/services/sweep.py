"""Put right what a restart or a lost message left behind. Safe to run at any time, any number of
times: it only does what the deadline, the provider or a webhook should have done.

* a call that rang past its deadline is missed; one that we dialled was not answered,
* a call that still rings gets a timer (its execution may have died with the engine),
* an active call that the provider does not know any more has failed,
* of two calls of a transfer, each follows the other,
* a caller who waits for the outcome of a REFER that nobody tells any more is given back,
* recordings that have ended are composed,
* deliveries that are missing for an event are made, and a delivery whose execution was lost is sent
  again.
"""

from __future__ import annotations

import logging
from collections import Counter

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.providers.base import RemoteStatus
from chalicelib.services.call.call_control import expire
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.call.transition import follow, settle
from chalicelib.services.delivery import backlog, delivery_tries
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)


def sweep_deliveries(
    deps: Dependencies, *, restarted: bool = False, until: int | None = None
) -> dict[str, int]:
    """Make and revive deliveries, and have recordings composed. Return how many were `made` late,
    `revived` and `composed`, without zeros.

    `restarted`: no execution is left, so whatever is due is overdue. `until`: when (epoch ms) no
    more are made, so that there is time to revive.
    """
    from chalicelib.services.call import compose

    done = {
        "composed": compose.start_due(deps),
        "made": backlog.catch_up(deps, until),
        "revived": delivery_tries.revive(deps, restarted=restarted),
    }
    done = {what: count for what, count in done.items() if count}
    if done:
        log.info("webhooks that were left are sent now", extra=done)
    return done


def sweep(deps: Dependencies) -> dict[str, int]:
    """Put all live calls right. Return how many were `missed`, `unanswered` (outbound), `timed`
    (their timer was started again), `failed`, `given_back`, left `alone`.
    """
    done: Counter[str] = Counter()
    for listed in deps.stores.calls.live():
        try:
            done[_put_right(deps, listed.call_id)] += 1
        except Exception:
            # A failure of one call must not affect the others.
            log.exception("a call could not be checked", extra={"call_id": listed.call_id})
            done["errors"] += 1
    log.info("live calls are checked", extra=dict(done))
    return dict(done)


def _put_right(deps: Dependencies, call_id: str) -> str:
    call = deps.stores.calls.get(call_id)
    if call is None or call.state.final:
        return "alone"
    before, call = call, follow(deps, call)
    if call.state.final:
        return "failed" if before.answered_at else "unanswered"
    unanswered = call.state in (CallState.CONNECTING, CallState.RINGING)
    if unanswered and deps.now() >= call.ring_deadline:
        expire(deps, call_id)
        return "missed" if call.direction == "inbound" else "unanswered"
    if _over_at_provider(deps, call):
        tell_relay(deps, settle(deps, call, _end_of(call)))
        return "failed"
    if unanswered:
        return "timed" if deps.timers.ring.ensure(call, deps.now()) else "alone"
    return _with_referral(deps, call)


def _with_referral(deps: Dependencies, call: Call) -> str:
    if call.media_line.transfer is None:
        return "alone"
    from chalicelib.services.call.transfer import give_up_referral  # most calls need none of it

    return "alone" if give_up_referral(deps, call) == call else "given_back"


def _over_at_provider(deps: Dependencies, call: Call) -> bool:
    """Return whether the provider has ended the call. False if the provider's id never came: such a
    call waits for its deadline.
    """
    if call.provider_call_id is None:
        return False
    status = deps.providers[call.provider].status(call.provider_call_id)
    return status is RemoteStatus.OVER


def _end_of(call: Call) -> Act:
    if call.state is CallState.ACTIVE:
        return Act.PROVIDER_FAILED
    return Act.CALLER_HANGUP if call.direction == "inbound" else Act.NO_ANSWER
