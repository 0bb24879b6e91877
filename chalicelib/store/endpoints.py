"""Webhook endpoints in the table.

| item | pk | sk |
|---|---|---|
| endpoint, with its sealed secrets | `ACCOUNT#<id>#ENDPOINTS` | `<endpoint id>` |
| how many an account has | `ACCOUNT#<id>` | `ENDPOINTS` |
| the last event whose deliveries are known to be there | `ACCOUNT#<id>` | `FANNED_OUT` |

Index `live` (sparse): endpoints that are enabled, so that the sweep looks at their accounts only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.domain.endpoint import ENDPOINT_ID, MAX_ENDPOINTS, Endpoint
from chalicelib.domain.event import Event
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Item, Table, Write, delete, put, update

LIVE = ("live", "live", "live_order")
_ENABLED = "ENDPOINTS"
_RECORD_ATTRIBUTES = frozenset(
    {"pk", "sk", "live", "live_order", "sealed_secret", "sealed_previous", "version"}
)


class TooMany(Exception):
    """The account has as many endpoints as it may."""


class EndpointChanged(Exception):
    """The endpoint is not (any more) as it was read: read it again."""


@dataclass(frozen=True)
class Record:
    """An endpoint with its sealed secret, and the former secret while that counts."""

    endpoint: Endpoint
    sealed_secret: str = field(repr=False)
    sealed_previous: str | None = field(default=None, repr=False)
    version: int = 1

    def with_endpoint(self, endpoint: Endpoint) -> Record:
        """Return the record after a change of its endpoint."""
        return Record(endpoint, self.sealed_secret, self.sealed_previous, self.version + 1)

    def rotated(self, endpoint: Endpoint, sealed_secret: str) -> Record:
        """Return the record with a new secret; the present one becomes the former one."""
        return Record(endpoint, sealed_secret, self.sealed_secret, self.version + 1)

    def resealed(self, seal: Callable[[str], str]) -> Record:
        """Return the record with each of its secrets sealed by `seal`."""
        before = self.sealed_previous
        previous = None if before is None else seal(before)
        return Record(self.endpoint, seal(self.sealed_secret), previous, self.version + 1)


class EndpointStore:
    """Reads and conditional writes of endpoints."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def record(self, account_id: str, endpoint_id: str) -> Record | None:
        """Return an account's endpoint as it is now."""
        if not ENDPOINT_ID.fullmatch(endpoint_id):
            return None
        item = self._table.get(_pk(account_id), endpoint_id)
        return None if item is None else _to_record(item)

    def of_account(self, account_id: str) -> list[Endpoint]:
        """Return all of an account's endpoints, oldest first."""
        found = [_to_record(item).endpoint for item in self._table.query_all(_pk(account_id))]
        return sorted(found, key=lambda endpoint: (endpoint.created_at, endpoint.endpoint_id))

    def accounts(self) -> list[str]:
        """Return the accounts that have an enabled endpoint (as the index knows, which may lag by
        moments).
        """
        items = self._table.query_all(_ENABLED, index=LIVE)
        return list(dict.fromkeys(item["account_id"] for item in items))

    def create(self, record: Record) -> None:
        """Write a new endpoint. Raises TooMany, Contention."""
        endpoint = record.endpoint
        try:
            self._table.write(
                _count(endpoint, 1, "attribute_not_exists(#held) OR #held < :max", MAX_ENDPOINTS),
                put(_to_item(record), "attribute_not_exists(pk)"),
            )
        except ConditionFailed:
            raise TooMany from None

    def change(self, after: Record, event: Event | None = None) -> None:
        """Put an endpoint with its event, if its item has the version before that of `after`.
        Raises EndpointChanged, Contention.
        """
        write = put(
            _to_item(after),
            "#version = :before",
            {"#version": "version"},
            {":before": after.version - 1},
        )
        try:
            self._table.write(write, *([] if event is None else [outbox_put(event)]))
        except ConditionFailed:
            raise EndpointChanged from None

    def remove(self, endpoint: Endpoint) -> None:
        """Forget an endpoint and its secrets. Raises EndpointChanged if it is gone, Contention."""
        try:
            self._table.write(
                _count(endpoint, -1, "#held > :max", 0),
                delete(_pk(endpoint.account_id), endpoint.endpoint_id, "attribute_exists(pk)"),
            )
        except ConditionFailed:
            raise EndpointChanged from None

    def fanned_out(self, account_id: str) -> int:
        """Return the number of the last event whose deliveries are known to be there; 0 for
        none.
        """
        item = self._table.get(f"ACCOUNT#{account_id}", "FANNED_OUT")
        return 0 if item is None else int(item["number"])

    def note_fanned_out(self, account_id: str, number: int) -> None:
        """Remember that all events up to this one have their deliveries."""
        self._table.write(
            put({"pk": f"ACCOUNT#{account_id}", "sk": "FANNED_OUT", "number": number})
        )


def _pk(account_id: str) -> str:
    return f"ACCOUNT#{account_id}#ENDPOINTS"


def _count(endpoint: Endpoint, step: int, condition: str, limit: int) -> Write:
    return update(
        f"ACCOUNT#{endpoint.account_id}",
        "ENDPOINTS",
        "ADD #held :step",
        condition=condition,
        names={"#held": "held"},
        values={":step": step, ":max": limit},
    )


def _to_item(record: Record) -> Item:
    endpoint = record.endpoint
    item: Item = {
        "pk": _pk(endpoint.account_id),
        "sk": endpoint.endpoint_id,
        "sealed_secret": record.sealed_secret,
        "version": record.version,
        **endpoint.model_dump(mode="json", exclude_none=True),
    }
    if record.sealed_previous is not None:
        item["sealed_previous"] = record.sealed_previous
    if endpoint.enabled:
        item["live"] = _ENABLED
        item["live_order"] = f"{endpoint.account_id}#{endpoint.endpoint_id}"
    return item


def _to_record(item: Item) -> Record:
    endpoint = {k: v for k, v in item.items() if k not in _RECORD_ATTRIBUTES}
    return Record(
        Endpoint.model_validate(endpoint),
        item["sealed_secret"],
        item.get("sealed_previous"),
        item["version"],
    )
