"""An account's webhook endpoints: made, changed, removed; their secrets; those that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable

from chalicelib.domain import endpoint as rules
from chalicelib.domain.delivery import Delivery, new_delivery
from chalicelib.domain.endpoint import (
    DisabledReason,
    Endpoint,
    EndpointChanges,
    NewEndpoint,
    changed,
    check_reachable,
    disabled,
    disabled_event,
    new_endpoint,
)
from chalicelib.domain.signature import new_secret
from chalicelib.services.ports import Ports
from chalicelib.services.trunks import VaultMissing, step_aside
from chalicelib.store.endpoints import EndpointChanged, Record, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.vault import Vault

log = logging.getLogger(__name__)

MAX_ROUNDS = 25

_REMEDY = {
    DisabledReason.GONE: "The endpoint answered 410 Gone.",
    DisabledReason.FAILING: "The endpoint has taken nothing for five days.",
}


class UnknownEndpoint(LookupError):
    """The account has no such endpoint."""


class TooManyEndpoints(Exception):
    """The account has as many endpoints as it may; `limit` is how many."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class EndpointDisabled(Exception):
    """Nothing is sent to the endpoint; the message is why."""


def create(ports: Ports, account_id: str, wish: NewEndpoint) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, in clear: nobody will see it again. PrivateUrl, PlainHttp,
    TooManyEndpoints, VaultMissing.
    """
    check_reachable(wish.url, private=ports.private_webhooks)
    endpoint = new_endpoint(wish, account_id, ports.now())
    secret = new_secret()
    record = Record(endpoint, _vault(ports).seal(secret, _context(endpoint)))
    for _ in range(MAX_ROUNDS):
        try:
            ports.endpoints.create(record)
        except TooMany:
            raise TooManyEndpoints(rules.MAX_ENDPOINTS) from None
        except Contention:
            step_aside()
            continue
        log.info("endpoint created", extra=_facts(endpoint))
        return endpoint, secret
    raise Contention


def own(ports: Ports, account_id: str, endpoint_id: str) -> Endpoint:
    """The account's endpoint. UnknownEndpoint for none and for somebody else's alike."""
    return _record(ports, account_id, endpoint_id).endpoint


def own_enabled(ports: Ports, account_id: str, endpoint_id: str) -> Endpoint:
    """The same if something can be sent to it. UnknownEndpoint, EndpointDisabled."""
    endpoint = own(ports, account_id, endpoint_id)
    if not endpoint.enabled:
        raise EndpointDisabled('Enable it first: PATCH it with {"enabled": true}.')
    return endpoint


def change(ports: Ports, account_id: str, endpoint_id: str, wish: EndpointChanges) -> Endpoint:
    """The endpoint with what its owner wants changed. UnknownEndpoint, PrivateUrl, PlainHttp."""
    if wish.url is not None:
        check_reachable(wish.url, private=ports.private_webhooks)
    return _update(
        ports,
        account_id,
        endpoint_id,
        lambda before: before.with_endpoint(changed(before.endpoint, wish, ports.now())),
    ).endpoint


def remove(ports: Ports, account_id: str, endpoint_id: str) -> None:
    """Forget the endpoint; what is on its way to it stops. UnknownEndpoint."""
    for _ in range(MAX_ROUNDS):
        endpoint = own(ports, account_id, endpoint_id)
        try:
            ports.endpoints.remove(endpoint)
        except (EndpointChanged, Contention):
            step_aside()
            continue
        log.info("endpoint removed", extra=_facts(endpoint))
        return
    raise Contention


def rotate(ports: Ports, account_id: str, endpoint_id: str, overlap_s: int) -> tuple[Endpoint, str]:
    """The endpoint with a new secret, which is shown this once. For `overlap_s` the one before
    signs, too; one that was before that does no more. UnknownEndpoint.
    """
    secret = new_secret()

    def rotated(before: Record) -> Record:
        now = ports.now()
        until = now + overlap_s * 1000 if overlap_s else None
        endpoint = before.endpoint.model_copy(
            update={"previous_secret_until": until, "updated_at": now}
        )
        return before.rotated(endpoint, _vault(ports).seal(secret, _context(endpoint)))

    return _update(ports, account_id, endpoint_id, rotated).endpoint, secret


def test(ports: Ports, account_id: str, endpoint_id: str) -> Delivery:
    """A `webhook.test` on its way to this endpoint alone. UnknownEndpoint, EndpointDisabled."""
    endpoint = own_enabled(ports, account_id, endpoint_id)
    now = ports.now()
    delivery = new_delivery(rules.test_event(endpoint, now), endpoint_id, now)
    ports.deliveries.create(delivery)
    ports.courier.send(delivery)
    return delivery


def signing_keys(ports: Ports, record: Record, now: int) -> list[str]:
    """The secrets that sign at `now`, in clear: the present one, and while it counts the one
    before. BadSeal, VaultUnavailable.
    """
    sealed = [record.sealed_secret]
    until = record.endpoint.previous_secret_until
    if record.sealed_previous is not None and until is not None and now < until:
        sealed.append(record.sealed_previous)
    vault, context = _vault(ports), _context(record.endpoint)
    return [vault.open(each, context) for each in sealed]


def reseal(ports: Ports, account_id: str, endpoint_id: str) -> int:
    """Seal the endpoint's secrets with the vault's first key; how many. BadSeal if no key of the
    vault opens one of them.
    """

    def resealed(before: Record) -> Record:
        vault, context = _vault(ports), _context(before.endpoint)
        return before.resealed(lambda sealed: vault.seal(vault.open(sealed, context), context))

    try:
        after = _update(ports, account_id, endpoint_id, resealed)
    except UnknownEndpoint:  # it was just removed
        return 0
    return 1 if after.sealed_previous is None else 2


def disable(ports: Ports, seen: Endpoint, reason: DisabledReason) -> None:
    """Send nothing more to an endpoint that is still as `seen` in what counts, and say so once."""

    for _ in range(MAX_ROUNDS):
        before = ports.endpoints.record(seen.account_id, seen.endpoint_id)
        if before is None or not before.endpoint.enabled or before.endpoint.url != seen.url:
            return  # somebody was faster, or its owner has set another URL
        after = before.with_endpoint(disabled(before.endpoint, reason, ports.now()))
        detail = f'{_REMEDY[reason]} When it is mended, PATCH it with {{"enabled": true}}.'
        try:
            ports.endpoints.change(after, disabled_event(after.endpoint, detail, after.version))
        except (EndpointChanged, Contention):
            step_aside()
            continue
        log.warning("endpoint disabled: %s", reason.value, extra=_facts(after.endpoint))
        return
    raise Contention


def note_failing(ports: Ports, record: Record, since: int | None) -> None:
    """Remember since when the endpoint fails (None: it does not). If somebody changes it at this
    moment this is left to the next try.
    """
    endpoint = record.endpoint.model_copy(update={"failing_since": since})
    try:
        ports.endpoints.change(record.with_endpoint(endpoint))
    except (EndpointChanged, Contention):
        log.info("endpoint's health not noted: it is being changed", extra=_facts(endpoint))


def _update(
    ports: Ports, account_id: str, endpoint_id: str, step: Callable[[Record], Record]
) -> Record:
    for _ in range(MAX_ROUNDS):
        after = step(_record(ports, account_id, endpoint_id))
        try:
            ports.endpoints.change(after)
        except (EndpointChanged, Contention):
            step_aside()
            continue
        log.info("endpoint changed", extra=_facts(after.endpoint))
        return after
    raise Contention


def _record(ports: Ports, account_id: str, endpoint_id: str) -> Record:
    record = ports.endpoints.record(account_id, endpoint_id)
    if record is None:
        raise UnknownEndpoint(endpoint_id)
    return record


def _vault(ports: Ports) -> Vault:
    if ports.vault is None:
        raise VaultMissing
    return ports.vault


def _context(endpoint: Endpoint) -> dict[str, str]:
    """What a sealed secret belongs to: copied to another endpoint's item it does not open."""
    return {"account_id": endpoint.account_id, "endpoint_id": endpoint.endpoint_id}


def _facts(endpoint: Endpoint) -> dict[str, object]:
    return {
        "account_id": endpoint.account_id,
        "endpoint_id": endpoint.endpoint_id,
        "enabled": endpoint.enabled,
    }
