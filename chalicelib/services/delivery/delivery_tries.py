"""Try a delivery once. The state machine does so again until the delivery is over.

A try that is killed before the POST has not happened; if it is killed after it, the endpoint gets
the event twice, with the same id. The outcome is one conditional write, so that of two tries at the
same moment one counts. Any answer of the endpoint is an outcome, and so is a fault of our own: a
try that was not counted would be repeated for ever.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass

from chalicelib.domain import retry_after, signature
from chalicelib.domain.delivery import (
    BROKE_OFF,
    EARLY_MS,
    Answer,
    Attempt,
    Delivery,
    DeliveryState,
    after_try,
    stop,
    take_over,
)
from chalicelib.domain.delivery_bounds import (
    OVERDUE_MS,
    WAITING,
    fail_too_many_waiting,
    is_overdue,
    revive_delivery,
)
from chalicelib.domain.endpoint import DisabledReason, failed_for_too_long
from chalicelib.domain.rate_limit import Limit
from chalicelib.services import rate_limits
from chalicelib.services.delivery import backlog, dispatch, endpoints
from chalicelib.services.delivery.webhook_actions import handle
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.deliveries import DeliveryChanged
from chalicelib.store.endpoints import Record
from chalicelib.store.table import Contention, TableUnavailable
from chalicelib.store.vault import BadSeal, VaultUnavailable

log = logging.getLogger(__name__)


REVIVED_AT_ONCE = 200
"""Deliveries of one account that one run of the sweep sends again: others must have their turn."""


@dataclass(frozen=True)
class DeliveryStatus:
    """The state of a delivery, and when it is to be tried next (epoch ms, None: never)."""

    state: str
    next_at: int | None


GONE = DeliveryStatus("gone", None)
"""The status of a delivery that does not exist (any more), or that another execution has taken
over."""


def attempt(
    deps: Dependencies, account_id: str, endpoint_id: str, delivery_id: str, run: int
) -> DeliveryStatus:
    """Try a delivery, if it is due, and start those that wait for its place. Raises
    VaultUnavailable, TableUnavailable, Contention: nothing was done, try again.
    """
    delivery = deps.stores.deliveries.get(endpoint_id, delivery_id)
    if delivery is None:
        dispatch.forget(deps, account_id, endpoint_id, delivery_id)
        return GONE
    if delivery.run != run:
        return GONE  # the newer execution has its place
    due = delivery.next_at is not None and deps.now() >= delivery.next_at - EARLY_MS
    if due and not dispatch.hold(deps, delivery):
        return _wait_for_place(deps, delivery)
    status = _attempt(deps, account_id, delivery) if due else _status_of(delivery)
    failed = due and status.state in (DeliveryState.PENDING, DeliveryState.FAILED)
    if dispatch.done(deps, delivery, failed=failed):
        backlog.work_off(deps, account_id)
    return status


def _attempt(deps: Dependencies, account_id: str, delivery: Delivery) -> DeliveryStatus:
    record = deps.stores.endpoints.record(account_id, delivery.endpoint_id)
    if record is None or not record.endpoint.enabled:
        return _note(deps, delivery, stop(delivery, deps.now()))
    return _try(deps, delivery, record)


def _wait_for_place(deps: Dependencies, delivery: Delivery) -> DeliveryStatus:
    """Leave a try to another execution, which begins when the account has a place free."""
    after = take_over(delivery)
    try:
        deps.stores.deliveries.change(delivery, after)
    except DeliveryChanged:
        return GONE
    dispatch.send(deps, after)
    return GONE


def revive(deps: Dependencies, *, restarted: bool = False) -> int:
    """Send the deliveries again whose execution was lost, `REVIVED_AT_ONCE` of an account. Return
    how many. `restarted`: no delivery has an execution.
    """
    now, count = deps.now(), Counter[str]()
    alive: dict[str, frozenset[str]] = {}
    for listed in deps.stores.deliveries.due_before(now - (0 if restarted else OVERDUE_MS)):
        if not restarted and not is_overdue(listed, now):
            continue
        if count[listed.account_id] >= REVIVED_AT_ONCE:
            continue  # the next sweep finds it again
        try:
            if listed.account_id not in alive:
                alive[listed.account_id] = _alive(deps, listed.account_id, restarted=restarted)
            if listed.delivery_id not in alive[listed.account_id]:
                count[listed.account_id] += _revive(deps, listed, restarted=restarted)
        except Exception:
            # A failure of one delivery must not affect the others.
            log.exception("delivery not revived", extra=_facts(listed))
    for account_id in alive:
        try:
            dispatch.go_on(deps, account_id)
        except Exception:
            log.exception("waiting deliveries not started", extra={"account_id": account_id})
    return count.total()


def _alive(deps: Dependencies, account_id: str, *, restarted: bool) -> frozenset[str]:
    """Return the ids of an account's deliveries that are not lost: they wait for a place, or have
    one.
    """
    waiting = deps.stores.waiting.ids(account_id)
    return waiting if restarted else waiting | dispatch.with_place(deps, account_id)


def _revive(deps: Dependencies, listed: Delivery, *, restarted: bool) -> bool:
    delivery, now = deps.stores.deliveries.get(listed.endpoint_id, listed.delivery_id), deps.now()
    if delivery is None or delivery.next_at is None or delivery.next_at > now:
        return False
    if not restarted and not is_overdue(delivery, now):
        return False
    after = revive_delivery(delivery, now)
    try:
        deps.stores.deliveries.change(delivery, after)
    except (DeliveryChanged, Contention):
        return False  # it has changed, so it is not lost
    if after.next_at is None:
        log.error("delivery %s: %s", after.state.value, after.error, extra=_facts(after))
        return False
    dispatch.send(deps, after)
    return True


def _try(deps: Dependencies, delivery: Delivery, record: Record) -> DeliveryStatus:
    answer = _post(deps, delivery, record)
    try:
        return _note_answer(deps, delivery, record, answer)
    except (Contention, TableUnavailable):
        raise
    except Exception:
        log.exception("an endpoint's answer cannot be noted", extra=_facts(delivery))
        return _note_answer(
            deps, delivery, record, Answer(None, answer.latency_ms, error=BROKE_OFF)
        )


def _post(deps: Dependencies, delivery: Delivery, record: Record) -> Answer:
    """Post the delivery; return the outcome, whatever it is. Raises VaultUnavailable."""
    now = deps.now()
    try:
        keys = endpoints.signing_keys(deps, record, now)
        headers = signature.headers(keys, delivery.event_id, now // 1000, delivery.body)
        return deps.poster.post(record.endpoint.url, headers, delivery.body.encode())
    except VaultUnavailable:
        raise
    except BadSeal as error:
        log.error("endpoint's secret does not open: %s", error, extra=_facts(delivery))
        return Answer(None, 0, error="secret_unreadable: rotate the endpoint's secret")
    except Exception:
        log.exception("a try broke off", extra=_facts(delivery))
        return Answer(None, deps.now() - now, error=BROKE_OFF)


def _note_answer(
    deps: Dependencies, delivery: Delivery, record: Record, answer: Answer
) -> DeliveryStatus:
    """Do the action that the answer asks for, and note the outcome of the try."""
    now = deps.now()
    after, tried = after_try(
        delivery,
        answer,
        now=now,
        chance=random.random(),  # noqa: S311 - no secret
        retry_after_s=retry_after.seconds(answer.retry_after, now),
        action=handle(deps, delivery, answer),
    )
    _note_health(deps, record, answer, after)
    if after.state is DeliveryState.PENDING and delivery.tries == 0 and not _may_wait(deps, after):
        after = fail_too_many_waiting(after)
    return _note(deps, delivery, after, tried)


def _may_wait(deps: Dependencies, delivery: Delivery) -> bool:
    """Return whether one more delivery of its endpoint may wait for another try."""
    limit = Limit(f"{WAITING.name}:{delivery.endpoint_id}", WAITING.times, WAITING.per_s)
    try:
        rate_limits.count_account(deps, delivery.account_id, limit)
    except rate_limits.TooOften:
        return False
    return True


def _note_health(deps: Dependencies, record: Record, answer: Answer, after: Delivery) -> None:
    """Note what the try says about the endpoint. Called before the try's outcome is noted, so that
    a 410 is not lost. A test that fails is not noted: its owner is working on the endpoint.
    """
    endpoint, now = record.endpoint, deps.now()
    if answer.taken:
        if endpoint.failing_since is not None:
            endpoints.note_failing(deps, record, None)
        return
    if answer.gone:
        endpoints.disable(deps, endpoint, DisabledReason.GONE)
    elif after.max_tries > 1:
        if endpoint.failing_since is None:
            endpoints.note_failing(deps, record, now)
        elif after.state is DeliveryState.FAILED and failed_for_too_long(endpoint, now):
            endpoints.disable(deps, endpoint, DisabledReason.FAILING)


def _note(
    deps: Dependencies, before: Delivery, after: Delivery, tried: Attempt | None = None
) -> DeliveryStatus:
    for _ in tries():
        try:
            deps.stores.deliveries.change(before, after, tried)
        except Contention:
            continue  # try again here: the state machine would post again
        except DeliveryChanged:
            # Another try was faster, or the delivery was replayed: return its present status.
            current = deps.stores.deliveries.get(before.endpoint_id, before.delivery_id)
            return _status_of(current) if current and current.run == before.run else GONE
        else:
            _log(after, tried)
            return _status_of(after)
    raise Contention


def _log(after: Delivery, tried: Attempt | None) -> None:
    log.info(
        "delivery %s",
        after.state.value,
        extra={
            **_facts(after),
            "attempt": after.attempts,
            "status": after.status,
            "error": after.error,
            "latency_ms": tried.latency_ms if tried else None,
        },
    )


def _status_of(delivery: Delivery) -> DeliveryStatus:
    return DeliveryStatus(delivery.state.value, delivery.next_at)


def _facts(delivery: Delivery) -> dict[str, str]:
    return {
        "account_id": delivery.account_id,
        "endpoint_id": delivery.endpoint_id,
        "delivery_id": delivery.delivery_id,
        "event_id": delivery.event_id,
    }
