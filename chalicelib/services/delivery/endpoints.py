"""An account's webhook endpoints: create, change, remove and test them, rotate their secrets,
disable those that fail.
"""

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
    check_reachable,
    disabled_event,
    new_endpoint,
)
from chalicelib.domain.failure import Failure
from chalicelib.domain.signature import new_secret
from chalicelib.services.delivery import dispatch
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.trunks import VaultMissing
from chalicelib.store.contention import tries
from chalicelib.store.endpoints import EndpointChanged, Record, TooMany
from chalicelib.store.table import Contention
from chalicelib.store.vault import Vault

log = logging.getLogger(__name__)


_CAUSE = {
    DisabledReason.GONE: "The endpoint answered 410 Gone.",
    DisabledReason.FAILING: "The endpoint has taken nothing for five days.",
}


class UnknownEndpoint(Failure, LookupError):
    """The account has no such endpoint."""

    code = "endpoint_not_found"


class TooManyEndpoints(Failure):
    """The account has as many endpoints as it may; `limit` is how many."""

    code = "too_many_endpoints"
    member_names = ("limit",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class EndpointDisabled(Failure):
    """The endpoint is disabled; the message says what to do."""

    code = "endpoint_disabled"


def create(deps: Dependencies, account_id: str, wanted: NewEndpoint) -> tuple[Endpoint, str]:
    """Make an endpoint; return it and its secret in clear, which is never shown again. Raises
    PrivateUrl, PlainHttp, TooManyEndpoints, VaultMissing.
    """
    check_reachable(wanted.url, private=deps.settings.private_webhooks)
    endpoint = new_endpoint(wanted, account_id, deps.now())
    secret = new_secret()
    record = Record(endpoint, _vault(deps).seal(secret, _context(endpoint)))
    for _ in tries():
        try:
            deps.stores.endpoints.create(record)
        except TooMany:
            raise TooManyEndpoints(rules.MAX_ENDPOINTS) from None
        except Contention:
            continue
        log.info("endpoint created", extra=_facts(endpoint))
        return endpoint, secret
    raise Contention


def own(deps: Dependencies, account_id: str, endpoint_id: str) -> Endpoint:
    """Return the account's endpoint. Raises UnknownEndpoint for none and for somebody else's
    alike.
    """
    return _record(deps, account_id, endpoint_id).endpoint


def own_enabled(deps: Dependencies, account_id: str, endpoint_id: str) -> Endpoint:
    """Return the account's endpoint if it is enabled. Raises UnknownEndpoint, EndpointDisabled."""
    endpoint = own(deps, account_id, endpoint_id)
    if not endpoint.enabled:
        raise EndpointDisabled("Nothing is sent to it. Enable it first.")
    return endpoint


def change(
    deps: Dependencies, account_id: str, endpoint_id: str, wanted: EndpointChanges
) -> Endpoint:
    """Change an endpoint as its owner wants; return it. Raises UnknownEndpoint, PrivateUrl,
    PlainHttp.
    """
    if wanted.url is not None:
        check_reachable(wanted.url, private=deps.settings.private_webhooks)
    return _update(
        deps,
        account_id,
        endpoint_id,
        lambda before: before.with_endpoint(
            rules.apply_changes(before.endpoint, wanted, deps.now())
        ),
    ).endpoint


def remove(deps: Dependencies, account_id: str, endpoint_id: str) -> None:
    """Delete the endpoint; deliveries on their way to it stop. Raises UnknownEndpoint."""
    for _ in tries():
        endpoint = own(deps, account_id, endpoint_id)
        try:
            deps.stores.endpoints.remove(endpoint)
        except (EndpointChanged, Contention):
            continue
        log.info("endpoint removed", extra=_facts(endpoint))
        return
    raise Contention


def rotate(
    deps: Dependencies, account_id: str, endpoint_id: str, overlap_s: int
) -> tuple[Endpoint, str]:
    """Give the endpoint a new secret; return both, the secret this once. For `overlap_s` the former
    secret signs, too; an older one does not any more. Raises UnknownEndpoint.
    """
    secret = new_secret()

    def rotated(before: Record) -> Record:
        now = deps.now()
        until = now + overlap_s * 1000 if overlap_s else None
        endpoint = before.endpoint.model_copy(
            update={"previous_secret_until": until, "updated_at": now}
        )
        return before.rotated(endpoint, _vault(deps).seal(secret, _context(endpoint)))

    return _update(deps, account_id, endpoint_id, rotated).endpoint, secret


def test(deps: Dependencies, account_id: str, endpoint_id: str) -> Delivery:
    """Send a `webhook.test` to this endpoint alone; return its delivery. Raises UnknownEndpoint,
    EndpointDisabled.
    """
    endpoint = own_enabled(deps, account_id, endpoint_id)
    now = deps.now()
    delivery = new_delivery(rules.test_event(endpoint, now), endpoint_id, now)
    deps.stores.deliveries.create(delivery)
    dispatch.send(deps, delivery)
    return delivery


def signing_keys(deps: Dependencies, record: Record, now: int) -> list[str]:
    """Return the secrets that sign at `now`, in clear: the present one, and the former one while it
    counts. Raises BadSeal, VaultUnavailable.
    """
    sealed = [record.sealed_secret]
    until = record.endpoint.previous_secret_until
    if record.sealed_previous is not None and until is not None and now < until:
        sealed.append(record.sealed_previous)
    vault, context = _vault(deps), _context(record.endpoint)
    return [vault.open(each, context) for each in sealed]


def reseal(deps: Dependencies, account_id: str, endpoint_id: str) -> int:
    """Seal the endpoint's secrets with the vault's first key; return how many. Raises BadSeal if no
    key of the vault opens one of them.
    """

    def resealed(before: Record) -> Record:
        vault, context = _vault(deps), _context(before.endpoint)
        return before.resealed(lambda sealed: vault.seal(vault.open(sealed, context), context))

    try:
        after = _update(deps, account_id, endpoint_id, resealed)
    except UnknownEndpoint:  # it was just removed
        return 0
    return 1 if after.sealed_previous is None else 2


def disable(deps: Dependencies, known: Endpoint, reason: DisabledReason) -> None:
    """Disable an endpoint, unless it was disabled or got another URL since `known` was read; write
    one event.
    """

    for _ in tries():
        before = deps.stores.endpoints.record(known.account_id, known.endpoint_id)
        if before is None or not before.endpoint.enabled or before.endpoint.url != known.url:
            return  # it is disabled already, or its owner has set another URL
        after = before.with_endpoint(rules.disable(before.endpoint, reason, deps.now()))
        detail = f"{_CAUSE[reason]} When it is mended, enable it again."
        try:
            event = disabled_event(after.endpoint, detail, after.version)
            deps.stores.endpoints.change(after, event)
        except (EndpointChanged, Contention):
            continue
        log.warning("endpoint disabled: %s", reason.value, extra=_facts(after.endpoint))
        return
    raise Contention


def note_failing(deps: Dependencies, record: Record, since: int | None) -> None:
    """Note since when the endpoint fails (None: it does not). If it is being changed at this
    moment, the next try notes it.
    """
    endpoint = record.endpoint.model_copy(update={"failing_since": since})
    try:
        deps.stores.endpoints.change(record.with_endpoint(endpoint))
    except (EndpointChanged, Contention):
        log.info("endpoint's health not noted: it is being changed", extra=_facts(endpoint))


def _update(
    deps: Dependencies, account_id: str, endpoint_id: str, step: Callable[[Record], Record]
) -> Record:
    for _ in tries():
        after = step(_record(deps, account_id, endpoint_id))
        try:
            deps.stores.endpoints.change(after)
        except (EndpointChanged, Contention):
            continue
        log.info("endpoint changed", extra=_facts(after.endpoint))
        return after
    raise Contention


def _record(deps: Dependencies, account_id: str, endpoint_id: str) -> Record:
    record = deps.stores.endpoints.record(account_id, endpoint_id)
    if record is None:
        raise UnknownEndpoint(endpoint_id)
    return record


def _vault(deps: Dependencies) -> Vault:
    if deps.vault is None:
        raise VaultMissing
    return deps.vault


def _context(endpoint: Endpoint) -> dict[str, str]:
    """Return the context of a sealed secret: it does not open in another endpoint's item."""
    return {"account_id": endpoint.account_id, "endpoint_id": endpoint.endpoint_id}


def _facts(endpoint: Endpoint) -> dict[str, object]:
    return {
        "account_id": endpoint.account_id,
        "endpoint_id": endpoint.endpoint_id,
        "enabled": endpoint.enabled,
    }
