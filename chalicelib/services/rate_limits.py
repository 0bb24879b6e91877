"""What is costly is possible so many times only; see `Limit`."""

from __future__ import annotations

import random
import time

from chalicelib.domain.rate_limit import Limit, source_of
from chalicelib.services.ports import Ports
from chalicelib.store.rate_limits import of_account, of_everybody
from chalicelib.store.table import Contention

MAX_ROUNDS = 20
COLLISION_WAIT_S = 0.03


class TooOften(Exception):
    """Done `limit` times in `per_s` seconds already; possible again in `retry_after_s`."""

    def __init__(self, limit: int, per_s: int, retry_after_s: int) -> None:
        super().__init__(f"{limit} times in {per_s} s")
        self.limit, self.per_s, self.retry_after_s = limit, per_s, retry_after_s


def count_account(ports: Ports, account_id: str, limit: Limit) -> None:
    """Count one more of an account's. TooOften.

    The operator may let an account do everything more often (`rate_factor`). Who is within the
    usual limit does not cost a read of that.
    """
    now = ports.now()
    if ports.rate_limits.count(of_account(limit, account_id, now, limit.times)):
        return
    account = ports.accounts.get(account_id)
    most = limit.times * (account.rate_factor if account else 1)
    if most > limit.times and ports.rate_limits.count(of_account(limit, account_id, now, most)):
        return
    raise TooOften(most, limit.per_s, limit.retry_after_s(now))


def count_source(ports: Ports, address: str, limit: Limit) -> None:
    """Count one more from a source address (as the network says it, not a header). TooOften.

    Both counters or none: who is refused uses up nothing of what is left to the others, and there
    are never more counters of sources in a window than `overall`.
    """
    now = ports.now()
    most = limit.times if limit.overall is None else limit.overall
    for _ in range(MAX_ROUNDS):
        try:
            counted = ports.rate_limits.count(
                of_everybody(limit, source_of(address), now, limit.times),
                of_everybody(limit, None, now, most),
            )
        except Contention:
            time.sleep(random.uniform(0, COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
            continue
        if counted:
            return
        raise TooOften(limit.times, limit.per_s, limit.retry_after_s(now))
    raise Contention
