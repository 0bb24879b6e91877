"""Limits of inbound calls: of an account's calls at a time, and of its new calls in a minute.

Each inbound call that is not over holds a place from before it is created until it has ended. The
calls that the account dials are in a count of their own (`store/dialling.py`), which is read when a
call comes in, so that both together stay within `max_concurrent_calls`. A dial and a call that come
at the same moment may both get the last place: at most one more for each dial under way.

Places are given back after the end was written, not with it: the transactions of two hundred calls
that end at once would make each other fail. Places that a crash leaves behind are found when no
place is free.
"""

from __future__ import annotations

import logging
import random

from chalicelib.domain.account import Account
from chalicelib.domain.call import DEFAULT_MAX_DURATION_S, Call
from chalicelib.domain.new_call import RING_MS
from chalicelib.domain.rate_limit import Limit
from chalicelib.domain.rejected_calls import Reason, turned_away_event
from chalicelib.services import rate_limits
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.rate_limits import TooOften
from chalicelib.store.places import Places

log = logging.getLogger(__name__)

KIND = "inbound_calls"

NEW_CALLS_A_MINUTE = 120
NEW_CALLS = Limit("inbound_call", NEW_CALLS_A_MINUTE, 60)
"""New inbound calls of an account: calls of callers who hang up at once are kept, with their
events."""

SLACK_MS = 120_000
"""Time for which a place is kept after the latest end of its call, if it is not given back."""

CREATED_WITHIN_MS = 30_000
"""Longest time from taking a place to writing its call."""

CHECKED = 5
"""Calls with places that are checked before a new call is turned away."""


class TurnedAway(Exception):
    """The account has as many calls as it may: `reason` names the limit, `limit` is its value."""

    def __init__(self, reason: Reason, limit: int) -> None:
        super().__init__(f"{reason}: {limit}")
        self.reason: Reason = reason
        self.limit = limit


def admit(deps: Dependencies, account: Account, call: Call) -> None:
    """Take a place for an inbound call that is about to be created. Raises TurnedAway."""
    dialled = len(deps.stores.dialling.get(account.account_id).calls)
    places = _places(account.account_id, account.max_concurrent_calls - dialled)
    if not _take(deps, places, call) and not (
        _free_stale(deps, places, account) and _take(deps, places, call)
    ):
        raise TurnedAway("max_concurrent_calls", account.max_concurrent_calls)
    try:
        count_new(deps, account)
    except TurnedAway:
        if deps.stores.calls.get(call.call_id) is not None:
            return  # its webhook came twice; the call, made by the other post, keeps the place
        give_back(deps, call)
        raise


def count_new(deps: Dependencies, account: Account) -> None:
    """Count one more new inbound call in this minute. Raises TurnedAway."""
    try:
        rate_limits.count_account(deps, account.account_id, NEW_CALLS)
    except TooOften as too_often:
        raise TurnedAway("new_calls_per_minute", too_often.limit) from None


def give_back(deps: Dependencies, call: Call) -> None:
    """Free the place of an inbound call that is over. Never raises: what was done before must not
    fail by it.
    """
    if call.direction != "inbound":
        return
    try:
        deps.stores.places.give_back(_places(call.account_id, 0), call.call_id)
    except Exception:
        # It is freed when no place is free, or when its lease ends.
        log.exception("place not given back", extra={"call_id": call.call_id})


def count_inbound(deps: Dependencies, account: Account, enough: int) -> int:
    """Return how many inbound calls the account has. If there are `enough` or more, places
    of calls that are over are given back and not counted.
    """
    places = _places(account.account_id, 0)
    held = _held(deps, places)
    if held >= enough and _free_stale(deps, places, account):
        held = _held(deps, places)
    return held


def tell(deps: Dependencies, account: Account, line: str, from_: str, why: TurnedAway) -> None:
    """Tell the account that a call was turned away, once a minute at most. Never raises: the caller
    must get the busy tone.
    """
    now = deps.now()
    facts = {"account_id": account.account_id, "line": line, "reason": why.reason}
    try:
        event = deps.stores.turned_away.count(
            account.account_id,
            now,
            lambda count: turned_away_event(
                account_id=account.account_id,
                line=line,
                from_=from_,
                reason=why.reason,
                limit=why.limit,
                count=count,
                now=now,
            ),
        )
    except Exception:
        log.exception("owner not told of a call that was turned away", extra=facts)
        return
    if event is not None:
        log.warning("calls turned away", extra={**facts, "count": event.data["count"]})


def _places(account_id: str, most: int) -> Places:
    return Places(account_id, KIND, most)


def _take(deps: Dependencies, places: Places, call: Call) -> bool:
    until = call.media_expiry * 1000 + SLACK_MS
    return places.most > 0 and deps.stores.places.take(places, call.call_id, deps.now(), until)


def _held(deps: Dependencies, places: Places) -> int:
    now = deps.now()
    return sum(until > now for until in deps.stores.places.holders(places).values())


def _free_stale(deps: Dependencies, places: Places, account: Account) -> bool:
    """Give back the places of calls that are over, or were never created, among `CHECKED` of them.
    Return whether one was freed.
    """
    holders = deps.stores.places.holders(places)
    longest_s = min(account.max_call_s, DEFAULT_MAX_DURATION_S)
    lease_ms = RING_MS + longest_s * 1000 + SLACK_MS
    freed = False
    for call_id in random.sample(sorted(holders), min(CHECKED, len(holders))):
        call = deps.stores.calls.get(call_id)
        taken_at = holders[call_id] - lease_ms
        absent = call is None and deps.now() > taken_at + CREATED_WITHIN_MS
        if absent or (call is not None and call.state.final):
            deps.stores.places.give_back(places, call_id)
            freed = True
    return freed
