"""Count costly operations against their rate limits; see `Limit`."""

from __future__ import annotations

from chalicelib.domain.failure import Failure
from chalicelib.domain.rate_limit import Limit, source_of
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.rate_limits import of_account, of_everybody
from chalicelib.store.table import Contention

COUNT_TRIES = 20


class TooOften(Failure):
    """The limit of `limit` times in `per_s` seconds is reached. It is possible again in
    `retry_after_s`.
    """

    code = "too_many_requests"
    member_names = ("limit",)

    def __init__(self, limit: int, per_s: int, retry_after_s: int) -> None:
        super().__init__(f"{limit} times in {per_s} s")
        self.limit, self.per_s, self.retry_after_s = limit, per_s, retry_after_s


def count_account(deps: Dependencies, account_id: str, limit: Limit, amount: int = 1) -> None:
    """Count one more of an account's, or `amount`. Raises TooOften.

    The operator may raise all limits of an account (`rate_factor`), which is read only for a
    request beyond the usual limit.
    """
    now = deps.now()
    if deps.stores.rate_limits.count(of_account(limit, account_id, now, limit.times, amount)):
        return
    account = deps.stores.accounts.get(account_id)
    most = limit.times * (account.rate_factor if account else 1)
    raised = of_account(limit, account_id, now, most, amount)
    if most > limit.times and deps.stores.rate_limits.count(raised):
        return
    raise TooOften(most, limit.per_s, limit.retry_after_s(now))


def count_source(deps: Dependencies, address: str, limit: Limit) -> None:
    """Count one more from a source address (as the network says it, not a header). Raises TooOften.

    Both counters are raised or none: a refused request does not count against other sources, and
    there are never more counters of sources in a window than `overall`.
    """
    now = deps.now()
    most = limit.times if limit.overall is None else limit.overall
    for _ in tries(COUNT_TRIES):
        try:
            counted = deps.stores.rate_limits.count(
                of_everybody(limit, source_of(address), now, limit.times),
                of_everybody(limit, None, now, most),
            )
        except Contention:
            continue
        if counted:
            return
        raise TooOften(limit.times, limit.per_s, limit.retry_after_s(now))
    raise Contention
