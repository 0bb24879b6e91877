"""Take the steps that follow, for a call that is transferred and the call to the third party, when
one of the two has changed.

The rule is `domain/transfer_pair.py: due`. It is asked after each transition of such a call, also
after one that came too late, at reports of relays, and by the sweep. So a step that was left out
when a process died is taken by the next that looks.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call, LineChange, Refused, change_line
from chalicelib.domain.call_line import LineAct
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.transfer_pair import Change, End, Step, due
from chalicelib.services.call.call_writes import change, change_together, move
from chalicelib.services.call.provider_control import hang_up
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)

MAX_STEPS = 8
"""Steps at a time; a pair that is not at rest then is looked at again by the next that comes."""


_NOT_THERE = {
    False: ("transfer_not_answered", "The third party has not answered yet."),
    True: ("no_transfer", "The third party has hung up: the transfer has failed."),
}
"""Why two calls cannot be joined, by whether that to the third party is over."""


def follow(deps: Dependencies, call: Call) -> Call:
    """Take the steps that are due for the call and its other call; return the call as it is then.
    Never raises: what was done before must not fail by it.
    """
    try:
        return _put_right(deps, call)
    except Exception:
        log.exception("the other call of a transfer does not follow", extra=_facts(call))
        return call


def join(deps: Dependencies, parent: Call, leg: Call) -> Call:
    """Let the far ends of two calls talk to each other; return the first call. Raises Refused, with
    that call: it goes on, whatever has become of the third party's.
    """

    def both(now: int, parent: Call, leg: Call) -> list[LineChange]:
        if parent.state is CallState.ACTIVE and leg.state is not CallState.ACTIVE:
            raise Refused(parent, *_NOT_THERE[leg.state.final])
        return [
            change_line(parent, LineAct.JOIN, now, peer=leg.call_id),
            change_line(leg, LineAct.BE_JOINED, now, peer=parent.call_id),
        ]

    parent, leg = change_together(deps, both, parent, leg)
    tell_relay(deps, parent)
    tell_relay(deps, leg)
    return parent


def tell_peer(deps: Dependencies, leg: Call) -> None:
    """Tell the relay of the call that a third party's call is joined with where the latter's stream
    is now.
    """
    if leg.parent_call_id is None or leg.media_line.peer is None:
        return
    parent = deps.stores.calls.get(leg.parent_call_id)
    if parent is not None and not parent.state.final:
        tell_relay(deps, parent)


def _put_right(deps: Dependencies, call: Call) -> Call:
    parent, leg = _both(deps, call, call)
    for _ in range(MAX_STEPS):
        step = due(parent, leg) if parent is not None else None
        if step is None or parent is None:
            break
        try:
            _take(deps, parent, leg, step)
        except Refused as refused:
            log.info("a transfer has gone on: %s", refused.code, extra=_facts(parent))
        parent, leg = _both(deps, call)
    else:
        log.error("a transfer does not come to rest", extra=_facts(call))
    now = leg if call.parent_call_id else parent
    return now or call


def _both(
    deps: Dependencies, call: Call, known: Call | None = None
) -> tuple[Call | None, Call | None]:
    """Return the call that is transferred and the third party's, to which `call` belongs; `known`:
    `call` as it was just read.
    """
    calls = deps.stores.calls
    current = known or calls.get(call.call_id)
    if current is None:
        return None, None
    if current.parent_call_id is not None:
        return calls.get(current.parent_call_id), current
    transfer = current.media_line.transfer
    leg_id = transfer.call_id if transfer else None
    return current, calls.get(leg_id) if leg_id else None


def _take(deps: Dependencies, parent: Call, leg: Call | None, step: Step) -> None:
    if isinstance(step, End):
        over = move(deps, step.call, step.act)
        hang_up(deps, over)
        tell_relay(deps, over)
    elif isinstance(step, Change):
        tell_relay(deps, change(deps, parent, step.act, why=step.why, sip_code=step.sip_code))
    elif leg is not None:
        join(deps, parent, leg)


def _facts(call: Call) -> dict[str, str]:
    return {"call_id": call.call_id, "account_id": call.account_id}
