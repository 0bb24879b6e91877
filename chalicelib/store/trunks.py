"""Trunks in the table; their items are described in `trunk_items.py`, their numbers in `dids.py`.

| item | pk | sk |
|---|---|---|
| the account's trunk | `ACCOUNT#<id>` | `TRUNK` |

Index `listing`: a provider's trunks by id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from chalicelib.domain.event import Event
from chalicelib.domain.trunk import Trunk
from chalicelib.store.dids import DidStore, Taken, TooMany, claims, releases
from chalicelib.store.events import outbox_put
from chalicelib.store.reserved import Reserved, not_of_the_pool
from chalicelib.store.table import ConditionFailed, Table, Write, delete, put
from chalicelib.store.trunk_items import Record, TrunkChanged, read_record, to_record, trunk_item

LISTING = ("listing", "listing", "listing_order")

TRANSACTION_WRITES = 100
"""Writes of one transaction, DynamoDB's limit."""

MAX_MOVED = TRANSACTION_WRITES - 3
"""Numbers with which a trunk can change its provider: it and its event are written, too, and its
caller ID checked."""


class TrunkExists(Exception):
    """The account has a trunk already."""


class TrunkStore:
    """Reads and conditional writes of trunks."""

    def __init__(self, table: Table, dids: DidStore) -> None:
        self._table, self._dids = table, dids

    def get(self, trunk_id: str) -> Trunk | None:
        """Return the trunk as it is now."""
        record = self.record(trunk_id)
        return None if record is None else record.trunk

    def record(self, trunk_id: str) -> Record | None:
        """Return the trunk with its sealed password and counters, as one write left them."""
        return read_record(self._table, trunk_id)

    def of_account(self, account_id: str) -> Trunk | None:
        """Return the account's trunk, if it has one."""
        record = self.record_of_account(account_id)
        return None if record is None else record.trunk

    def record_of_account(self, account_id: str) -> Record | None:
        """Return the record of the account's trunk, if it has one."""
        pointer = self._table.get(f"ACCOUNT#{account_id}", "TRUNK")
        return None if pointer is None else self.record(pointer["trunk_id"])

    def page(self, provider: str, after: str | None, limit: int) -> tuple[list[Trunk], str | None]:
        """Return a provider's trunks by id (as the index knows), and the id to go on after, if
        any.
        """
        items, more = self._table.query(
            f"TRUNKS#{provider}", index=LISTING, sk_above=after, limit=limit
        )
        return [to_record(item).trunk for item in items], more["listing_order"] if more else None

    def list_all(self) -> Iterator[Trunk]:
        """Yield all trunks, in no order: for the operator."""
        items = (item for item in self._table.scan("TRUNK") if item["pk"].startswith("TRUNK#"))
        return (to_record(item).trunk for item in items)

    def create(self, record: Record, event: Event) -> None:
        """Write an account's trunk. Raises TrunkExists, Reserved (its caller ID), Contention."""
        trunk = record.trunk
        pointer = {
            "pk": f"ACCOUNT#{trunk.account_id}",
            "sk": "TRUNK",
            "trunk_id": trunk.trunk_id,
        }
        try:
            self._table.write(
                put(pointer, "attribute_not_exists(pk)"),
                put(trunk_item(record), "attribute_not_exists(pk)"),
                outbox_put(event),
                *_caller_id_checks(trunk),
            )
        except ConditionFailed as lost:
            _refuse_reserved(trunk, lost)
            raise TrunkExists from None

    def change(self, before: Record, trunk: Trunk, sealed_password: str, event: Event) -> None:
        """Write the trunk's next revision. Raises TrunkChanged, Reserved, Contention. If the
        provider changes, the new one has to know the trunk's numbers: then it also raises Taken,
        and TooMany for more than `MAX_MOVED`.
        """
        claimed: dict[str, Write] = {}
        released: list[Write] = []
        if trunk.provider != before.trunk.provider:
            # Read after the record: what is added or removed from then on changes the version.
            e164s = [did.e164 for did in self._dids.of_trunk(trunk.trunk_id)]
            if len(e164s) > MAX_MOVED:
                raise TooMany
            claimed = {e164: claim for e164 in e164s for claim in claims(self._table, trunk, e164)}
            released = [each for e164 in e164s for each in releases(before.trunk, e164)]
        try:
            self._table.write(
                *claimed.values(),
                _put_next(before, before.with_trunk(trunk, sealed_password)),
                *released,
                outbox_put(event),
                *_caller_id_checks(trunk),
            )
        except ConditionFailed as lost:
            _refuse_reserved(trunk, lost)
            for e164, failed in zip(claimed, lost.failed, strict=False):
                if failed:
                    raise Taken(e164, elsewhere=True) from None
            raise TrunkChanged from None

    def report(self, before: Record, after: Trunk, event: Event | None) -> None:
        """Write the trunk's new status with its event. Raises TrunkChanged, Contention."""
        events = [] if event is None else [outbox_put(event)]
        try:
            self._table.write(_put_next(before, before.with_trunk(after)), *events)
        except ConditionFailed:
            raise TrunkChanged from None

    def reseal(self, before: Record, sealed_password: str) -> None:
        """Write the trunk's password, sealed again. Raises TrunkChanged, Contention."""
        try:
            self._table.write(_put_next(before, before.with_trunk(before.trunk, sealed_password)))
        except ConditionFailed:
            raise TrunkChanged from None

    def remove(self, before: Record, event: Event) -> None:
        """Delete the trunk, for everybody and at once. Raises TrunkChanged, Contention."""
        trunk = before.trunk
        key, condition = (f"TRUNK#{trunk.trunk_id}", "TRUNK"), "#version = :version"
        names, values = {"#version": "version"}, {":version": before.version}
        try:
            self._table.write(
                delete(*key, condition, names, values),
                delete(f"ACCOUNT#{trunk.account_id}", "TRUNK"),
                outbox_put(event),
            )
        except ConditionFailed:
            raise TrunkChanged from None

    def clear_away(self, trunk: Trunk) -> None:
        """Delete what is left of a trunk that is gone. Until then nobody can reach it, and its
        numbers can be added elsewhere.
        """
        # Nobody can add numbers to it any more, so this reads all of them.
        e164s = [item["e164"] for item in self._table.query_all(f"TRUNK#{trunk.trunk_id}")]
        for e164 in e164s:
            for release in releases(trunk, e164):
                with contextlib.suppress(ConditionFailed):  # another trunk has it by now
                    self._table.write(release)
        for start in range(0, len(e164s), TRANSACTION_WRITES):
            some = e164s[start : start + TRANSACTION_WRITES]
            self._table.write(*(delete(f"TRUNK#{trunk.trunk_id}", f"DID#{e}") for e in some))


def _caller_id_checks(trunk: Trunk) -> list[Write]:
    """Return the last write of a transaction: the check that the caller ID is no number of the
    pool.
    """
    return [not_of_the_pool(trunk.caller_id)] if trunk.caller_id else []


def _refuse_reserved(trunk: Trunk, lost: ConditionFailed) -> None:
    """Raise Reserved if it was the check of the caller ID that failed."""
    if trunk.caller_id and lost.failed[-1]:
        raise Reserved(trunk.caller_id) from None


def _put_next(before: Record, after: Record) -> Write:
    return put(
        trunk_item(after),
        "#version = :version",
        {"#version": "version"},
        {":version": before.version},
    )
