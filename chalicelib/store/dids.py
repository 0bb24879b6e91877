"""Numbers of trunks (DIDs) in the table.

| item | pk | sk |
|---|---|---|
| number | `TRUNK#<trunk id>` | `DID#<e164>` |
| who has a number, for all accounts | `DID#<twilio or gateway-ip>#<e164>` | `DID` |

A number of a trunk that registers is unique within its trunk only, since the gateway says through
which trunk a call came: nobody can squat on a number. Calls of other providers, and calls from the
networks of trunks that authenticate by address, may name the number only, which therefore belongs
to the trunk that added it first (`Trunk.claims_at`).
"""

from __future__ import annotations

import contextlib

from chalicelib.domain.did import MAX_DIDS, Did
from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.domain.trunk import TRUNK_ID, Trunk
from chalicelib.store.events import outbox_put
from chalicelib.store.reserved import (
    Reserved,
    not_of_the_pool,
    pointer_key,
    refuse_of_the_pool,
)
from chalicelib.store.table import ConditionFailed, Item, Table, Write, delete, put, update
from chalicelib.store.trunk_items import TrunkChanged, did_item, read_record, to_did, to_record


class TooMany(Exception):
    """The trunk has more numbers than it may (`most`)."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Taken(Exception):
    """The number is added already: to this trunk, or (`elsewhere`) to another one whose calls name
    numbers only, as this one's do.
    """

    def __init__(self, e164: str, *, elsewhere: bool) -> None:
        super().__init__(e164)
        self.elsewhere = elsewhere


class NotAdded(Exception):
    """The trunk does not have the number (any more)."""


class DidStore:
    """Reads and conditional writes of trunks' numbers."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def with_trunk(self, trunk_id: str) -> tuple[Trunk, list[Did]] | None:
        """Return the trunk and its numbers, sorted by their digits, in one read."""
        if not TRUNK_ID.fullmatch(trunk_id):
            return None
        trunk, dids = None, []
        for item in self._table.query_all(f"TRUNK#{trunk_id}"):
            if item["sk"] == "TRUNK":
                trunk = to_record(item).trunk
            else:
                dids.append(to_did(item))
        return None if trunk is None else (trunk, dids)

    def claimed(self) -> dict[str, Did]:
        """Return the numbers of all trunks: reads the whole table, so it is for operators only."""
        found = {}
        for item in self._table.scan(sk_begins="DID#"):
            did = to_did(item)
            if read_record(self._table, did.trunk_id) is not None:
                found[did.e164] = did
        return found

    def of_trunk(self, trunk_id: str) -> list[Did]:
        """Return the trunk's numbers; an empty list if the trunk is gone."""
        found = self.with_trunk(trunk_id)
        return [] if found is None else found[1]

    def get(self, trunk_id: str, e164: str) -> Did | None:
        """Return one number of a trunk that is there."""
        item = self._table.get(f"TRUNK#{trunk_id}", f"DID#{e164}")
        return None if item is None else to_did(item)

    def at(self, place: str, e164: str) -> Did | None:
        """Return the number where calls name numbers only (a provider, or `gateway-ip`), whichever
        trunk it belongs to.
        """
        found = self.claimed_at(place, e164)
        return None if found is None else self.get(found.trunk_id, e164)

    def claimed_at(self, place: str, e164: str) -> Trunk | None:
        """Return the trunk that has claimed a number there."""
        pointer = self._table.get(*pointer_key(place, e164))
        record = read_record(self._table, pointer["trunk_id"]) if pointer else None
        return record.trunk if record is not None and record.trunk.claims_at == place else None

    def forget_claim(self, place: str, e164: str) -> bool:
        """Delete the claim that a trunk which is gone had on a number. Return False if there is no
        claim, or its trunk is not gone.
        """
        claim = self._table.get(*pointer_key(place, e164))
        if claim is None or read_record(self._table, claim["trunk_id"]) is not None:
            return False
        condition, names = "#trunk = :gone", {"#trunk": "trunk_id"}
        try:
            self._table.write(
                delete(*pointer_key(place, e164), condition, names, {":gone": claim["trunk_id"]})
            )
        except ConditionFailed:
            return False
        return True

    def add(self, trunk: Trunk, did: Did, event: Event) -> None:
        """Add a number to a trunk. Raises TooMany, Taken, Reserved, TrunkChanged, Contention."""
        try:
            self._table.write(
                _count(trunk, 1, "#held < :max", {":max": MAX_DIDS}),
                put(did_item(did), "attribute_not_exists(pk)"),
                not_of_the_pool(did.e164),
                outbox_put(event),
                *claims(self._table, trunk, did.e164),
            )
        except ConditionFailed as lost:
            if lost.failed[1]:
                raise Taken(did.e164, elsewhere=False) from None
            if lost.failed[2]:
                raise Reserved(did.e164) from None
            if lost.failed[0]:
                item = lost.items[0]
                full = item is not None and item["dids_held"] >= MAX_DIDS
                raise (TooMany(MAX_DIDS) if full else TrunkChanged()) from None
            raise Taken(did.e164, elsewhere=True) from None

    def change(self, trunk_id: str, e164: str, changes: Item) -> Did:
        """Set attributes of a number; return it. Raises NotAdded if it is not there."""
        try:
            self._table.write(
                update(
                    f"TRUNK#{trunk_id}",
                    f"DID#{e164}",
                    "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                    condition="attribute_exists(pk)",
                    names={f"#{name}": name for name in changes},
                    values={f":{name}": value for name, value in changes.items()},
                )
            )
        except ConditionFailed:
            raise NotAdded from None
        did = self.get(trunk_id, e164)
        if did is None:
            raise NotAdded
        return did

    def note_called(self, trunk_id: str, e164: str, now: int) -> None:
        """Set when a number was first called, unless it is set or the number not there (any more).
        Raises Contention.
        """
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                update(
                    f"TRUNK#{trunk_id}",
                    f"DID#{e164}",
                    "SET #called = :now",
                    condition="attribute_exists(pk) AND attribute_not_exists(#called)",
                    names={"#called": "called_at"},
                    values={":now": to_text(now)},
                )
            )

    def remove(self, trunk: Trunk, e164: str, event: Event) -> None:
        """Remove a number from a trunk. Raises NotAdded, TrunkChanged, Contention."""
        try:
            self._table.write(
                _count(trunk, -1, "#held > :zero", {":zero": 0}),
                delete(f"TRUNK#{trunk.trunk_id}", f"DID#{e164}", "attribute_exists(pk)"),
                outbox_put(event),
                *releases(trunk, e164),
            )
        except ConditionFailed as lost:
            raise (NotAdded if lost.failed[1] else TrunkChanged) from None


