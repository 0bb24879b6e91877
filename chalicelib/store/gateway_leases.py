"""Leases of gateways in the table, where there are several of them.

| item | pk | sk |
|---|---|---|
| a gateway's lease | `GATEWAYS` | `<name>` |

Each change is one conditional write of the gateway's own item. Items of gateways that are gone are
deleted by TTL.
"""

from __future__ import annotations

from chalicelib.domain.gateway_lease import LEASE_MS, GatewayLease
from chalicelib.store.table import ConditionFailed, Contention, Item, Table, delete, put, update

_PK = "GATEWAYS"
_KEPT_MS = 3_600_000
"""Time for which the item of a gateway that is gone is kept: for a person who looks."""


class NameTaken(Exception):
    """A gateway at another URL holds the lease of that name, until `until` (epoch ms) at least."""

    def __init__(self, until: int) -> None:
        super().__init__(until)
        self.until = until


class GatewayLeases:
    """Reads and conditional writes of leases."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def all(self) -> list[GatewayLease]:
        """Return all leases, those that have ended included (consistent read)."""
        return [_lease(item) for item in self._table.query_all(_PK)]

    def renew(self, name: str, url: str, *, draining: bool, now: int) -> bool:
        """Renew a gateway's lease, or take it. Return whether the others need to know: it is new,
        or drains now, or no longer does. Raises NameTaken, Contention.
        """
        try:
            self._extend(name, url, draining, now)
            return False
        except ConditionFailed as lost:
            found = lost.items[0]
        before = None if found is None else _lease(found)
        if before is not None and before.until > now and before.url != url:
            raise NameTaken(before.until)
        self._take(before, GatewayLease(
            name=name, url=url, until=now + LEASE_MS,
            since=_since(before, now, draining=draining),
            draining=_draining(before, now) if draining else None,
        ))  # fmt: skip
        return True

    def release(self, name: str, url: str) -> None:
        """End a gateway's lease at once; do nothing if the gateway at that URL has none."""
        try:
            self._table.write(
                delete(_PK, name, "#url = :url", names={"#url": "url"}, values={":url": url})
            )
        except ConditionFailed:
            return

    def _extend(self, name: str, url: str, draining: bool, now: int) -> None:
        """Extend a live lease in which nothing else changes. Raises ConditionFailed."""
        self._table.write(
            update(
                _PK,
                name,
                "SET #until = :until, #expires = :expires",
                condition="#url = :url AND #until > :now AND "
                + ("attribute_exists(#drains)" if draining else "attribute_not_exists(#drains)"),
                names={
                    "#url": "url", "#until": "until", "#drains": "draining",
                    "#expires": "expires_at",
                },
                values={":url": url, ":now": now, ":until": now + LEASE_MS,
                        ":expires": _expires(now + LEASE_MS)},
            )
        )  # fmt: skip

    def _take(self, before: GatewayLease | None, after: GatewayLease) -> None:
        item: Item = {
            "pk": _PK,
            "sk": after.name,
            **after.model_dump(exclude_none=True, exclude={"name"}),
            "expires_at": _expires(after.until),
        }
        unchanged = put(item, "attribute_not_exists(pk)")
        if before is not None:
            unchanged = put(
                item, "#until = :seen", names={"#until": "until"}, values={":seen": before.until}
            )
        try:
            self._table.write(unchanged)
        except ConditionFailed:
            raise Contention from None  # another process of the gateway was quicker


def _since(before: GatewayLease | None, now: int, *, draining: bool) -> int:
    """Return since when a gateway has trunks: one that was gone, or drained, begins anew."""
    kept = before is not None and before.until > now and (draining or before.draining is None)
    return before.since if before is not None and kept else now


def _draining(before: GatewayLease | None, now: int) -> int:
    known = before.draining if before is not None and before.until > now else None
    return known or now


def _expires(until: int) -> int:
    return (until + _KEPT_MS) // 1000


def _lease(item: Item) -> GatewayLease:
    given = {name: value for name, value in item.items() if name in GatewayLease.model_fields}
    return GatewayLease(name=item["sk"], **given)
