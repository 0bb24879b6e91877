"""Trunks in the table; their items are described in `trunk_items.py`, their numbers in `dids.py`.

| item | pk | sk |
|---|---|---|
| the account's trunk `main` | `ACCOUNT#<id>` | `TRUNK` |
| another trunk of the account | `ACCOUNT#<id>` | `TRUNK#<name>` |

The others are counted on the account. Index `listing`: a provider's trunks by id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from chalicelib.domain.event import Event
from chalicelib.domain.trunk import MAX_TRUNKS, Trunk
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.store.dids import DidStore, Taken, TooMany, claims, releases
from chalicelib.store.events import outbox_put
from chalicelib.store.reserved import Reserved, not_of_the_pool
from chalicelib.store.table import ConditionFailed, Table, Write, delete, put, update
from chalicelib.store.trunk_items import Record, TrunkChanged, read_record, to_record, trunk_item

LISTING = ("listing", "listing", "listing_order")

TRANSACTION_WRITES = 100
"""Writes of one transaction, DynamoDB's limit."""

MAX_MOVED = TRANSACTION_WRITES - 3
"""Writes by which claims on a trunk's numbers are moved when its provider or `auth` changes: the
trunk and its event are written, too, and its caller ID checked."""

MAX_NAMED = MAX_TRUNKS - 1
"""Trunks of an account beside `main`."""


class TrunkExists(Exception):
    """The account has a trunk of that name already."""


class TrunksFull(Exception):
    """The account has as many trunks beside `main` as it may."""


class TrunkStore:
    """Reads and conditional writes of trunks."""

    def __init__(self, table: Table, dids: DidStore) -> None:
        self._table, self._dids = table, dids

    def get(self, trunk_id: str) -> Trunk | None:
        """Return the trunk as it is now."""
        record = self.record(trunk_id)
        return None if record is None else record.trunk

    def tell(self, event: Event) -> None:
        """Write an event about a trunk that changes nothing of it. Writing it twice is harmless."""
        self._table.write(outbox_put(event))

    def record(self, trunk_id: str) -> Record | None:
        """Return the trunk with its sealed password and counters, as one write left them."""
        return read_record(self._table, trunk_id)

    def of_account(self, account_id: str, name: str = MAIN) -> Trunk | None:
        """Return the account's trunk of that name, if it has one."""
        record = self.record_of_account(account_id, name)
        return None if record is None else record.trunk

    def record_of_account(self, account_id: str, name: str = MAIN) -> Record | None:
        """Return the record of the account's trunk of that name, if it has one."""
        pointer = self._table.get(*_pointer_key(account_id, name))
        return None if pointer is None else self.record(pointer["trunk_id"])

    def all_of_account(self, account_id: str) -> list[Trunk]:
        """Return all trunks of an account: `main` first, then by name."""
        # The sort keys are in this order already.
        pointers = self._table.query_all(f"ACCOUNT#{account_id}", sk_begins="TRUNK")
        found = (self.get(pointer["trunk_id"]) for pointer in pointers)
        return [trunk for trunk in found if trunk is not None]

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
        """Write a trunk of an account. Raises TrunkExists, TrunksFull, Reserved (its caller ID),
        Contention.
        """
        trunk = record.trunk
        pk, sk = _pointer_key(trunk.account_id, trunk.name)
        try:
            self._table.write(
                put({"pk": pk, "sk": sk, "trunk_id": trunk.trunk_id}, "attribute_not_exists(pk)"),
                put(trunk_item(record), "attribute_not_exists(pk)"),
                outbox_put(event),
                *_count(trunk, 1),
                *_caller_id_checks(trunk),
            )
        except ConditionFailed as lost:
            _refuse_reserved(trunk, lost)
            raise (TrunkExists if lost.failed[0] else TrunksFull) from None

    def change(
        self, before: Record, trunk: Trunk, sealed_password: str | None, event: Event
    ) -> None:
        """Write the trunk's next revision. Raises TrunkChanged, Reserved, Contention. If calls to
        its numbers are recognised in another way from then on, their claims move: then it also
        raises Taken, and TooMany for numbers that take more than `MAX_MOVED` writes.
        """
        claimed, released = self._moved_claims(before.trunk, trunk)
        try:
            self._table.write(
                *claimed.values(),
                _put_next(before, before.with_settings(trunk, sealed_password)),
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

    def _moved_claims(self, before: Trunk, after: Trunk) -> tuple[dict[str, Write], list[Write]]:
        """Return the claims on the trunk's numbers that it needs now, and the writes that free
        those that it needed before. Raises TooMany.
        """
        if after.claims_at == before.claims_at:
            return {}, []
        # Read after the record: what is added or removed from then on changes the version.
        e164s = [did.e164 for did in self._dids.of_trunk(after.trunk_id)]
        most = most_moved(before, after)
        if len(e164s) > most:
            raise TooMany(most)
        claimed = {e164: claim for e164 in e164s for claim in claims(self._table, after, e164)}
        return claimed, [each for e164 in e164s for each in releases(before, e164)]

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
            after = before.with_settings(before.trunk, sealed_password)
            self._table.write(_put_next(before, after))
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
                delete(*_pointer_key(trunk.account_id, trunk.name)),
                outbox_put(event),
                *_count(trunk, -1),
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


def most_moved(before: Trunk, after: Trunk) -> int:
    """Return how many numbers a trunk may have when their claims move: one write claims a number,
    another one frees it.
    """
    writes = sum(key is not None for key in (before.claims_at, after.claims_at))
    return MAX_MOVED // writes


def _pointer_key(account_id: str, name: str) -> tuple[str, str]:
    return f"ACCOUNT#{account_id}", "TRUNK" if name == MAIN else f"TRUNK#{name}"


def _count(trunk: Trunk, step: int) -> list[Write]:
    """Return the write that counts a trunk beside `main` on its account."""
    if trunk.name == MAIN:
        return []
    held, value = ("#held < :bound", MAX_NAMED) if step > 0 else ("#held > :bound", 0)
    first = " OR attribute_not_exists(#held)" if step > 0 else ""
    return [
        update(
            f"ACCOUNT#{trunk.account_id}",
            "ACCOUNT",
            "ADD #held :step",
            condition=f"attribute_exists(pk) AND ({held}{first})",
            names={"#held": "named_trunks_held"},
            values={":step": step, ":bound": value},
        )
    ]


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