def claims(table: Table, trunk: Trunk, e164: str) -> list[Write]:
    """Return the write that makes a number this trunk's among all accounts, if its calls name
    numbers only. Raises Reserved if the number is in the pool; a number that is not cannot come
    into it while it is claimed.
    """
    place = trunk.claims_at
    if place is None:
        return []
    refuse_of_the_pool(table, e164)
    pk, sk = pointer_key(place, e164)
    condition, names, values = "attribute_not_exists(pk)", {}, {}
    claim = table.get(pk, sk)
    if claim is not None and read_record(table, claim["trunk_id"]) is None:
        # Left by a trunk that is gone. Ids of trunks are not used again, so nobody needs it.
        condition += " OR #trunk = :gone"
        names, values = {"#trunk": "trunk_id"}, {":gone": claim["trunk_id"]}
    return [put({"pk": pk, "sk": sk, "trunk_id": trunk.trunk_id}, condition, names, values)]


def releases(trunk: Trunk, e164: str) -> list[Write]:
    """Return the write that frees the claim of the trunk on a number, if it needs one."""
    place = trunk.claims_at
    if place is None:
        return []
    return [
        delete(
            *pointer_key(place, e164),
            "attribute_not_exists(pk) OR #trunk = :ours",
            {"#trunk": "trunk_id"},
            {":ours": trunk.trunk_id},
        )
    ]


def _count(trunk: Trunk, step: int, condition: str, values: Item) -> Write:
    """Count a number on its trunk, if that is there and its numbers are still claimed in the same
    way.
    """
    # Trunks that are older than the attribute register.
    first = " OR attribute_not_exists(#auth)" if trunk.auth == "register" else ""
    return update(
        f"TRUNK#{trunk.trunk_id}",
        "TRUNK",
        "ADD #held :step, #version :one",
        condition=f"#provider = :provider AND (#auth = :auth{first}) AND {condition}",
        names={
            "#held": "dids_held",
            "#version": "version",
            "#provider": "provider",
            "#auth": "auth",
        },
        values={
            ":step": step,
            ":one": 1,
            ":provider": trunk.provider,
            ":auth": trunk.auth,
            **values,
        },
    )
