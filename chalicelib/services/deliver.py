"""One try of a delivery: what the state machine runs, now and again, until it is told to end.

Killed before the POST, it has not happened; killed after it, the endpoint hears the event twice,
with the same id. The outcome is one conditional write, so that of two who try at the same moment
one counts.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

from chalicelib.domain import retry_after, signature
from chalicelib.domain.delivery import (
    EARLY_MS,
    OVERDUE_MS,
    Answer,
    Attempt,
    Delivery,
    DeliveryState,
    after_try,
    stopped,
    taken_over,
)
from chalicelib.domain.endpoint import DisabledReason, failed_for_too_long
from chalicelib.services import endpoints
from chalicelib.services.ports import Ports
from chalicelib.services.reply import heed
from chalicelib.services.trunks import step_aside
from chalicelib.store.deliveries import DeliveryChanged
from chalicelib.store.endpoints import Record
from chalicelib.store.table import Contention
from chalicelib.store.vault import BadSeal

log = logging.getLogger(__name__)

MAX_ROUNDS = 25


@dataclass(frozen=True)
class Standing:
    """How a delivery stands: its state, and when it is to be tried next (epoch ms, None: never)."""

    state: str
    next_at: int | None


GONE = Standing("gone", None)
"""There is no such delivery (any more), or another execution has taken it over."""


def attempt(
    ports: Ports, account_id: str, endpoint_id: str, delivery_id: str, run: int
) -> Standing:
    """Try a delivery, if it is due. VaultUnavailable, Contention: nothing was done, try again."""
    delivery = ports.deliveries.get(endpoint_id, delivery_id)
    if delivery is None or delivery.run != run:
        return GONE
    if delivery.next_at is None or ports.now() < delivery.next_at - EARLY_MS:
        return _standing(delivery)
    record = ports.endpoints.record(account_id, endpoint_id)
    if record is None or not record.endpoint.enabled:
        return _note(ports, delivery, stopped(delivery, ports.now()))
    return _try(ports, delivery, record)


def revive(ports: Ports, overdue_ms: int = OVERDUE_MS) -> int:
    """Send those deliveries anew whose execution was lost; how many."""
    revived, before = 0, ports.now() - overdue_ms
    for listed in ports.deliveries.due_before(before):
        try:
            revived += _revive(ports, listed, before)
        except Exception:
            # One that cannot be put right must not keep the others from it.
            log.exception("delivery not revived", extra=_facts(listed))
    return revived


def _revive(ports: Ports, listed: Delivery, before: int) -> bool:
    delivery = ports.deliveries.get(listed.endpoint_id, listed.delivery_id)
    if delivery is None or delivery.next_at is None or delivery.next_at >= before:
        return False
    after = taken_over(delivery)
    try:
        ports.deliveries.change(delivery, after)
    except (DeliveryChanged, Contention):
        return False  # it is alive
    ports.courier.send(after)
    return True


def _try(ports: Ports, delivery: Delivery, record: Record) -> Standing:
    now = ports.now()
    try:
        keys = endpoints.signing_keys(ports, record, now)
    except BadSeal as error:
        log.error("endpoint's secret does not open: %s", error, extra=_facts(delivery))
        answer = Answer(None, 0, error="secret_unreadable: rotate the endpoint's secret")
    else:
        headers = signature.headers(keys, delivery.event_id, now // 1000, delivery.body)
        answer = ports.poster.post(record.endpoint.url, headers, delivery.body.encode())
    now = ports.now()
    after, tried = after_try(
        delivery,
        answer,
        now=now,
        chance=random.random(),  # noqa: S311 - spreads, guards nothing
        retry_after_s=retry_after.seconds(answer.retry_after, now),
        action=heed(ports, delivery, answer),
    )
    _note_health(ports, record, answer, after)
    return _note(ports, delivery, after, tried)


def _note_health(ports: Ports, record: Record, answer: Answer, after: Delivery) -> None:
    """What the try says about the endpoint. Before its outcome is noted: a 410 must not get lost.

    A test that fails says nothing: its owner is at work on the endpoint.
    """
    endpoint, now = record.endpoint, ports.now()
    if answer.taken:
        if endpoint.failing_since is not None:
            endpoints.note_failing(ports, record, None)
        return
    if answer.gone:
        endpoints.disable(ports, endpoint, DisabledReason.GONE)
    elif after.max_tries > 1:
        if endpoint.failing_since is None:
            endpoints.note_failing(ports, record, now)
        elif after.state is DeliveryState.FAILED and failed_for_too_long(endpoint, now):
            endpoints.disable(ports, endpoint, DisabledReason.FAILING)


def _note(
    ports: Ports, before: Delivery, after: Delivery, tried: Attempt | None = None
) -> Standing:
    for _ in range(MAX_ROUNDS):
        try:
            ports.deliveries.change(before, after, tried)
        except Contention:
            step_aside()  # not to be left to the state machine, which would post again
        except DeliveryChanged:
            # Another try of the same moment was faster, or it was replayed: as that left it.
            current = ports.deliveries.get(before.endpoint_id, before.delivery_id)
            return _standing(current) if current and current.run == before.run else GONE
        else:
            _log(after, tried)
            return _standing(after)
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


def _standing(delivery: Delivery) -> Standing:
    return Standing(delivery.state.value, delivery.next_at)


def _facts(delivery: Delivery) -> dict[str, str]:
    return {
        "account_id": delivery.account_id,
        "endpoint_id": delivery.endpoint_id,
        "delivery_id": delivery.delivery_id,
        "event_id": delivery.event_id,
    }
